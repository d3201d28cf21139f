"""A real browser on the whole product.

The fixtures of the package end with it: while Playwright's sync API runs, this thread has a running
event loop, and Django's ORM, which other tests use, would refuse to work in it.
"""

import contextlib
import functools
from collections.abc import Callable, Generator, Iterator

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    StorageState,
    expect,
    sync_playwright,
)

from tests.browser.access import access_file
from tests.browser.chromium import launch
from tests.browser.live import SCIM_TOKEN, Live
from tests.browser.watch import Watch
from tests.product import Product

SECONDS_TO_APPEAR = 30.0
"""How long a test waits for something on a page; two sweeps and an attempt at AWS fit in."""

expect.set_options(timeout=SECONDS_TO_APPEAR * 1000)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the product has printed beside a test that failed."""
    report = yield
    live = getattr(item, "funcargs", {}).get("live")
    if report.failed and isinstance(live, Live):
        report.sections.append(("What the product printed", live.product.log()[-2000:]))
    return report


@pytest.fixture(scope="package")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The product, running; every test of the package uses the same one."""
    file = tmp_path_factory.mktemp("access") / "access.yaml"
    file.write_text(access_file())
    product = Product(
        PORTAL_RATE_LIMITS="off",
        PORTAL_ACCESS_FILE=str(file),
        PORTAL_SCIM_TOKEN=SCIM_TOKEN,
        PORTAL_WEBHOOK_NETWORKS="127.0.0.0/8",
    )
    with product, contextlib.closing(Live(product)) as live:
        yield live


@pytest.fixture(autouse=True)
def _aws_behaves_again(live: Live) -> Iterator[None]:
    """Whatever a test told the sandbox to do ends with the test."""
    yield
    live.sandbox.reset(data=False)


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with launch(playwright) as browser:
        yield browser


@pytest.fixture
def browser_of_this_test(browser: Browser) -> Browser:
    """The browser that this test's profiles are made in; a module may choose another."""
    return browser


@pytest.fixture
def watch(live: Live) -> Iterator[Watch]:
    """Sees to it that no page complains or asks a foreign server; tests say what they expect."""
    watch = Watch(live.url)
    yield watch
    assert watch.complaints == []


@pytest.fixture
def new_context(
    browser_of_this_test: Browser, live: Live, watch: Watch
) -> Iterator[Callable[..., BrowserContext]]:
    """Makes fresh browser profiles: nothing is stored, nobody is signed in.

    Keyword arguments are Playwright's own. The clipboard may be used, as after a person's consent.
    """
    made: list[BrowserContext] = []

    def new_context(**options: object) -> BrowserContext:
        context = browser_of_this_test.new_context(
            **{"timezone_id": "Europe/Berlin"} | options,  # type: ignore[arg-type]  # forty of them
        )
        made.append(context)
        context.set_default_timeout(SECONDS_TO_APPEAR * 1000)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live.url)
        watch.over(context)
        return context

    yield new_context
    for context in made:
        context.close()


@pytest.fixture
def context(new_context: Callable[..., BrowserContext]) -> BrowserContext:
    return new_context()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture(scope="package")
def session_of(browser: Browser, live: Live) -> Callable[[str], StorageState]:
    """The session of somebody who has signed in, once for all tests of the package."""

    @functools.cache
    def session_of(email: str) -> StorageState:
        with browser.new_context() as context:
            live.sign_in(context.new_page(), email)
            return context.storage_state()

    return session_of


@pytest.fixture
def page_of(
    live: Live,
    session_of: Callable[[str], StorageState],
    new_context: Callable[..., BrowserContext],
) -> Callable[[str], Page]:
    """Makes a page of a fresh browser profile in which somebody is signed in.

    Others share the session: a test that ends one signs in by ``live.sign_in``.
    """

    def page_of(email: str) -> Page:
        page = new_context(storage_state=session_of(email)).new_page()
        page.goto(f"{live.url}/tokens/")
        return page

    return page_of


@pytest.fixture
def engineer(page_of: Callable[[str], Page]) -> Page:
    """A page on which the engineer is signed in."""
    return page_of("engineer@example.com")


@pytest.fixture
def apply_access(live: Live) -> Iterator[Callable[..., None]]:
    """Applies the access file with changes (see tests/browser/access.py), until the test ends."""
    yield lambda **changes: live.apply_access(access_file(**changes))
    live.apply_access(access_file())


@pytest.fixture
def approval_is_asked(apply_access: Callable[..., None]) -> None:
    """Policy asks team platform for approval of every token, as long as the test runs."""
    apply_access(approval="always")


@pytest.fixture
def page_as(
    new_context: Callable[..., BrowserContext],
    session_of: Callable[[str], StorageState],
    live: Live,
) -> Callable[[str], Page]:
    """A page of somebody who is signed in, by their address."""

    def page_as(email: str) -> Page:
        return new_context(
            base_url=live.url, reduced_motion="reduce", storage_state=session_of(email)
        ).new_page()

    return page_as
