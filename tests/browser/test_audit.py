"""The auditor's pages in a browser: filter, turn pages, open a story, download, find by key."""

import hashlib
import json
import re
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Request, Route, StorageState, expect

from tests.browser.live import Live
from tests.browser.looks import assert_looks_right
from tests.browser.steps import (
    choose,
    expect_chosen,
    expect_state,
    fill_in,
    key_on,
    open_form,
    request_token,
    submit,
    take_key,
)
from tests.browser.watch import Watch


@pytest.fixture
def auditor(
    new_context: Callable[..., BrowserContext],
    session_of: Callable[[str], StorageState],
    live: Live,
) -> Page:
    """The admin, who is an auditor too, without motion: no colour is caught half-way."""
    context = new_context(
        base_url=live.url,
        reduced_motion="reduce",
        storage_state=session_of("admin@example.com"),
    )
    return context.new_page()


def taken(page: Page, name: str = "") -> tuple[str, str]:
    """Request a token and take its key; returns the token's name and the key."""
    name = request_token(page, name)
    return name, take_key(page)


# -- Filter, open, download ---------------------------------------------------------------------


def test_an_auditor_filters_opens_a_story_and_downloads(
    engineer: Page, auditor: Page, tmp_path: Path
) -> None:
    name, _ = taken(engineer)
    auditor.goto("/audit/")
    auditor.get_by_label("Search").fill(name)
    auditor.get_by_text("Filters", exact=True).click()
    choose(auditor, "Outcome", "succeeded")
    auditor.get_by_label("Since").fill("1d")
    auditor.get_by_role("button", name="Apply").click()

    expect(auditor.get_by_role("heading", name="Events that match")).to_be_visible()
    assert auditor.url.endswith(f"/audit/?q={name}&outcome=succeeded&since=1d"), "the saved link"
    happened = auditor.get_by_test_id("audit-table").locator("tbody th code")
    expect(happened).to_have_text(["token.delivered", "token.issued", "token.requested"])
    expect_chosen(auditor, "Outcome", "succeeded")
    when = auditor.get_by_test_id("audit-table").locator("time").first
    expect(when).to_have_attribute("title", re.compile(r"Europe/Berlin · .*UTC"))

    with auditor.expect_download() as download:
        auditor.get_by_role("link", name="JSON Lines").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    *events, trailer = [json.loads(line) for line in file.read_text().splitlines()]
    assert file.name == "audit.jsonl"
    assert [event["action"] for event in events] == [
        "token.requested",
        "token.issued",
        "token.delivered",
    ]
    assert trailer["trailer"]["count"] == 3
    assert trailer["trailer"]["filter"]["q"] == name

    with auditor.expect_download() as download:
        auditor.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == "audit.csv"

    auditor.get_by_role("link", name=name).first.click()
    story = auditor.get_by_test_id("token-story")
    expect(story.locator("code").filter(has_text="token.")).to_have_text(
        ["token.requested", "token.issued", "token.delivered"]
    )
    story.get_by_role("link", name="token.issued").click()
    expect(auditor.get_by_role("heading", name="token.issued")).to_be_visible()
    expect(auditor.get_by_text("SHA-256 of the key")).to_be_visible()


def test_a_day_is_the_readers_own_and_its_link_says_so(
    new_context: Callable[..., BrowserContext],
    session_of: Callable[[str], StorageState],
    live: Live,
    auditor: Page,
) -> None:
    """A reader in Tokyo types a day and hands the link to one in Berlin, who sees the same."""
    tokyo = new_context(
        base_url=live.url, timezone_id="Asia/Tokyo", storage_state=session_of("admin@example.com")
    ).new_page()
    tokyo.goto("/audit/")
    expect(tokyo.locator("[data-charts]")).to_contain_text("in days of Asia/Tokyo")
    tokyo.get_by_text("Filters", exact=True).click()
    said = tokyo.locator("[data-zone]").first
    expect(said).to_have_text("Asia/Tokyo")
    tokyo.get_by_label("Since").fill("2026-01-01")
    tokyo.get_by_label("Until").fill("2099-01-01T09:00")
    tokyo.get_by_role("button", name="Apply").click()
    expect(tokyo.get_by_role("heading", name="Events that match")).to_be_visible()
    saved = "/audit/?since=2026-01-01&until=2099-01-01T09%3A00&time_zone=Asia%2FTokyo"
    assert tokyo.url.endswith(saved)
    for link in ("CSV", "JSON Lines"):
        expect(tokyo.get_by_role("link", name=link)).to_have_attribute(
            "href", re.compile(r"time_zone=Asia%2FTokyo$")
        )
    tokyo.reload()
    with tokyo.expect_download() as download:
        tokyo.get_by_role("link", name="JSON Lines").click()
    trailer = json.loads(Path(download.value.path()).read_text().splitlines()[-1])["trailer"]
    asked = {"since": "2025-12-31T15:00:00Z", "until": "2099-01-01T00:00:00Z"}
    assert trailer["filter"] == asked

    auditor.goto(saved)
    said = auditor.locator("[data-zone]").first
    expect(said).to_have_text("Asia/Tokyo")
    auditor.get_by_label("Until").fill("")
    expect(said).to_have_text("Asia/Tokyo")
    auditor.get_by_label("Since").fill("7d")
    expect(said).to_have_text("Europe/Berlin")
    auditor.get_by_label("Since").fill("2026-01-01")
    auditor.get_by_role("button", name="Apply").click()
    expect(auditor.get_by_role("heading", name="Events that match")).to_be_visible()
    assert auditor.url.endswith("/audit/?since=2026-01-01&time_zone=Europe%2FBerlin")


