"""What was typed stands there again, above all after a sign-in in between; where it must not."""

import json
import re
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.live import Live
from tests.browser.steps import (
    TOKEN_PAGE,
    expect_chosen,
    expect_state,
    fill_in,
    new_name,
    open_act,
    open_form,
    request_token,
    submit,
    take_key,
    web_storage,
)
from tests.browser.watch import Watch
from tests.grafana.sandbox_process import STAGING

KEY = f"glsa_{'Ab1' * 10}Cd_0a1b2c3d"


@pytest.fixture(autouse=True)
def _the_pages_own_questions_are_refused(watch: Watch) -> None:
    """Whether a name is free, say, and how far a token is: asked until the session has ended."""
    watch.expect_status(401)


@pytest.fixture
def signed_in(live: Live, page: Page) -> Page:
    """The engineer with a session of this test's own, which may end."""
    live.sign_in(page, "engineer@example.com")
    return page


def end_session(page: Page) -> None:
    page.context.clear_cookies(name="sessionid")


def sign_in_again(live: Live, page: Page, email: str = "engineer@example.com") -> None:
    """On the sign-in page that came instead of what was wanted."""
    expect(page).to_have_url(re.compile(r"/accounts/login/\?next="))
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(live.product.password)
    page.get_by_role("button", name="Sign in").click()


def unsent(page: Page, words: str) -> None:
    """The page says that this has not happened yet, and it is what the person reads next."""
    note = page.get_by_role("status").filter(has_text=words)
    expect(note).to_be_visible()
    expect(page.locator(":focus").filter(has_text=words)).to_be_attached()


def drafts(page: Page) -> str:
    """Everything that this browser keeps of what was typed."""
    return json.dumps({k: v for k, v in web_storage(page).items() if k.startswith("draft")})


# -- The session ends while a form is being filled in --------------------------------------------


def test_a_request_survives_a_sign_in_in_between(live: Live, signed_in: Page) -> None:
    page, name = signed_in, new_name()
    open_form(page)
    fill_in(page, name, account="status-page", lifetime="8 hours", reason="a wall screen")
    end_session(page)
    page.get_by_role("button", name="Request token").click()
    expect(page.get_by_text("so nothing has happened yet")).to_be_visible()
    sign_in_again(live, page)

    expect(page).to_have_url(f"{live.url}/tokens/new/")
    unsent(page, "Not requested yet: request it now?")
    expect_chosen(page, "Workspace", "observability-prod")
    expect_chosen(page, "Service account", "status-page")
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)
    expect(page.get_by_label("Lifetime", exact=True)).to_have_value("8h")
    expect(page.get_by_label("What uses it")).to_have_value("a wall screen")
    expect(page.get_by_role("button", name="8 hours")).to_have_attribute("aria-pressed", "true")
    submit(page)
    assert live.answers_to(take_key(page)) == 200
    assert drafts(page) == "{}"


def test_a_date_that_was_picked_is_kept_to_the_minute(live: Live, signed_in: Page) -> None:
    page = signed_in
    open_form(page)
    fill_in(page, new_name())
    page.get_by_label("Lifetime", exact=True).fill("tomorrow 18:17")
    page.reload()
    expect(page.get_by_label("Lifetime", exact=True)).to_have_value("tomorrow 18:17")
    expect(page.get_by_text("18:17 Europe/Berlin")).to_be_visible()


def test_a_revocation_survives_a_sign_in_in_between(live: Live, signed_in: Page) -> None:
    page = signed_in
    request_token(page)
    key, address = take_key(page), page.url
    page.reload()
    open_act(page, "Revoke…")
    page.locator("#revoke-reason").fill("it leaked")
    end_session(page)
    page.get_by_role("button", name="Revoke this token").click()
    sign_in_again(live, page)

    expect(page).to_have_url(address)
    expect_state(page, "active")
    assert live.answers_to(key) == 200
    unsent(page, "Not revoked yet: revoke now?")
    expect(page.locator("#revoke-reason")).to_have_value("it leaked")
    page.get_by_role("button", name="Revoke this token").click()
    expect_state(page, "revoked")
    expect(page.get_by_text("by engineer@example.com: it leaked").first).to_be_visible()
    assert drafts(page) == "{}"


