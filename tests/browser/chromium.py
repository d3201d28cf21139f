"""How the tests start Chromium: quiet, and with nothing to say to anybody on the network."""

from collections.abc import Sequence

from playwright.sync_api import Browser, Playwright

EXECUTABLE = "/usr/bin/chromium"
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


def launch(playwright: Playwright, *, without: Sequence[str] = ()) -> Browser:
    """Start a browser; ``without`` names arguments of Playwright's own that it is not to get."""
    return playwright.chromium.launch(
        executable_path=EXECUTABLE, args=list(ARGUMENTS), ignore_default_args=list(without)
    )
