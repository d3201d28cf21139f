"""Who loses access loses it at once: what was asked for ends, what was delivered is listed."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from portal import policy
from portal.audit import SYSTEM
from portal.flows.end_access import end_access
from portal.models import (
    Action,
    AuditEvent,
    Grant,
    Membership,
    Notice,
    NoticeKind,
    State,
    Team,
    Token,
    User,
)
from portal.scheduler import run_all as sweep
from tests.conftest import Catalog, acting

pytestmark = pytest.mark.django_db


def leave(owner: User) -> None:
    owner.memberships.all().delete()


def may_not_sign_in(owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(is_active=False)


def close_team(owner: User) -> None:
    Team.objects.filter(memberships__user=owner).update(closed_at=timezone.now())


def end_grant(owner: User) -> None:
    Grant.objects.filter(team__memberships__user=owner).delete()


def suspend_grant(owner: User) -> None:
    [token] = Token.objects.filter(owner=owner)
    Grant.objects.create(
        team=token.team,
        workspace=token.workspace,
        service_account=token.service_account,
        suspended_at=timezone.now(),
    )


LOSSES: dict[Callable[[User], None], str] = {
    leave: "engineer@example.com is no longer in team Platform.",
    may_not_sign_in: "The account of engineer@example.com was closed.",
    close_team: "Team Platform was closed.",
    end_grant: "Team Platform has no grant for the service account",
    suspend_grant: "The grant of team Platform for this service account is suspended until an",
}


@pytest.fixture
def token(make_token: Callable[..., Token], engineer: User) -> Token:
    return make_token(engineer)


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__)
def test_an_open_request_is_cancelled_whatever_took_the_access_away(
    token: Token, engineer: User, lose: Callable[[User], None]
) -> None:
    assert end_access().changed == []
    lose(engineer)
    ended = end_access()
    token.refresh_from_db()
    assert (ended.changed, ended.revoke) == ([token.pk], [])
    assert (token.state, token.ended_by) == (State.CANCELLED, "portal")
    assert token.end_reason.startswith(LOSSES[lose])
    event = AuditEvent.objects.get(action=Action.TOKEN_CANCELLED)
    assert (event.token_id, event.reason) == (token.pk, token.end_reason)
    assert end_access().changed == []


@pytest.mark.parametrize(
    ("before", "after", "action"),
    [
        (State.AWAITING_APPROVAL, State.CANCELLED, Action.TOKEN_CANCELLED),
        (State.AWAITING_RECIPIENT, State.CANCELLED, Action.TOKEN_CANCELLED),
        (State.QUEUED, State.CANCELLED, Action.TOKEN_CANCELLED),
        (State.ISSUING, State.ISSUING, Action.TOKEN_CANCELLED),
        (State.SEALED, State.REVOKING, Action.TOKEN_REVOKE_REQUESTED),
    ],
)
def test_what_was_not_delivered_ends(
    make_token: Callable[..., Token], engineer: User, before: State, after: State, action: Action
) -> None:
    columns: dict[State, dict[str, Any]] = {
        State.ISSUING: {"lease_until": timezone.now()},
        State.SEALED: {"sealed_key": b"ciphertext", "sealed_at": timezone.now()},
    }
    token = make_token(engineer, state=before, **columns.get(before, {}))
    leave(engineer)
    ended = end_access(actor=SYSTEM)
    token.refresh_from_db()
    assert (token.state, token.sealed_key) == (after, None)
    assert token.cancel_requested == (before == State.ISSUING)
    assert (token.pk in ended.revoke) == (before == State.SEALED)
    assert AuditEvent.objects.get(token_id=token.pk).action == action
    assert end_access().changed == []


@pytest.mark.parametrize("state", [State.ACTIVE, State.REVOKING, State.EXPIRED, State.FAILED])
def test_what_was_delivered_or_has_ended_stays_for_people_to_decide(
    make_token: Callable[..., Token], engineer: User, state: State
) -> None:
    token = make_token(engineer, state=state)
    leave(engineer)
    assert end_access().changed == []
    assert list(policy.without_access()) == [token]


def test_the_owner_is_told_why(
    make_token: Callable[..., Token], engineer: User, admin: User
) -> None:
    make_token(engineer, name="asked")
    make_token(engineer, name="made", state=State.SEALED, sealed_key=b"ciphertext")
    leave(engineer)
    end_access(actor=acting(admin))
    told = {notice.token.name: notice for notice in Notice.objects.filter(recipient=engineer)}
    assert {name: notice.kind for name, notice in told.items()} == {
        "asked": NoticeKind.LAPSED,
        "made": NoticeKind.REVOKED,
    }
    assert told["made"].by == "admin@example.com"
    assert told["made"].reason == "engineer@example.com is no longer in team Platform."


def test_nobody_elses_is_touched(
    make_token: Callable[..., Token],
    engineer: User,
    teammate: User,
    outsider: User,
    catalog: Catalog,
) -> None:
    theirs = [
        make_token(teammate),
        make_token(outsider, service_account=catalog.mobile_account),
    ]
    mine = make_token(engineer)
    leave(engineer)
    assert end_access().changed == [mine.pk]
    assert set(Token.objects.filter(state=State.QUEUED)) == set(theirs)


def test_who_is_moved_to_another_team_loses_what_was_asked_for_the_first(
    token: Token, engineer: User, mobile: Team
) -> None:
    leave(engineer)
    Membership.objects.create(user=engineer, team=mobile)
    assert end_access().changed == [token.pk]


def test_the_sweep_ends_what_whoever_took_the_access_away_did_not(
    token: Token, engineer: User
) -> None:
    leave(engineer)
    assert token.pk in sweep().changed
    token.refresh_from_db()
    assert token.state == State.CANCELLED


def test_the_question_to_the_database_and_the_rule_agree(
    make_token: Callable[..., Token],
    engineer: User,
    catalog: Catalog,
    platform: Team,
) -> None:
    """For every mix of grants, suspended or not, ``without_access`` answers as ``limits_for``."""
    make_token(engineer)
    scopes: list[dict[str, Any]] = [
        {},
        {"workspace": catalog.workspace},
        {"workspace": catalog.workspace, "service_account": catalog.deployer},
    ]
    for mix in range(2 ** len(scopes)):
        for suspended_at in (None, timezone.now()):
            Grant.objects.filter(team=platform).delete()
            for number, scope in enumerate(scopes):
                if mix >> number & 1:
                    grant = Grant.objects.create(team=platform, **scope)
                    if grant.service_account:
                        Grant.objects.filter(pk=grant.pk).update(suspended_at=suspended_at)
            has_limits = policy.limits_for(engineer, platform, catalog.deployer) is not None
            assert policy.without_access().exists() != has_limits
