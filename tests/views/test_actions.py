"""Revoking a token and withdrawing a request: who may, when, and what it leaves behind."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from portal.models import AuditEvent, State, Team, Token, User
from tests.views.conftest import KEY, Post

pytestmark = pytest.mark.django_db

REVOCABLE = {State.SEALED, State.ACTIVE}
CANCELLABLE = {
    State.AWAITING_APPROVAL,
    State.AWAITING_RECIPIENT,
    State.QUEUED,
    State.ISSUING,
}
WHY = "left <the> laptop on a train"


@pytest.fixture
def in_state(make_token: Callable[..., Token], engineer: User) -> Callable[[State], Token]:
    def make(state: State) -> Token:
        lease = timezone.now() + timedelta(seconds=45) if state == State.ISSUING else None
        sealed_key = b"ciphertext" if state == State.SEALED else None
        return make_token(engineer, state=state, lease_until=lease, sealed_key=sealed_key)

    return make


def url(token: Token, action: str) -> str:
    return f"/tokens/{token.pk}/{action}/"


def person(request: pytest.FixtureRequest, name: str) -> User:
    user = request.getfixturevalue(name)
    assert isinstance(user, User)
    return user


# -- Who ----------------------------------------------------------------------------------------

ACTIONS = [("revoke", State.ACTIVE, State.REVOKING), ("cancel", State.QUEUED, State.CANCELLED)]


@pytest.mark.parametrize(("action", "before", "after"), ACTIONS)
@pytest.mark.parametrize("who", ["engineer", "lead", "admin"])
def test_the_owner_a_lead_and_an_admin_may(
    in_state: Callable[[State], Token],
    sign_in: Callable[[User], Client],
    post: Post,
    request: pytest.FixtureRequest,
    who: str,
    action: str,
    before: State,
    after: State,
) -> None:
    token = in_state(before)
    user = person(request, who)
    answer = post(sign_in(user), url(token, action), reason=WHY)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/tokens/{token.pk}/")
    token.refresh_from_db()
    assert (token.state, token.ended_by, token.end_reason) == (after, user.email, WHY)


@pytest.mark.parametrize(("action", "before", "after"), ACTIONS)
@pytest.mark.parametrize(
    ("who", "status"), [("teammate", 403), ("auditor", 403), ("outsider", 404)]
)
def test_others_may_not(
    in_state: Callable[[State], Token],
    sign_in: Callable[[User], Client],
    post: Post,
    enqueued: list[tuple[str, str]],
    request: pytest.FixtureRequest,
    who: str,
    status: int,
    action: str,
    before: State,
    after: State,
) -> None:
    token = in_state(before)
    client = sign_in(person(request, who))
    assert post(client, url(token, action), reason=WHY).status_code == status
    token.refresh_from_db()
    assert token.state == before
    assert (AuditEvent.objects.count(), enqueued) == (0, [])


def test_a_lead_of_a_closed_team_may_not(
    in_state: Callable[[State], Token],
    sign_in: Callable[[User], Client],
    post: Post,
    lead: User,
    platform: Team,
) -> None:
    token = in_state(State.ACTIVE)
    platform.closed_at = timezone.now()
    platform.save()
    assert post(sign_in(lead), url(token, "revoke")).status_code == 404


def test_an_owner_who_left_the_team_may_still_end_their_own(
    in_state: Callable[[State], Token],
    sign_in: Callable[[User], Client],
    post: Post,
    engineer: User,
) -> None:
    token = in_state(State.ACTIVE)
    engineer.memberships.all().delete()
    assert post(sign_in(engineer), url(token, "revoke")).status_code == 302


# -- What happens -------------------------------------------------------------------------------


@pytest.fixture
def owner(engineer: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(engineer)


def test_a_revoked_token_is_sent_to_a_worker_and_recorded(
    in_state: Callable[[State], Token],
    owner: Client,
    post: Post,
    enqueued: list[tuple[str, str]],
) -> None:
    token = in_state(State.ACTIVE)
    post(owner, url(token, "revoke"), reason=WHY)
    assert enqueued == [("portal.revoke", str(token.pk))]
    event = AuditEvent.objects.get()
    assert (event.action, event.reason) == ("token.revoke_requested", WHY)
    assert (event.actor, event.address) == ("engineer@example.com", "192.0.2.7")
    assert event.token_id == token.pk


def test_revoking_before_the_key_was_taken_wipes_it(
    in_state: Callable[[State], Token], owner: Client, post: Post
) -> None:
    token = in_state(State.SEALED)
    post(owner, url(token, "revoke"))
    token.refresh_from_db()
    assert (token.state, token.sealed_key) == (State.REVOKING, None)


def test_a_withdrawn_request_is_over_and_recorded(
    in_state: Callable[[State], Token],
    owner: Client,
    post: Post,
    enqueued: list[tuple[str, str]],
) -> None:
    token = in_state(State.QUEUED)
    post(owner, url(token, "cancel"), reason=WHY)
    event = AuditEvent.objects.get()
    assert (event.action, event.reason) == ("token.cancelled", WHY)
    assert enqueued == []


def test_a_request_that_aws_works_on_is_withdrawn_by_a_mark(
    in_state: Callable[[State], Token], owner: Client, post: Post
) -> None:
    token = in_state(State.ISSUING)
    assert post(owner, url(token, "cancel")).status_code == 302
    token.refresh_from_db()
    assert (token.state, token.cancel_requested) == (State.ISSUING, True)
    assert post(owner, url(token, "cancel")).status_code == 409, "once is enough"
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize("reason", ["r" * 501, "nul\0"])
def test_an_odd_reason_does_not_keep_a_token_alive(
    in_state: Callable[[State], Token], owner: Client, post: Post, reason: str
) -> None:
    token = in_state(State.ACTIVE)
    assert post(owner, url(token, "revoke"), reason=reason).status_code == 302
    token.refresh_from_db()
    assert token.state == State.REVOKING
    assert token.end_reason == reason.replace("\0", "")[:500]


def test_a_leaked_key_is_masked_in_the_reason_for_its_end(
    in_state: Callable[[State], Token], owner: Client, post: Post
) -> None:
    token = in_state(State.ACTIVE)
    post(owner, url(token, "revoke"), reason=f"{KEY} was in a ticket")
    token.refresh_from_db()
    assert token.end_reason == "glsa_(hidden) was in a ticket"
    assert AuditEvent.objects.get().reason == "glsa_(hidden) was in a ticket"


# -- Too early, too late ------------------------------------------------------------------------


@pytest.mark.parametrize("state", sorted(set(State) - REVOCABLE), ids=str)
def test_what_is_not_live_cannot_be_revoked(
    in_state: Callable[[State], Token], owner: Client, post: Post, state: State
) -> None:
    token = in_state(state)
    answer = post(owner, url(token, "revoke"), reason=WHY)
    assert (answer.status_code, AuditEvent.objects.count()) == (409, 0)
    token.refresh_from_db()
    assert token.state == state


@pytest.mark.parametrize("state", sorted(set(State) - CANCELLABLE), ids=str)
def test_what_has_a_token_cannot_be_withdrawn(
    in_state: Callable[[State], Token], owner: Client, post: Post, state: State
) -> None:
    token = in_state(state)
    answer = post(owner, url(token, "cancel"), reason=WHY)
    assert (answer.status_code, AuditEvent.objects.count()) == (409, 0)
    token.refresh_from_db()
    assert token.state == state


def test_who_comes_too_late_is_told_who_did_what_and_when(
    in_state: Callable[[State], Token],
    owner: Client,
    sign_in: Callable[[User], Client],
    lead: User,
    post: Post,
) -> None:
    token = in_state(State.QUEUED)
    post(sign_in(lead), url(token, "cancel"), reason=WHY)
    token.refresh_from_db()
    html = post(owner, url(token, "cancel")).content.decode()
    assert f"withdrawn by lead@example.com: {escape(WHY)}" in html
    assert token.state_at.strftime("%Y-%m-%d %H:%M") in html


# -- How ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["revoke", "cancel"])
def test_a_link_ends_nothing(
    in_state: Callable[[State], Token], owner: Client, action: str
) -> None:
    token = in_state(State.ACTIVE)
    for ask, status in ((owner.get, 302), (owner.head, 302), (owner.put, 405), (owner.delete, 405)):
        assert ask(url(token, action)).status_code == status
    token.refresh_from_db()
    assert token.state == State.ACTIVE


@pytest.mark.parametrize("action", ["revoke", "cancel"])
def test_a_form_of_another_site_ends_nothing(
    in_state: Callable[[State], Token], engineer: User, action: str
) -> None:
    token = in_state(State.ACTIVE if action == "revoke" else State.QUEUED)
    client = Client(enforce_csrf_checks=True)
    client.force_login(engineer)
    assert client.post(url(token, action)).status_code == 403
    assert not AuditEvent.objects.exists()