def test_a_replacement_survives_a_sign_in_in_between(live: Live, signed_in: Page) -> None:
    page = signed_in
    request_token(page)
    take_key(page)
    page.get_by_role("link", name="Renew").click()
    page.get_by_role("group", name="Overlaps").get_by_role("button", name="7 days").click()
    page.get_by_label("Lifetime", exact=True).fill("7200")
    page.locator("#id_reason").fill("spring cleaning")
    end_session(page)
    page.get_by_role("button", name="Renew the token").click()
    sign_in_again(live, page)

    unsent(page, "Nothing has changed yet: do it now?")
    expect(page.get_by_label("Nothing: renew it")).to_be_checked()
    expect(page.get_by_label("The old key works on for")).to_have_value("7d")
    expect(page.get_by_label("Lifetime", exact=True)).to_have_value("7200")
    expect(page.locator("#id_reason")).to_have_value("spring cleaning")
    page.get_by_role("button", name="Renew the token").click()
    expect(page).to_have_url(TOKEN_PAGE)
    take_key(page)
    assert drafts(page) == "{}"


@pytest.fixture
def lead(live: Live, new_context: Callable[..., BrowserContext]) -> Page:
    page = new_context().new_page()
    live.sign_in(page, "lead@example.com")
    return page


def test_a_hand_over_survives_a_sign_in_in_between(live: Live, engineer: Page, lead: Page) -> None:
    request_token(engineer)
    take_key(engineer)
    lead.goto(engineer.url)
    open_act(lead, "Hand over…")
    lead.get_by_label("New owner", exact=True).select_option("teammate@example.com")
    lead.locator("#hand-over-reason").fill("moves to other work")
    end_session(lead)
    lead.get_by_role("button", name="Ask them to own it").click()
    sign_in_again(live, lead, "lead@example.com")

    unsent(lead, "Not handed over yet: hand it over now?")
    expect_chosen(lead, "New owner", "teammate@example.com")
    expect(lead.locator("#hand-over-reason")).to_have_value("moves to other work")
    lead.get_by_role("button", name="Ask them to own it").click()
    expect(lead.get_by_role("heading", name="Offered to teammate@example.com")).to_be_visible()
    assert drafts(lead) == "{}"
    lead.get_by_role("button", name="Take the offer back").click()
    open_act(lead, "Hand over…")
    expect(lead.locator("#hand-over-reason")).to_have_value("")
    expect(lead.get_by_text("Not handed over yet")).to_have_count(0)


@pytest.mark.usefixtures("approval_is_asked")
@pytest.mark.parametrize("place", ["the token's page", "the desk"])
def test_an_answer_survives_a_sign_in_in_between(
    live: Live, engineer: Page, lead: Page, place: str
) -> None:
    name = request_token(engineer, reason="nightly deploys")
    address = engineer.url
    lead.goto(address if place == "the token's page" else f"{live.url}/team/platform/")
    if place == "the token's page":
        lead.get_by_label("Shorten to").fill("1800")
        approve = lead.get_by_role("button", name="Approve", exact=True)
    else:
        lead.locator("li.panel").filter(has_text=name).get_by_label("Shorten to").fill("1800")
        approve = lead.get_by_role("button", name=f"Approve {name}")
    end_session(lead)
    approve.click()
    sign_in_again(live, lead, "lead@example.com")

    expect(lead).to_have_url(address)
    expect_state(lead, "awaiting_approval")
    unsent(lead, "Not approved yet: approve now?")
    expect(lead.get_by_label("Shorten to")).to_have_value("1800")

    lead.get_by_text("Deny…").click()
    lead.get_by_label("Reason", exact=True).fill("use the viewer account")
    end_session(lead)
    lead.get_by_role("button", name="Deny this request").click()
    sign_in_again(live, lead, "lead@example.com")
    unsent(lead, "Not denied yet: deny now?")
    expect(lead.get_by_label("Reason", exact=True)).to_have_value("use the viewer account")
    lead.get_by_role("button", name="Deny this request").click()
    expect(lead.get_by_text(f"Denied: {name}")).to_be_visible()


def test_ending_many_survives_a_sign_in_in_between(live: Live, engineer: Page, lead: Page) -> None:
    names = []
    for _ in range(2):
        names.append(request_token(engineer))
        take_key(engineer)
    desk = f"{live.url}/team/platform/"
    lead.goto(f"{desk}?q={names[0][:11]}")
    for name in names:
        lead.get_by_label(f"Choose {name}").check()
    end_session(lead)
    lead.get_by_role("button", name="Revoke the chosen…").click()
    sign_in_again(live, lead, "lead@example.com")

    expect(lead).to_have_url(desk)
    again = lead.locator("[data-end-again]")
    expect(again).to_contain_text("Nothing has ended yet. You had chosen 2 tokens.")
    again.get_by_role("button", name="Review it again…").click()
    expect(lead.get_by_role("heading", name="Revoke 2 tokens?")).to_be_visible()
    lead.get_by_label("Reason").fill("nobody needs them")
    end_session(lead)
    lead.get_by_role("button", name="Revoke 2 tokens").click()
    sign_in_again(live, lead, "lead@example.com")

    expect(again).to_contain_text("2 tokens, because: “nobody needs them”.")
    again.get_by_role("button", name="Review it again…").click()
    expect(lead.get_by_label("Reason")).to_have_value("nobody needs them")
    lead.get_by_role("button", name="Revoke 2 tokens").click()
    expect(lead.get_by_text("All 2 ended.")).to_be_visible()
    lead.goto(desk)
    expect(again).to_be_hidden()
    assert drafts(lead) == "{}"


