"""A page whose script or style does not come, as while the portal is updated, says so by itself."""

import pytest
from playwright.sync_api import Page, Route, expect

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
    expect(notice).to_have_count(1)
    expect(notice).to_be_hidden()
    engineer.context.route(files, gone)
    engineer.goto(f"{live.url}/tokens/new/")
    expect(notice).to_be_visible()
    expect(notice).to_contain_text(WORDS)
    engineer.context.unroute(files)
    engineer.reload()
    expect(notice).to_be_hidden()