def test_a_moment_is_meant_in_the_readers_zone(
    new_context: Callable[..., BrowserContext],
    session_of: Callable[[str], StorageState],
    live: Live,
) -> None:
    tokyo = new_context(
        base_url=live.url, timezone_id="Asia/Tokyo", storage_state=session_of("admin@example.com")
    ).new_page()
    tokyo.goto("/audit/")
    tokyo.get_by_text("Filters", exact=True).click()
    tokyo.get_by_label("As of").fill("2026-01-01T09:00")
    tokyo.get_by_role("button", name="Apply").click()
    alive = tokyo.get_by_role("heading", name="alive at")
    expect(alive.locator("time")).to_have_attribute("datetime", "2026-01-01T00:00:00+00:00")
    assert tokyo.url.endswith("as_of=2026-01-01T09%3A00&time_zone=Asia%2FTokyo")


def test_who_held_what_at_a_moment_is_listed_by_role(engineer: Page, auditor: Page) -> None:
    name, _ = taken(engineer)
    auditor.goto("/audit/")
    auditor.get_by_text("Filters", exact=True).click()
    # The field has no parts of seconds: the token was made before the next one.
    second = auditor.evaluate("Math.ceil(Date.now() / 1000) * 1000")
    auditor.wait_for_function("second => Date.now() >= second", arg=second)
    auditor.get_by_label("As of").fill(
        auditor.evaluate(
            "second => new Date(second - new Date().getTimezoneOffset() * 60000)"
            ".toISOString().slice(0, 19)",
            second,
        )
    )
    auditor.get_by_label("Role").select_option("EDITOR")
    auditor.get_by_role("button", name="Apply").click()
    held = auditor.get_by_test_id("as-of")
    row = held.get_by_role("row").filter(has_text=name)
    for words in ("engineer@example.com", "dashboards-ci", "EDITOR"):
        expect(row).to_contain_text(words)
    assert_looks_right(auditor)


def test_the_filters_suggest_people_and_accounts_once_they_are_opened(
    auditor: Page, live: Live
) -> None:
    asked = everything_sent(auditor)
    auditor.goto("/audit/")
    expect(auditor.get_by_role("heading", name="Tokens issued per day, by team")).to_be_visible()
    assert not any("suggestions" in text for text in asked)
    auditor.get_by_text("Filters", exact=True).click()
    for field, option in (("Who did it", "engineer@example.com"), ("Service account", "2")):
        offered = auditor.locator(f"#{auditor.get_by_label(field).get_attribute('list')} option")
        expect(offered.and_(auditor.locator(f"[value='{option}']")).first).to_be_attached()
    auditor.get_by_text("Filters", exact=True).click()
    auditor.get_by_text("Filters", exact=True).click()
    assert len([text for text in asked if "suggestions" in text]) == 1

    auditor.goto("/audit/?team=platform")
    expect(auditor.locator("#actor-suggestions option").first).to_be_attached()


def test_pages_are_turned_there_and_back(engineer: Page, auditor: Page, live: Live) -> None:
    """The catalog is synced and people sign in all along: there are always more than 50 events
    after a while, so this test makes sure of it by exports."""
    for _ in range(51):
        assert auditor.request.get("/audit/export.csv?team=nobody").ok
    auditor.goto("/audit/?action=audit.exported")
    first = auditor.get_by_test_id("audit-table").locator("tbody tr").count()
    newest = auditor.get_by_test_id("audit-table").get_by_role("link").first.get_attribute("href")
    auditor.get_by_role("link", name="Older").click()
    expect(auditor.get_by_role("link", name="Newer")).to_be_visible()
    assert "action=audit.exported&before=" in auditor.url
    auditor.get_by_role("link", name="Newer").click()
    expect(auditor.get_by_role("link", name="Newer")).to_have_count(0)
    assert first == 50
    expect(auditor.get_by_test_id("audit-table").get_by_role("link").first).to_have_attribute(
        "href", newest or ""
    )