@pytest.mark.usefixtures("approval_is_asked")
def test_a_collection_survives_a_sign_in_in_between(
    live: Live, signed_in: Page, lead: Page
) -> None:
    page = signed_in
    request_token(page)
    lead.goto(page.url)
    lead.get_by_role("button", name="Approve", exact=True).click()
    expect(lead.get_by_text("Approved:")).to_be_visible()
    collect = page.get_by_role("button", name="Make my key now")
    expect(collect).to_be_enabled()
    end_session(page)
    collect.click()
    sign_in_again(live, page)
    unsent(page, "Nothing was made yet: make your key now?")
    expect(collect).to_be_enabled()
    collect.click()
    assert live.answers_to(take_key(page)) == 200


# -- Without a sign-in ----------------------------------------------------------------------------


def test_a_reload_brings_back_what_was_typed_and_one_may_start_afresh(signed_in: Page) -> None:
    page = signed_in
    open_form(page)
    fill_in(page, "half typed", account="status-page", lifetime="7 days", reason="a wall screen")
    page.reload()
    note = page.get_by_role("status").filter(has_text="What you typed earlier is back.")
    expect(note).to_be_visible()
    expect_chosen(page, "Service account", "status-page")
    expect(page.get_by_label("Name", exact=True)).to_have_value("half typed")
    expect(page.get_by_label("Lifetime", exact=True)).to_have_value("7d")
    note.get_by_role("button", name="Start over").click()
    expect(page.get_by_label("What uses it")).to_have_value("")
    expect(note).to_have_count(0)
    assert drafts(page) == "{}"


def test_what_a_link_says_beats_a_draft(live: Live, signed_in: Page) -> None:
    page = signed_in
    open_form(page)
    fill_in(page, "half typed", reason="a wall screen")
    link = {"workspace": STAGING, "name": "from-a-link", "seconds_to_live": "5400"}
    page.goto(f"{live.url}/tokens/new/?{urlencode(link)}")
    expect_chosen(page, "Workspace", "observability-staging")
    expect(page.get_by_label("Name", exact=True)).to_have_value("from-a-link")
    expect(page.get_by_label("Lifetime", exact=True)).to_have_value("5400")
    expect(page.get_by_label("What uses it")).to_have_value("")
    page.get_by_label("What uses it").fill("changed by hand")
    page.get_by_label("Name", exact=True).fill("changed-by-hand")
    page.reload()
    expect(page.get_by_label("Name", exact=True)).to_have_value("changed-by-hand")
    expect(page.get_by_label("What uses it")).to_have_value("changed by hand")


def test_an_answer_with_errors_stays_as_it_is(signed_in: Page, watch: Watch) -> None:
    watch.expect_status(422)
    page = signed_in
    open_form(page)
    fill_in(page, "x" * 129, reason="kept <as> typed")
    page.get_by_role("button", name="Request token").click()
    expect(page.get_by_role("alert").filter(has_text="One thing needs")).to_be_focused()
    expect(page.get_by_text("Not requested yet")).to_have_count(0)
    expect(page.get_by_label("What uses it")).to_have_value("kept <as> typed")
    page.goto(page.url)
    expect(page.get_by_label("What uses it")).to_have_value("kept <as> typed")
    expect(page.get_by_text("Not requested yet")).to_have_count(0)


def test_a_request_without_an_answer_is_not_called_unsent(
    live: Live, signed_in: Page, watch: Watch
) -> None:
    watch.expect("net::ERR_")
    page = signed_in
    open_form(page)
    fill_in(page, new_name(), reason="nightly build")
    page.route("**/tokens/new/", lambda route: route.abort())
    page.get_by_role("button", name="Request token").click()
    expect(page).to_have_url(re.compile("chrome-error:"))
    page.unroute("**/tokens/new/")
    page.goto(f"{live.url}/tokens/new/")
    note = page.get_by_role("status").filter(has_text="no answer came")
    expect(note).to_be_visible()
    expect(page.get_by_label("What uses it")).to_have_value("nightly build")


