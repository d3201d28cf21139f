"""The key is seen once: whoever comes back, or comes from elsewhere, learns what is the case."""

import hashlib
import re
from collections.abc import Callable
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import (
    BrowserContext,
    Page,
    Playwright,
    Request,
    Route,
    StorageState,
    expect,
)

from tests.browser.chromium import CHROMIUM, launch
from tests.browser.live import Live
from tests.browser.steps import (
    expect_chosen,
    expect_message,
    expect_no_key,
    expect_state,
    fill_in,
    key_on,
    new_name,
    request_token,
    says,
    stored_records,
    submit,
    take_key,
    typed_or_secret,
    web_storage,
)
from tests.browser.watch import Watch

DELIVERED = "The key was delivered. It cannot be shown again."


def expect_only_the_record(page: Page) -> None:
    """The owner is told that the key is gone, and what can be done about it."""
    expect_message(page, DELIVERED)
    expect_no_key(page)
    expect(page.get_by_role("link", name="Renew")).to_be_visible()
    expect(page.get_by_role("link", name="Replace: lost or leaked")).to_be_visible()


def reload(page: Page) -> Page:
    page.reload()
    return page


def in_a_second_tab(page: Page) -> Page:
    second = page.context.new_page()
    second.goto(page.url)
    return second


def back(page: Page) -> Page:
    page.get_by_role("link", name="My tokens").first.click()
    expect(page).to_have_url(re.compile(r"/tokens/$"))
    page.go_back()
    return page


def forward(page: Page) -> Page:
    page.go_back()
    expect(page).to_have_url(re.compile(r"/tokens/new/$"))
    page.go_forward()
    return page


@pytest.mark.parametrize("come_back", [reload, in_a_second_tab, back, forward])
def test_whoever_comes_back_finds_the_record_and_no_key(
    engineer: Page, come_back: Callable[[Page], Page]
) -> None:
    request_token(engineer)
    take_key(engineer)
    url = engineer.url
    page = come_back(engineer)
    expect(page).to_have_url(url)
    expect_only_the_record(page)


def without_no_store(route: Route) -> None:
    """Answer as a browser takes it that keeps pages in spite of ``no-store``."""
    answer = route.fetch(max_redirects=0)
    headers = {name: value for name, value in answer.headers.items() if name != "cache-control"}
    route.fulfill(response=answer, headers=headers)


def test_the_back_forward_cache_keeps_no_key(
    playwright: Playwright, live: Live, watch: Watch
) -> None:
    """Chromium keeps no page that said ``no-store``; others do, so here it has not said so."""
    restored: list[str] = []

    def note_restored(source: str) -> None:
        restored.append(source)

    with (
        launch(playwright, CHROMIUM, without=["--disable-back-forward-cache"]) as browser,
        browser.new_context() as context,
    ):
        watch.over(context)
        page = context.new_page()
        live.sign_in(page, "engineer@example.com")
        page.expose_function("noteRestored", note_restored)
        page.add_init_script(
            "addEventListener('pageshow', (event) => {"
            "  if (event.persisted) noteRestored(document.documentElement.outerHTML);"
            "})"
        )
        live.hold_aws()
        request_token(page)
        # The answer to a redirected request can't be changed: come again.
        url = page.url
        page.get_by_role("link", name="My tokens").first.click()
        expect(page).to_have_url(re.compile(r"/tokens/$"))
        page.route("**/tokens/**", without_no_store)
        live.let_aws_go()
        page.goto(url)
        key = take_key(page)
        page.get_by_role("link", name="My tokens").first.click()
        expect(page).to_have_url(re.compile(r"/tokens/$"))

        page.go_back(wait_until="commit")
        expect_only_the_record(page)
        assert len(restored) == 1
        assert "data-token-page" in restored[0]
        assert key not in restored[0]


def test_the_form_found_by_the_back_button_asks_for_another_token_with_another_key_pair(
    engineer: Page,
) -> None:
    posted: list[str] = []
    engineer.on("request", lambda request: posted.extend(public_keys_in(request)))
    request_token(engineer)
    take_key(engineer)
    engineer.go_back()
    expect(engineer).to_have_url(re.compile(r"/tokens/new/$"))
    name = new_name()
    fill_in(engineer, name)
    submit(engineer)
    take_key(engineer)
    expect(engineer.get_by_role("heading", name=name)).to_be_visible()
    first, second = posted
    assert first != second


def public_keys_in(request: Request) -> list[str]:
    return parse_qs(request.post_data or "").get("public_key", [])


def test_others_who_may_read_the_record_see_no_key(
    live: Live, engineer: Page, page_of: Callable[[str], Page]
) -> None:
    others = [page_of(f"{who}@example.com") for who in ("teammate", "lead", "admin")]
    live.hold_aws()
    request_token(engineer)
    for other in others:
        other.goto(engineer.url)
    live.let_aws_go()
    key_on(engineer)
    for other in others:
        expect_state(other, "active")
        expect_message(other, DELIVERED)
        expect_no_key(other)
        expect(other.get_by_role("region", name="Record")).to_contain_text("engineer@example.com")


