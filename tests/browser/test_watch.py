"""The tests' own eye: what a page complains about fails the test, unless it was expected."""

from playwright.sync_api import Page

from tests.browser.live import Live
from tests.browser.watch import Watch
from tests.product import within

COMPLAIN = """
console.error("an error on the console");
setTimeout(() => { throw new Error("an exception"); });
const image = document.createElement("img");
image.src = "https://elsewhere.invalid/pixel.png";
document.body.append(image);
"""


def test_complaints_are_seen_until_they_are_expected(
    live: Live, engineer: Page, watch: Watch
) -> None:
    engineer.evaluate(COMPLAIN)

    def is_seen(*parts: str) -> bool:
        engineer.evaluate("true")  # lets Playwright handle what has happened
        return any(all(part in complaint for part in parts) for complaint in watch.complaints)

    assert within(30, lambda: is_seen("console: ", "an error on the console"))
    assert within(30, lambda: is_seen("exception: ", "an exception"))
    assert within(30, lambda: is_seen("console: ", "Content Security Policy", "elsewhere.invalid"))
    # Only now: a page that is left forgets what it was about to complain of.
    engineer.goto(f"{live.sandbox_url}/api/org")
    assert within(30, lambda: is_seen("foreign: ", f"{live.sandbox_url}/api/org"))
    watch.expect(f"an error on the console|an exception|elsewhere.invalid|{live.sandbox_url}")
    assert watch.complaints == []