# -- What a draft must not hold, and when it is gone ----------------------------------------------


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(KEY, id="a Grafana key"),
        pytest.param("-----BEGIN PRIVATE KEY-----\nMIIEvQ", id="a private key"),
        pytest.param("c0ffee" * 10 + "beef", id="a fingerprint"),
        pytest.param("MIIBojANBgkq" * 40, id="a public key"),
    ],
)
def test_a_draft_holds_no_secret(signed_in: Page, secret: str) -> None:
    page = signed_in
    open_form(page)
    fill_in(page, "kept-name", reason=f"see {secret}")
    kept = drafts(page)
    assert "kept-name" in kept
    assert secret[:20] not in kept
    assert "reason" not in kept
    page.reload()
    expect(page.get_by_label("Name", exact=True)).to_have_value("kept-name")
    expect(page.get_by_label("What uses it")).to_have_value("")


def test_a_draft_holds_no_key_pair_and_no_form_token(live: Live, signed_in: Page) -> None:
    page = signed_in
    open_form(page)
    fill_in(page, new_name())
    expect(page.get_by_text("Sealed to this browser")).to_be_visible()
    end_session(page)
    page.get_by_role("button", name="Request token").click()
    expect(page).to_have_url(re.compile("/accounts/login/"))
    kept = drafts(page)
    assert "dashboards-ci" in kept or "seconds_to_live" in kept
    for name in ("csrfmiddlewaretoken", "public_key", "password", "fingerprint"):
        assert name not in kept


def test_a_pasted_key_and_a_password_are_in_no_draft(live: Live, page: Page, lead: Page) -> None:
    lead.goto(f"{live.url}/audit/find/")
    lead.get_by_label("The key").fill(KEY)
    lead.goto(f"{live.url}/accounts/password/change/")
    lead.get_by_label("Current password").fill("correct horse")
    assert drafts(lead) == "{}"
    page.goto(f"{live.url}/accounts/login/")
    page.get_by_label("Email").fill("engineer@example.com")
    page.get_by_label("Password").fill("correct horse")
    assert web_storage(page) == {}


def test_signing_out_forgets_every_draft(live: Live, signed_in: Page) -> None:
    page = signed_in
    open_form(page)
    fill_in(page, "half typed", reason="words of mine")
    end_session(page)
    page.get_by_role("button", name="Request token").click()
    sign_in_again(live, page)
    assert "half typed" in drafts(page)
    page.locator("summary").filter(has_text="@example.com").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{live.url}/accounts/login/")
    left = web_storage(page)
    assert all(key.startswith("last-request:") for key in left), "choices stay, and nothing typed"
    assert "words of mine" not in str(left)


def test_another_person_finds_none_of_it(live: Live, signed_in: Page) -> None:
    page = signed_in
    open_form(page)
    fill_in(page, "half typed", reason="mine alone")
    end_session(page)
    page.get_by_role("button", name="Request token").click()
    sign_in_again(live, page, "teammate@example.com")
    expect(page).to_have_url(f"{live.url}/tokens/new/")
    expect(page.get_by_label("Name", exact=True)).not_to_have_value("half typed")
    expect(page.get_by_label("What uses it")).to_have_value("")
    expect(page.get_by_text("Not requested yet")).to_have_count(0)


def test_a_draft_is_forgotten_after_a_week(signed_in: Page) -> None:
    page = signed_in
    open_form(page)
    fill_in(page, "half typed", reason="long ago")
    page.evaluate(
        """() => {
          const [key] = Object.keys(localStorage).filter((one) => one.startsWith("draft:"));
          const draft = JSON.parse(localStorage[key]);
          localStorage[key] = JSON.stringify({ ...draft, at: draft.at - 7.01 * 24 * 36e5 });
        }"""
    )
    page.reload()
    expect(page.get_by_label("What uses it")).to_have_value("")
    assert drafts(page) == "{}"


def test_without_storage_a_form_works_all_the_same(live: Live, signed_in: Page) -> None:
    page = signed_in
    page.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage'])"
        "  Object.defineProperty(window, name, { get() { throw new DOMException('blocked') } })"
    )
    request_token(page)
    assert live.answers_to(take_key(page)) == 200


def test_djangos_own_forms_survive_a_sign_in_too(
    live: Live, new_context: Callable[..., BrowserContext]
) -> None:
    page = new_context().new_page()
    live.sign_in(page, "admin@example.com")
    page.goto(f"{live.url}/admin/portal/team/")
    page.get_by_role("link", name="mobile").click()
    address = page.url
    page.locator("#id_idp_groups").fill("grafana-mobile")
    end_session(page)
    page.locator("[name=_save]").click()
    sign_in_again(live, page, "admin@example.com")
    expect(page).to_have_url(address)
    expect(page.get_by_text("This has not been sent yet: send it now?")).to_be_visible()
    expect(page.locator("#id_idp_groups")).to_have_value("grafana-mobile")
    page.locator("#id_idp_groups").fill("")
    page.locator("[name=_save]").click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert drafts(page) == "{}"
