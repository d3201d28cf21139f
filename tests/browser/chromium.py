"""How the tests start Chromium: quiet, and with nothing to say to anybody on the network.

Most use Chromium's headless shell: the same engine in a process that draws no window, at two fifths
of the CPU for each fresh profile. What depends on the whole browser is tried in that.
"""

from collections.abc import Sequence

from playwright.sync_api import Browser, Playwright

HEADLESS_SHELL = "/usr/bin/chromium-headless-shell"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def launch(
    playwright: Playwright, executable: str = HEADLESS_SHELL, *, without: Sequence[str] = ()
) -> Browser:
    """Start a browser; ``without`` names arguments of Playwright's own that it is not to get."""
    return playwright.chromium.launch(
        executable_path=executable, args=list(ARGUMENTS), ignore_default_args=list(without)
    )
