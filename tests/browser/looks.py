"""What every page is held to: it fits, axe finds nothing wrong, and Tab reaches what it offers."""

import os
from pathlib import Path
from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Page

WIDTHS = (320, 360, 768, 1000, 1280)
SCHEMES = ("light", "dark")

# What is in order is not worth its way here: there is fifty times as much of it. A contrast that
# axe can't tell counts as one that is too weak; so that it can, drawings make room for the moment
# (none of them lies behind words), and what nobody is to read is not asked about: a masked key,
# words that an open menu covers, and those beyond the edge of a list that scrolls.
JUDGE = """
async () => {
  const bare = new CSSStyleSheet();
  bare.replaceSync("*::before, *::after, select { background-image: none !important }"
    + "*::before, *::after { background-color: transparent !important }");
  document.adoptedStyleSheets.push(bare);
  const { violations, incomplete } = await axe.run(
    { exclude: [".masked"] },
    { resultTypes: ["violations", "incomplete"] },
  );
  document.adoptedStyleSheets.pop();
  const isBeyondEdge = ([target]) => document.querySelector(target)?.closest("[role=listbox]");
  const isCovered = ({ any, target }) => any.every(({ data }) => data?.messageKey === "bgOverlap"
    || (data?.messageKey === "elmPartiallyObscured" && isBeyondEdge(target)));
  const untold = incomplete
    .filter(({ id }) => id === "color-contrast")
    .map((rule) => ({ ...rule, nodes: rule.nodes.filter((node) => !isCovered(node)) }))
    .filter(({ nodes }) => nodes.length);
  return { violations: [...violations, ...untold] };
}
"""


def assert_looks_right(page: Page) -> None:
    """No horizontal scrolling at any width; nothing for axe to say in either colour scheme."""
    page.wait_for_load_state()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        needed = page.evaluate("document.documentElement.scrollWidth")
        assert needed <= width, f"{page.url} needs {needed} px at {width} px"
    for width in (WIDTHS[0], WIDTHS[-1]):
        page.set_viewport_size({"width": width, "height": 800})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its words
            results = _judged(page)
            assert results.violations_count == 0, (
                f"{page.url} at {width} px, {scheme}:\n{results.generate_report()}"
            )


def _judged(page: Page) -> AxeResults:
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return AxeResults(page.evaluate(JUDGE))


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the element has the focus, as somebody without a mouse does."""
    stops = page.locator("a[href], button, input, select, textarea, summary, [tabindex]").count()
    for _ in range(stops + 1):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab never reaches {selector} on {page.url}")


def picture(page: Page, name: str) -> None:
    """Where PICTURES names a folder, how it looks in both schemes, wide and narrow."""
    folder = os.environ.get("PICTURES")
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes if folder else ():
        for width in (1280, 360):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=Path(str(folder)) / f"{name}-{scheme}-{width}.png", full_page=True)