def test_an_outsider_finds_nothing(
    engineer: Page, page_of: Callable[[str], Page], watch: Watch
) -> None:
    watch.expect_status(404)
    name = request_token(engineer)
    outsider = page_of("outsider@example.com")
    outsider.goto(engineer.url)
    expect(outsider.get_by_role("heading", name="Nothing here")).to_be_visible()
    expect(outsider.get_by_text("belongs to a team that you are not in")).to_be_visible()
    expect(outsider.get_by_role("link", name="Go to my tokens")).to_be_visible()
    assert name not in outsider.content()


def test_another_browser_of_the_same_person_has_no_key_and_offers_a_new_one(
    live: Live, engineer: Page, page_of: Callable[[str], Page]
) -> None:
    live.hold_aws()
    wish = {"account": "status-page", "lifetime": "8 hours", "reason": "a screen on the wall"}
    request_token(engineer, **wish)
    url = engineer.url
    engineer.goto("about:blank")  # so that nobody takes the key yet
    live.let_aws_go()

    elsewhere = page_of("engineer@example.com")
    elsewhere.goto(url)
    expect_state(elsewhere, "sealed")
    notice = elsewhere.get_by_role("alert")
    expect(notice).to_contain_text("The key is not for this browser.")
    expect(notice).to_contain_text("sealed to the browser that asked for it")
    expect_no_key(elsewhere)
    expect(elsewhere.locator("summary", has_text="Revoke")).to_be_visible()
    notice.get_by_role("link", name="request a new one here").click()
    expect_chosen(elsewhere, "Service account", "status-page")
    expect(elsewhere.get_by_label("Lifetime", exact=True)).to_have_value("28800")
    expect(elsewhere.get_by_label("What uses it")).to_have_value("a screen on the wall")

    engineer.goto(url)
    assert live.answers_to(take_key(engineer)) == 200


def test_no_page_and_no_address_holds_a_key_a_public_key_or_a_fingerprint(
    live: Live, engineer: Page
) -> None:
    asked: list[str] = []
    public_keys: list[str] = []
    engineer.on("request", lambda request: asked.append(f"{request.url} {request.headers}"))
    engineer.on("request", lambda request: public_keys.extend(public_keys_in(request)))
    live.hold_aws()
    request_token(engineer)
    url = engineer.url
    seen = [source(engineer, url)]
    live.let_aws_go()
    key = take_key(engineer)
    seen += [source(engineer, f"{url}{path}") for path in ("", "status/", "sealed/")]
    seen += [source(engineer, f"{live.url}/tokens/"), source(engineer, f"{live.url}/tokens/new/")]

    [public_key] = public_keys
    for secret in (key, hashlib.sha256(key.encode()).hexdigest(), public_key):
        assert all(secret not in text for text in seen + asked)
    assert key not in engineer.title()


def source(page: Page, url: str) -> str:
    """What the server sends to this browser."""
    return page.request.get(url).text()


def test_after_delivery_the_browser_keeps_neither_the_key_nor_the_private_key(
    live: Live, engineer: Page
) -> None:
    live.hold_aws()
    request_token(engineer)
    assert len(stored_records(engineer)) == 1
    live.let_aws_go()
    key = key_on(engineer)
    assert stored_records(engineer) == []
    assert typed_or_secret(engineer) == {}
    assert key not in str(web_storage(engineer))
    cookies = engineer.context.cookies()
    assert not any("glsa_" in cookie.get("value", "") for cookie in cookies)


def test_a_key_that_nobody_looks_at_is_masked_and_goes_only_once_it_was_copied(
    new_context: Callable[..., BrowserContext],
    session_of: Callable[[str], StorageState],
    live: Live,
) -> None:
    page = new_context(storage_state=session_of("engineer@example.com")).new_page()
    page.goto(f"{live.url}/tokens/")
    request_token(page)
    key = key_on(page)
    page.get_by_test_id("show-key").click()
    page.clock.install()
    hide = """(isHidden) => {
      Object.defineProperty(document, "hidden", { get: () => isHidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    page.clock.fast_forward("10:01")
    expect(says(page, "Masked again")).to_be_attached()
    assert key not in page.content()
    page.evaluate(hide, False)
    assert key_on(page) == key, "somebody who was off asking for rights still has it"
    page.get_by_test_id("copy-key").click()
    expect(says(page, "Copied")).to_be_visible()
    page.evaluate(hide, True)
    page.clock.fast_forward("10:01")
    expect(page.get_by_role("alert").filter(has_text="This key was cleared")).to_be_attached()
    expect_no_key(page)
