"""Find by key: the SHA-256 of a leaked key leads to its token, for whoever may know of it."""

from collections.abc import Callable

import pytest
from django.test import Client

from portal import sealing
from portal.models import AuditEvent, Notice, NoticeKind, State, Token, User
from tests.conftest import Catalog
from tests.views.conftest import KEY, Post

pytestmark = pytest.mark.django_db

FINGERPRINT = sealing.fingerprint(KEY)


@pytest.fixture
def leaked(make_token: Callable[..., Token], engineer: User) -> Token:
    """The engineer's live token, whose key is KEY."""
    return make_token(
        engineer, name="ci-leaked", state=State.ACTIVE, fingerprint=FINGERPRINT, aws_token_id="17"
    )


def ask(
    post: Post, sign_in: Callable[[User], Client], user: User, fingerprint: str = FINGERPRINT
) -> tuple[int, str]:
    answer = post(sign_in(user), "/audit/find/", fingerprint=fingerprint)
    return answer.status_code, answer.content.decode()


@pytest.mark.parametrize("who", ["auditor", "admin", "lead"])
def test_auditors_admins_and_its_lead_learn_whose_token_it_is(
    leaked: Token,
    post: Post,
    sign_in: Callable[[User], Client],
    request: pytest.FixtureRequest,
    who: str,
) -> None:
    status, html = ask(post, sign_in, request.getfixturevalue(who))
    assert status == 200
    for said in ("ci-leaked", "engineer@example.com", "Platform", "deployer", "observability"):
        assert said in html
    assert 'data-state="active"' in html


@pytest.mark.parametrize("who", ["engineer", "teammate"])
def test_its_owner_and_their_team_learn_it_too(
    leaked: Token,
    post: Post,
    sign_in: Callable[[User], Client],
    request: pytest.FixtureRequest,
    who: str,
) -> None:
    user: User = request.getfixturevalue(who)
    status, html = ask(post, sign_in, user)
    assert (status, "ci-leaked" in html) == (200, True)
    assert (f'action="/tokens/{leaked.pk}/revoke/"' in html) is (who == "engineer")


def test_who_finds_a_key_of_others_has_them_told_and_learns_nothing(
    leaked: Token,
    post: Post,
    sign_in: Callable[[User], Client],
    outsider: User,
    lead: User,
    admin: User,
) -> None:
    for _ in range(2):
        status, html = ask(post, sign_in, outsider)
        assert (status, "Its owner has been told" in html) == (200, True)
        for secret in ("ci-leaked", "engineer@", "lead@", "deployer", "Platform"):
            assert secret not in html
    told = Notice.objects.filter(kind=NoticeKind.KEY_FOUND)
    assert {one.recipient for one in told} == {leaked.owner, lead, admin}
    assert told.count() == 3, "once"
    event = AuditEvent.objects.get(action="access.changed")
    assert (event.token_id, event.actor) == (leaked.pk, outsider.email)
    assert event.subject == "! token ci-leaked: its key was found by outsider@example.com"
    assert FINGERPRINT not in event.subject


def test_a_key_of_nobody_tells_nobody(
    leaked: Token, post: Post, sign_in: Callable[[User], Client], outsider: User
) -> None:
    status, html = ask(post, sign_in, outsider, "0" * 64)
    assert (status, "No token of this portal has this key" in html) == (200, True)
    assert not Notice.objects.exists()


def test_the_anonymous_are_sent_to_sign_in(leaked: Token, post: Post) -> None:
    assert Client().get("/audit/find/").status_code == 302
    assert post(Client(), "/audit/find/", fingerprint=FINGERPRINT).status_code == 302


@pytest.mark.parametrize(("who", "may"), [("admin", True), ("lead", True), ("auditor", False)])
def test_one_button_ends_it_for_whoever_may(
    leaked: Token,
    post: Post,
    sign_in: Callable[[User], Client],
    request: pytest.FixtureRequest,
    lead: User,
    who: str,
    may: bool,
) -> None:
    user: User = request.getfixturevalue(who)
    _, html = ask(post, sign_in, user)
    assert (f'action="/tokens/{leaked.pk}/revoke/"' in html) is may
    if not may:
        assert "lead@example.com" in html, "who can"