def test_a_mistake_in_a_filter_is_said_and_nothing_is_lost(auditor: Page, watch: Watch) -> None:
    watch.expect_status(422)
    auditor.goto("/audit/")
    auditor.get_by_text("Filters", exact=True).click()
    auditor.get_by_label("Who did it").fill("lead@example.com")
    auditor.get_by_label("Since").fill("last tuesday")
    auditor.get_by_role("button", name="Apply").click()

    expect(auditor.locator("#error-summary")).to_be_focused()
    expect(auditor.get_by_label("Since")).to_have_value("last tuesday")
    expect(auditor.get_by_label("Since")).to_have_attribute("aria-invalid", "true")
    expect(auditor.get_by_label("Who did it")).to_have_value("lead@example.com")
    assert_looks_right(auditor)


def test_a_key_in_the_search_is_stopped_before_it_stands_in_an_address(
    auditor: Page, live: Live
) -> None:
    key = f"glsa_{secrets.token_hex(16)}_{secrets.token_hex(4)}"
    asked = everything_sent(auditor)
    auditor.goto("/audit/")
    auditor.get_by_label("Search").fill(f"  {key} ")
    auditor.get_by_label("Search").press("Enter")

    expect(auditor.get_by_role("alert").filter(has_text="Nothing was sent")).to_be_visible()
    expect(auditor.get_by_label("Search")).to_have_value("")
    assert auditor.url == f"{live.url}/audit/"
    assert not any(key in text for text in asked)


# -- Find by key --------------------------------------------------------------------------------


def everything_sent(page: Page) -> list[str]:
    """All that this browser sends from now on: addresses, headers and bodies."""
    sent: list[str] = []

    def note(request: Request) -> None:
        sent.append(f"{request.method} {request.url}\n{request.headers}\n{request.post_data or ''}")

    page.context.on("request", note)
    return sent


def test_a_leaked_key_is_found_and_its_token_ended_without_sending_the_key(
    engineer: Page, auditor: Page, live: Live
) -> None:
    name, key = taken(engineer)
    fingerprint = hashlib.sha256(key.encode()).hexdigest()
    sent = everything_sent(auditor)
    auditor.goto("/audit/")
    auditor.get_by_role("link", name="Find by key").first.click()
    auditor.get_by_label("The key").fill(f'export GRAFANA_AUTH="{key}"\n')
    auditor.get_by_role("button", name="Find its token").click()

    answer = auditor.get_by_test_id("find-answer")
    expect(answer.get_by_role("heading")).to_have_text(f"The key belongs to {name}")
    expect(answer.get_by_role("heading")).to_be_focused()
    expect(answer).to_contain_text("engineer@example.com")
    expect(auditor.locator("textarea")).to_have_value("")
    assert auditor.url == f"{live.url}/audit/find/"
    posts = [text for text in sent if f"fingerprint={fingerprint}" in text]
    assert len(posts) == 1
    assert key not in auditor.content()
    assert_looks_right(auditor)

    answer.get_by_role("button", name="Revoke this token").click()
    expect_state(auditor, "revoked")
    assert live.answers_to(key) == 401
    expect(auditor.get_by_text("The key was found where it should not be.").first).to_be_visible()
    assert not any(part in text for text in sent for part in (key, key[5:37]))
    assert not any(fingerprint in text.partition("\n")[0] for text in sent)


def test_the_back_button_does_not_bring_a_pasted_key_back(auditor: Page) -> None:
    key = f"glsa_{secrets.token_hex(16)}_{secrets.token_hex(4)}"
    auditor.goto("/audit/find/")
    auditor.get_by_label("The key").fill(key)
    auditor.get_by_role("link", name="Audit log").click()
    expect(auditor.get_by_role("heading", name="Audit log")).to_be_visible()
    auditor.go_back()

    expect(auditor.get_by_label("The key")).to_have_value("")
    assert key not in auditor.content()


def test_a_key_of_nobody_says_what_to_do(auditor: Page) -> None:
    auditor.goto("/audit/find/")
    auditor.get_by_label("The key").fill("glsa_nobodys_00000000")
    auditor.get_by_role("button", name="Find its token").click()

    answer = auditor.get_by_test_id("find-answer")
    expect(answer).to_contain_text("No token of this portal has this key")
    expect(answer).to_contain_text("treat it as live")
    assert_looks_right(auditor)


