"""A request is written once, however often its form is sent."""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from portal import life
from portal.audit import SYSTEM
from portal.flows import request as flow
from portal.flows.request import RequestRefusedError, TokenRequest
from portal.life import moves
from portal.models import Action, AuditEvent, Grant, State, Team, Token, User
from portal.policy import Entitlement
from tests.conftest import Catalog, acting
from tests.person import KeyPair

pytestmark = pytest.mark.django_db


@pytest.fixture
def wish(catalog: Catalog, platform: Team, keys: KeyPair) -> TokenRequest:
    return TokenRequest(platform, catalog.deployer, "ci", 3600, "", base64.b64decode(keys.public))


def test_a_click_that_came_between_looking_and_writing_is_the_same_request(
    wish: TokenRequest, engineer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = flow.check
    first: list[flow.Requested] = []

    def check_while_the_other_click_arrives(*arguments: Any) -> Entitlement:
        monkeypatch.setattr(flow, "check", check)
        first.append(flow.request(wish, actor=acting(engineer)))
        return check(*arguments)

    monkeypatch.setattr(flow, "check", check_while_the_other_click_arrives)
    second = flow.request(wish, actor=acting(engineer))
    assert first[0].is_new
    assert (second.token, second.is_new) == (first[0].token, False)
    assert AuditEvent.objects.filter(action=Action.TOKEN_REQUESTED).count() == 1


def test_a_name_that_somebody_else_has_is_refused_beside_its_field(
    wish: TokenRequest, engineer: User, teammate: User
) -> None:
    flow.request(wish, actor=acting(teammate))
    with pytest.raises(RequestRefusedError) as refusal:
        flow.request(wish, actor=acting(engineer))
    assert refusal.value.field == "name"
    assert Token.objects.count() == 1


# -- Limits -------------------------------------------------------------------------------------


def refusal_of(wish: TokenRequest, user: User) -> RequestRefusedError:
    with pytest.raises(RequestRefusedError) as refusal:
        flow.request(wish, actor=acting(user))
    return refusal.value


def another(wish: TokenRequest, name: str = "another") -> TokenRequest:
    return replace(wish, name=name)


def test_a_team_has_no_more_live_tokens_than_its_grant_allows(
    wish: TokenRequest, engineer: User, teammate: User
) -> None:
    Grant.objects.filter(team=wish.team).update(max_live=1)
    flow.request(wish, actor=acting(teammate))
    refusal = refusal_of(another(wish), engineer)
    assert refusal.field == "service_account"
    assert "Team Platform has 1 live or requested token under this grant" in refusal.message
    assert Token.objects.count() == 1


def test_a_person_has_no_more_live_tokens_than_the_grant_allows_each(
    wish: TokenRequest, engineer: User, teammate: User
) -> None:
    Grant.objects.filter(team=wish.team).update(max_live_per_person=1)
    flow.request(wish, actor=acting(engineer))
    refusal = refusal_of(another(wish), engineer)
    assert refusal.field == "service_account"
    assert "it allows 1 for each person" in refusal.message
    flow.request(another(wish), actor=acting(teammate))


@pytest.mark.parametrize("state", [State.REVOKING, State.REVOKED, State.FAILED, State.EXPIRED])
def test_what_has_ended_or_is_about_to_makes_room(
    wish: TokenRequest, engineer: User, make_token: Callable[..., Token], state: State
) -> None:
    Grant.objects.filter(team=wish.team).update(max_live=1, max_live_per_person=1)
    make_token(engineer, state=state)
    flow.request(wish, actor=acting(engineer))


def test_a_token_that_is_being_replaced_does_not_count(wish: TokenRequest, engineer: User) -> None:
    Grant.objects.filter(team=wish.team).update(max_live=1, max_live_per_person=1)
    old, _, _ = flow.request(wish, actor=acting(engineer))
    _, is_new, _ = flow.request(replace(another(wish), replaces=old), actor=acting(engineer))
    assert is_new


def test_a_double_click_at_the_limit_is_one_request_and_no_refusal(
    wish: TokenRequest, engineer: User
) -> None:
    Grant.objects.filter(team=wish.team).update(max_live=1)
    first = flow.request(wish, actor=acting(engineer))
    second = flow.request(wish, actor=acting(engineer))
    assert (second.token, second.is_new) == (first.token, False)


def test_a_full_workspace_is_said_before_aws_says_it(
    wish: TokenRequest,
    engineer: User,
    outsider: User,
    catalog: Catalog,
    make_token: Callable[..., Token],
    settings: Settings,
) -> None:
    settings.TOKEN_QUOTA = 2
    make_token(outsider, service_account=catalog.mobile_account)
    for state in (State.ACTIVE, State.REVOKING):
        make_token(engineer, state=state)
    refusal = refusal_of(wish, engineer)
    assert (refusal.field, refusal.message) == (
        "workspace",
        "This workspace is full: 2 of 2 tokens are used. There is room once the owner of one, "
        "a lead of its team or an admin ends it.",
    )
    Token.objects.filter(state=State.ACTIVE).update(state=State.EXPIRED, may_exist_at_aws=True)
    assert "1 of them has expired and is being cleaned up" in refusal_of(wish, engineer).message
    Token.objects.filter(state=State.EXPIRED).update(may_exist_at_aws=False)
    flow.request(wish, actor=acting(engineer))


def test_limits_on_live_tokens_cost_a_request_two_queries(
    wish: TokenRequest, engineer: User
) -> None:
    def queries(wish: TokenRequest) -> int:
        with CaptureQueriesContext(connection) as captured:
            flow.request(wish, actor=acting(engineer))
        return len(captured)

    queries(wish)  # reads the workspace, which both of the others have then
    before = queries(another(wish, "second"))
    Grant.objects.filter(team=wish.team).update(max_live=9)
    assert queries(another(wish, "third")) == before + 2


def test_the_same_form_sent_twice_is_one_request_though_the_first_failed_at_once(
    wish: TokenRequest, engineer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is free again: person, public key and fields decide, not the name."""
    check = flow.check
    first: list[flow.Requested] = []

    def check_while_the_other_click_fails(*arguments: Any) -> Entitlement:
        monkeypatch.setattr(flow, "check", check)
        first.append(flow.request(wish, actor=acting(engineer)))
        with life.work(SYSTEM) as work:
            row = work.lock(first[0].token.pk)
            work.move(row, moves.FAIL, error_code="402", error_message="")
        return check(*arguments)

    monkeypatch.setattr(flow, "check", check_while_the_other_click_fails)
    second = flow.request(wish, actor=acting(engineer))
    assert (second.token, second.is_new) == (first[0].token, False)
    assert Token.objects.count() == 1
    assert AuditEvent.objects.filter(action=Action.TOKEN_REQUESTED).count() == 1
