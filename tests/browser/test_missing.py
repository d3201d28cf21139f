"""A page whose script or style does not come, as while the portal is updated, says so by itself."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.live import Live
from tests.browser.watch import Watch

WORDS = "A part of this page did not arrive; the portal is probably being updated. Reload"


def gone(route: Route) -> None:
    route.fulfill(status=404, content_type="text/plain", body="no such file\n")


@pytest.mark.parametrize(
    "files",
    [
        "**/static/js/page*.js",
        "**/static/js/request-form*.js",
        "**/static/js/draft-store*.js",  # which others import
        "**/static/css/*.css",
    ],
)
def test_a_page_says_that_a_part_of_it_is_missing(
    live: Live, engineer: Page, watch: Watch, files: str
) -> None:
    watch.expect_status(404)
    engineer.goto(f"{live.url}/tokens/new/")
    notice = engineer.locator("#missing")
    expect(notice).to_have_count(0)  # removed when all has come
    engineer.context.route(files, gone)
    engineer.goto(f"{live.url}/tokens/new/")
    expect(notice).to_be_visible()
    expect(notice).to_contain_text(WORDS)
    engineer.context.unroute(files)
    engineer.reload()
    expect(notice).to_have_count(0)


def test_it_says_so_too_where_what_would_say_it_is_missing(
    live: Live, engineer: Page, watch: Watch
) -> None:
    """As when a version from before this notice is asked for all of the scripts."""
    watch.expect_status(404)
    engineer.context.route("**/static/js/*.js", gone)
    engineer.goto(f"{live.url}/tokens/new/")
    notice = engineer.locator("#missing")
    expect(notice).to_be_hidden()
    expect(notice).to_be_visible(timeout=20_000)
    expect(notice).to_contain_text(WORDS)


def test_without_scripts_nothing_is_said_of_them(
    live: Live, new_context: Callable[..., BrowserContext]
) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(f"{live.url}/accounts/login/")
    expect(page.locator("#missing")).to_be_hidden()