@pytest.mark.parametrize("state", [State.REVOKED, State.EXPIRED])
def test_a_token_that_has_ended_is_found_and_has_no_button(
    make_token: Callable[..., Token],
    post: Post,
    sign_in: Callable[[User], Client],
    engineer: User,
    admin: User,
    state: State,
) -> None:
    make_token(engineer, name="ci-old", state=state, fingerprint=FINGERPRINT)
    _, html = ask(post, sign_in, admin)
    assert "ci-old" in html
    assert "The key no longer works" in html
    assert "/revoke/" not in html


def test_no_match_says_what_that_means_and_what_to_do(
    leaked: Token, post: Post, sign_in: Callable[[User], Client], auditor: User
) -> None:
    status, html = ask(post, sign_in, auditor, "0" * 64)
    assert status == 200
    assert "No token of this portal has this key" in html
    assert "treat it as live" in html
    assert "AWS console" in html


@pytest.mark.parametrize("wrong", ["", "x" * 64, "AB" * 32, "ab" * 31, KEY, " " * 64])
def test_what_is_no_fingerprint_is_refused_and_not_repeated(
    leaked: Token, post: Post, sign_in: Callable[[User], Client], auditor: User, wrong: str
) -> None:
    status, html = ask(post, sign_in, auditor, wrong)
    assert status == 422
    assert "ci-leaked" not in html
    assert not wrong.strip() or wrong not in html


def test_tokens_without_a_key_are_not_found(
    make_token: Callable[..., Token],
    post: Post,
    sign_in: Callable[[User], Client],
    engineer: User,
    auditor: User,
) -> None:
    make_token(engineer, name="ci-queued")
    status, html = ask(post, sign_in, auditor, "")
    assert (status, "ci-queued" in html) == (422, False)


def test_looking_it_up_needs_a_post(
    leaked: Token, sign_in: Callable[[User], Client], auditor: User
) -> None:
    """An address holds no fingerprint: what stands in one is not read."""
    answer = sign_in(auditor).get(f"/audit/find/?fingerprint={FINGERPRINT}")
    assert answer.status_code == 200
    assert b"ci-leaked" not in answer.content


def test_looking_it_up_needs_the_forms_token(leaked: Token, auditor: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(auditor)
    assert client.post("/audit/find/", {"fingerprint": FINGERPRINT}).status_code == 403


def test_the_page_has_no_field_that_could_send_a_key(
    sign_in: Callable[[User], Client], auditor: User
) -> None:
    html = sign_in(auditor).get("/audit/find/").content.decode()
    [textarea] = [part for part in html.split("<") if part.startswith("textarea")]
    assert " name=" not in textarea
    assert 'type="submit" class="button button-primary" disabled' in html, "until a script is ready"


def test_revoking_from_there_says_why(
    leaked: Token, post: Post, sign_in: Callable[[User], Client], lead: User, catalog: Catalog
) -> None:
    reason = "The key was found where it should not be."
    _, html = ask(post, sign_in, lead)
    assert f'value="{reason}"' in html
    post(sign_in(lead), f"/tokens/{leaked.pk}/revoke/", reason=reason)
    assert AuditEvent.objects.get(token_id=leaked.pk).reason == reason


@pytest.mark.parametrize("who", ["auditor", "admin", "lead", "engineer"])
def test_the_menu_leads_everybody_there(
    sign_in: Callable[[User], Client], request: pytest.FixtureRequest, who: str
) -> None:
    answer = sign_in(request.getfixturevalue(who)).get("/tokens/")
    assert b'href="/audit/find/"' in answer.content


@pytest.mark.parametrize(("who", "links"), [("auditor", True), ("admin", True), ("lead", False)])
def test_a_tokens_page_leads_auditors_to_its_story(
    leaked: Token,
    sign_in: Callable[[User], Client],
    request: pytest.FixtureRequest,
    who: str,
    links: bool,
) -> None:
    answer = sign_in(request.getfixturevalue(who)).get(f"/tokens/{leaked.pk}/")
    assert (f'href="/audit/tokens/{leaked.pk}/"'.encode() in answer.content) is links