def test_a_key_pasted_before_the_script_runs_is_not_lost(auditor: Page) -> None:
    held: list[Route] = []
    auditor.route("**/js/find*.js", lambda route: held.append(route))
    auditor.goto("/audit/find/", wait_until="commit")
    auditor.get_by_label("The key").fill("glsa_nobodys_00000000")
    expect(auditor.get_by_role("button", name="Find its token")).to_be_disabled()
    [script] = held
    script.continue_()
    auditor.get_by_role("button", name="Find its token").click()

    expect(auditor.get_by_test_id("find-answer")).to_contain_text("No token of this portal")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Paste a key first"),
        ("hunter2", "There is no key in this"),
        ("glsa_one_00000000 glsa_two_00000000", "There are 2 keys in this"),
    ],
)
def test_what_is_no_single_key_is_not_sent(auditor: Page, text: str, said: str) -> None:
    auditor.goto("/audit/find/")
    sent = everything_sent(auditor)
    auditor.get_by_label("The key").fill(text)
    auditor.get_by_role("button", name="Find its token").click()

    expect(auditor.get_by_role("alert").filter(has_text=said)).to_be_visible()
    expect(auditor.get_by_label("The key")).to_be_focused()
    assert not any(text.startswith("POST") for text in sent)


def test_a_lead_finds_the_teams_token_and_nothing_of_others(
    engineer: Page, page_of: Callable[[str], Page]
) -> None:
    name, key = taken(engineer)
    other = page_of("outsider@example.com")
    open_form(other)
    fill_in(other, f"theirs-{secrets.token_hex(4)}", workspace="mobile", account="mobile")
    submit(other)
    foreign = key_on(other)

    lead = page_of("lead@example.com")
    lead.get_by_text("lead@example.com").first.click()
    lead.get_by_role("link", name="Find by key").click()
    for pasted, said in ((key, name), (foreign, "Its owner has been told")):
        lead.locator("#pasted-key").fill(pasted)
        lead.get_by_role("button", name="Find its token").click()
        expect(lead.get_by_test_id("find-answer")).to_contain_text(said)


# -- How they look ------------------------------------------------------------------------------


def test_the_inventory_looks_right(auditor: Page) -> None:
    auditor.goto("/tokens/")
    auditor.get_by_role("link", name="Inventory").click()
    expect(auditor.get_by_role("heading", name="What differs")).to_be_visible()
    assert_looks_right(auditor)


def test_the_log_with_its_charts_looks_right(engineer: Page, auditor: Page) -> None:
    taken(engineer)
    auditor.goto("/audit/?since=7d")
    expect(auditor.get_by_role("heading", name="Tokens issued per day, by team")).to_be_visible()
    table = auditor.get_by_role("table", name=re.compile("Tokens issued on each day"))
    expect(table).to_have_count(1)
    expect(auditor.get_by_role("table", name="Events, newest first")).to_be_visible()
    assert_looks_right(auditor)


def test_a_log_in_which_nothing_matches_looks_right(auditor: Page) -> None:
    auditor.goto("/audit/?q=nothing-is-called-so")
    expect(auditor.get_by_role("heading", name="No event matches")).to_be_visible()
    assert_looks_right(auditor)


def test_an_event_and_a_story_look_right(engineer: Page, auditor: Page) -> None:
    name, _ = taken(engineer)
    auditor.goto(f"/audit/?q={name}")
    auditor.get_by_role("link", name="token.issued").click()
    auditor.get_by_text("The text that is hashed and exported").click()
    assert_looks_right(auditor)
    auditor.get_by_role("link", name="whole story").click()
    expect(auditor.get_by_test_id("token-story")).to_be_visible()
    assert_looks_right(auditor)


def test_find_by_key_looks_right(auditor: Page) -> None:
    auditor.goto("/audit/find/")
    expect(auditor.get_by_role("button", name="Find its token")).to_be_enabled()
    assert_looks_right(auditor)


def test_without_a_script_the_log_works_and_links_to_its_charts(
    new_context: Callable[..., BrowserContext],
    session_of: Callable[[str], StorageState],
    live: Live,
) -> None:
    page = new_context(
        base_url=live.url,
        java_script_enabled=False,
        storage_state=session_of("admin@example.com"),
    ).new_page()
    page.goto("/audit/?action=signin.succeeded")
    expect(page.get_by_test_id("audit-table")).to_be_visible()
    page.get_by_role("link", name="Show charts of this").click()
    expect(page.get_by_role("heading", name="Requests that failed, by cause")).to_be_visible()
    page.goto("/audit/find/")
    # Playwright's locators by text pass over <noscript>.
    expect(page.locator("noscript strong", has_text="This page needs JavaScript")).to_be_visible()
    expect(page.get_by_role("button", name="Find its token")).to_be_disabled()
