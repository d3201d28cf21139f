"""Who may agree to a request, and what becomes of it."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from portal import policy
from portal.flows.approve import approve, deny
from portal.flows.collect import collect
from portal.flows.issue import issue
from portal.flows.request import TokenRequest, request
from portal.flows.revoke import cancel
from portal.life import WrongStateError
from portal.models import (
    Action,
    Approval,
    AuditEvent,
    Grant,
    Membership,
    Role,
    ServiceAccount,
    State,
    Team,
    Token,
    User,
)
from portal.scheduler import run_all as sweep
from tests.conftest import Catalog, acting
from tests.grafana.sandbox_process import SandboxProcess
from tests.person import KeyPair

pytestmark = pytest.mark.django_db


@pytest.fixture
def wish(catalog: Catalog, platform: Team, keys: KeyPair) -> TokenRequest:
    Grant.objects.update(approval=Approval.ALWAYS)
    der = base64.b64decode(keys.public)
    return TokenRequest(platform, catalog.admin_account, "ci", 86_400, "nightly deploys", der)


@pytest.fixture
def asked(wish: TokenRequest, engineer: User, lead: User) -> Token:
    token, _, _ = request(wish, actor=acting(engineer))
    return token


def told(token: Token) -> list[tuple[str, str]]:
    return sorted(token.notices.values_list("kind", "recipient__email"))


def actions(token: Token) -> list[str]:
    events = AuditEvent.objects.filter(token_id=token.pk).order_by("seq")
    return list(events.values_list("action", flat=True))


# -- Asking -------------------------------------------------------------------------------------


def test_a_request_that_policy_asks_about_waits_and_its_leads_are_told(asked: Token) -> None:
    asked.refresh_from_db()
    assert asked.state == State.AWAITING_APPROVAL
    assert bytes(asked.public_key) == b"", "the key pair is made when the token is"
    assert told(asked) == [("approval_asked", "lead@example.com")]


def test_without_a_lead_the_admins_are_asked(
    wish: TokenRequest, engineer: User, admin: User
) -> None:
    token, _, _ = request(wish, actor=acting(engineer))
    assert told(token) == [("approval_asked", "admin@example.com")]


def test_a_double_click_asks_once(wish: TokenRequest, engineer: User, lead: User) -> None:
    first, _, _ = request(wish, actor=acting(engineer))
    second, is_new, _ = request(wish, actor=acting(engineer))
    assert (second, is_new) == (first, False)
    assert told(first) == [("approval_asked", "lead@example.com")]


def test_only_admin_accounts_are_asked_about_where_the_grant_says_so(
    wish: TokenRequest, catalog: Catalog, engineer: User
) -> None:
    Grant.objects.update(approval=Approval.ADMIN_ROLE)
    harmless = replace(wish, service_account=catalog.deployer, name="harmless")
    states = [request(one, actor=acting(engineer))[0].state for one in (wish, harmless)]
    assert states == [State.AWAITING_APPROVAL, State.QUEUED]


# -- Answering ----------------------------------------------------------------------------------


def test_an_approved_request_waits_for_its_owner_who_is_told(asked: Token, lead: User) -> None:
    approve(asked.pk, actor=acting(lead), seconds_to_live=3600, reason="as agreed")
    asked.refresh_from_db()
    assert (asked.state, asked.seconds_to_live) == (State.AWAITING_RECIPIENT, 3600)
    assert asked.approved_by == "lead@example.com"
    assert asked.approved_at is not None
    assert ("approved", "engineer@example.com") in told(asked)
    event = AuditEvent.objects.get(action=Action.TOKEN_APPROVED)
    assert (event.actor, event.seconds_to_live, event.reason) == (lead.email, 3600, "as agreed")


@pytest.mark.parametrize("seconds", [None, 86_401, 2_592_000])
def test_an_approval_never_lengthens(asked: Token, lead: User, seconds: int | None) -> None:
    approve(asked.pk, actor=acting(lead), seconds_to_live=seconds)
    asked.refresh_from_db()
    assert asked.seconds_to_live == 86_400


def test_a_denied_request_is_over_and_its_owner_is_told_why(asked: Token, lead: User) -> None:
    deny(asked.pk, actor=acting(lead), reason="use the viewer account")
    asked.refresh_from_db()
    assert (asked.state, asked.ended_by) == (State.DENIED, "lead@example.com")
    assert asked.end_reason == "use the viewer account"
    [notice] = asked.notices.filter(kind="denied")
    assert (notice.recipient, notice.reason) == (asked.owner, "use the viewer account")
    assert actions(asked) == [Action.TOKEN_REQUESTED, Action.TOKEN_DENIED]


ANSWERS: dict[str, Callable[[Token, User], Any]] = {
    "approve": lambda token, user: approve(token.pk, actor=acting(user)),
    "deny": lambda token, user: deny(token.pk, actor=acting(user), reason="no"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("who", ["engineer", "teammate", "outsider", "auditor", "admin"])
def test_with_a_lead_in_the_team_nobody_else_answers(
    asked: Token, request: pytest.FixtureRequest, who: str, answer: Callable[[Token, User], Any]
) -> None:
    with pytest.raises(PermissionDenied):
        answer(asked, request.getfixturevalue(who))
    asked.refresh_from_db()
    assert asked.state == State.AWAITING_APPROVAL


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("first", ANSWERS.values(), ids=ANSWERS)
def test_the_second_answer_comes_too_late(
    asked: Token,
    lead: User,
    first: Callable[[Token, User], Any],
    answer: Callable[[Token, User], Any],
) -> None:
    first(asked, lead)
    with pytest.raises(WrongStateError):
        answer(asked, lead)
    assert len(actions(asked)) == 2


# -- Whose own request it is --------------------------------------------------------------------


def own_request(wish: TokenRequest, person: User) -> Token:
    token, _, _ = request(replace(wish, name="own"), actor=acting(person))
    return token


def second_lead(platform: Team) -> User:
    user = User.objects.create_user("second@example.com")
    Membership.objects.create(user=user, team=platform, role=Role.LEAD)
    return user


@pytest.mark.parametrize("self_approval", [False, True])
def test_a_lead_among_others_never_approves_their_own(
    wish: TokenRequest, platform: Team, lead: User, admin: User, self_approval: bool
) -> None:
    other = second_lead(platform)
    Grant.objects.update(self_approval=self_approval)
    token = own_request(wish, lead)
    assert told(token) == [("approval_asked", "second@example.com")]
    for person in (lead, admin):
        with pytest.raises(PermissionDenied):
            approve(token.pk, actor=acting(person))
    approve(token.pk, actor=acting(other))


def test_the_only_lead_approves_their_own_where_the_grant_allows_it(
    wish: TokenRequest, lead: User
) -> None:
    token = own_request(wish, lead)
    with pytest.raises(PermissionDenied):
        approve(token.pk, actor=acting(lead))
    Grant.objects.update(self_approval=True)
    approve(token.pk, actor=acting(lead))
    token.refresh_from_db()
    assert token.state == State.AWAITING_RECIPIENT


def test_the_only_leads_request_is_for_the_admins(
    wish: TokenRequest, lead: User, admin: User
) -> None:
    token = own_request(wish, lead)
    assert told(token) == [("approval_asked", "admin@example.com")]
    approve(token.pk, actor=acting(admin))


def test_a_lead_who_may_no_longer_sign_in_is_no_other_lead(
    wish: TokenRequest, platform: Team, engineer: User, lead: User, admin: User
) -> None:
    lead.is_active = False
    lead.save()
    token, _, _ = request(wish, actor=acting(engineer))
    assert told(token) == [("approval_asked", "admin@example.com")]
    approve(token.pk, actor=acting(admin))


@pytest.mark.parametrize("self_approval", [False, True])
@pytest.mark.parametrize("leads", [0, 1, 2])
def test_the_list_of_requests_is_what_one_may_answer(
    wish: TokenRequest,
    platform: Team,
    engineer: User,
    lead: User,
    admin: User,
    teammate: User,
    outsider: User,
    leads: int,
    self_approval: bool,
) -> None:
    """The list is one question to the database, and the right another: they must agree."""
    Grant.objects.update(self_approval=self_approval)
    Membership.objects.create(user=admin, team=platform)
    if leads == 0:
        lead.memberships.update(role=Role.MEMBER)
    everybody = [engineer, lead, admin, teammate, outsider]
    if leads == 2:
        everybody.append(second_lead(platform))
    tokens = [own_request(replace(wish), one) for one in (engineer,)]
    tokens += [
        request(replace(wish, name=f"of-{one.pk}"), actor=acting(one))[0] for one in (lead, admin)
    ]
    for person in everybody:
        listed = set(policy.approvable_tokens(person))
        assert listed == {token for token in tokens if policy.may_approve(person, token)}
    assert any(policy.approvable_tokens(person) for person in everybody)


# -- Waiting too long ---------------------------------------------------------------------------


def test_a_request_that_nobody_answers_lapses_after_seven_days(asked: Token) -> None:
    week = timedelta(days=7)
    Token.objects.update(state_at=timezone.now() - week + timedelta(minutes=1))
    assert sweep().changed == []
    Token.objects.update(state_at=timezone.now() - week - timedelta(minutes=1))
    assert sweep().changed == [asked.pk]
    asked.refresh_from_db()
    assert (asked.state, asked.ended_by) == (State.CANCELLED, "portal")
    assert ("lapsed", "engineer@example.com") in told(asked)
    assert actions(asked) == [Action.TOKEN_REQUESTED, Action.TOKEN_CANCELLED]


def test_what_was_approved_and_never_collected_lapses_and_both_are_told(
    asked: Token, lead: User
) -> None:
    approve(asked.pk, actor=acting(lead))
    Token.objects.update(state_at=timezone.now() - timedelta(days=7, minutes=1))
    sweep()
    asked.refresh_from_db()
    assert asked.state == State.CANCELLED
    both = {email for kind, email in told(asked) if kind == "lapsed"}
    assert both == {"engineer@example.com", "lead@example.com"}


def test_a_withdrawn_request_can_no_longer_be_approved(
    asked: Token, engineer: User, lead: User
) -> None:
    cancel(asked.pk, actor=acting(engineer))
    with pytest.raises(WrongStateError):
        approve(asked.pk, actor=acting(lead))


# -- What was approved --------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"grafana_role": "EDITOR"}, {"name": "renamed"}])
def test_an_account_that_changed_after_the_approval_is_asked_about_again(
    asked: Token,
    engineer: User,
    lead: User,
    catalog: Catalog,
    keys: KeyPair,
    change: dict[str, str],
) -> None:
    approve(asked.pk, actor=acting(lead))
    ServiceAccount.objects.filter(pk=asked.service_account_id).update(**change)
    public_key = base64.b64decode(keys.public)
    assert collect(asked.pk, public_key, actor=acting(engineer)).state == State.AWAITING_APPROVAL
    asked.refresh_from_db()
    assert (asked.approved_by, asked.approved_at) == ("", None)
    assert actions(asked)[-1] == Action.TOKEN_REQUESTED
    approve(asked.pk, actor=acting(lead))
    assert collect(asked.pk, public_key, actor=acting(engineer)).state == State.QUEUED


def test_an_account_that_changed_while_the_approved_request_was_queued_is_asked_about_again(
    asked: Token, engineer: User, lead: User, aws: SandboxProcess, keys: KeyPair
) -> None:
    approve(asked.pk, actor=acting(lead))
    collect(asked.pk, base64.b64decode(keys.public), actor=acting(engineer))
    ServiceAccount.objects.filter(pk=asked.service_account_id).update(name="renamed")
    issue(asked.pk)
    asked.refresh_from_db()
    assert asked.state == State.AWAITING_APPROVAL
    assert aws.calls("CreateWorkspaceServiceAccountToken") == []


def test_what_a_former_version_approved_stays_approved(
    asked: Token, engineer: User, lead: User, keys: KeyPair
) -> None:
    """It kept neither the account's name nor its role."""
    approve(asked.pk, actor=acting(lead))
    Token.objects.update(approved_account="", approved_role="")
    collected = collect(asked.pk, base64.b64decode(keys.public), actor=acting(engineer))
    assert collected.state == State.QUEUED
