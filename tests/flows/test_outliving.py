"""What has ended here and lives at AWS is found, shown, and can be revoked."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from portal import policy
from portal.flows.issue import issue
from portal.flows.prune import prune
from portal.flows.revoke import delete_at_aws, revoke, revoke_many
from portal.flows.take_inventory import take_inventory
from portal.life import WrongStateError
from portal.models import Action, AuditEvent, Drift, ListedToken, State, Token, User
from portal.views.tokens import explain
from tests.conftest import acting, asked_for
from tests.grafana.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_waiting", "catalog", "enqueued")]


def change(token: Token, **fields: Any) -> None:
    Token.objects.filter(pk=token.pk).update(**fields)
    token.refresh_from_db()


@pytest.fixture(params=[State.EXPIRED, State.REVOKED])
def ended(request: Any, make_token: Callable[..., Token], engineer: User) -> Token:
    """Two hours before its time, and a while ago: AWS knows nothing of it."""
    token = asked_for(make_token(engineer, seconds_to_live=7200))
    issue(token.pk)
    long_ago = timezone.now() - timedelta(minutes=5)
    change(token, state=request.param, sealed_key=None, delivered_at=long_ago, state_at=long_ago)
    return token


@pytest.fixture
def as_if_over(ended: Token) -> Token:
    """Our row says that its time is over, too: only AMG's list tells that it is not."""
    change(ended, expires_at=timezone.now() - timedelta(minutes=1))
    return ended


def findings() -> list[str]:
    found = AuditEvent.objects.filter(action=Action.TOKEN_DRIFT_FOUND)
    return list(found.values_list("subject", flat=True))


def test_it_is_revoked_before_any_list_is_read(
    ended: Token, engineer: User, aws: SandboxProcess
) -> None:
    revoke(ended.pk, actor=acting(engineer), reason="leaked")
    delete_at_aws(ended.pk)
    ended.refresh_from_db()
    assert (ended.state, ended.end_reason) == (State.REVOKED, "leaked")
    assert ended.deleted_at is not None
    assert aws.live_tokens(name=ended.name) == []
    with pytest.raises(WrongStateError):
        revoke(ended.pk, actor=acting(engineer))


def test_the_inventory_finds_it_once_and_it_can_be_revoked(
    as_if_over: Token, lead: User, aws: SandboxProcess
) -> None:
    token = as_if_over
    with pytest.raises(WrongStateError):
        revoke(token.pk, actor=acting(lead))
    for _ in range(2):
        assert take_inventory(token.service_account_id)
    assert findings() == [f"ended here, alive at AMG: {token.name}"]
    assert AuditEvent.objects.get(action=Action.TOKEN_DRIFT_FOUND).token_id == token.pk
    assert ListedToken.objects.get(drift=Drift.ENDED).aws_id == token.aws_token_id
    assert policy.outliving(token.team) == [token]
    assert "its key may still work" in explain.message(token)
    revoke(token.pk, actor=acting(lead), reason="it lives")
    delete_at_aws(token.pk)
    assert aws.live_tokens(name=token.name) == []
    assert take_inventory(token.service_account_id)
    assert not ListedToken.objects.filter(drift=Drift.ENDED).exists()
    assert policy.outliving(token.team) == []


def test_many_are_ended_at_once(as_if_over: Token, lead: User) -> None:
    take_inventory(as_if_over.service_account_id)
    done = revoke_many([as_if_over.pk], team=as_if_over.team, actor=acting(lead), reason="gone")
    assert done.revoked == [as_if_over]
    as_if_over.refresh_from_db()
    assert as_if_over.state == State.REVOKING


def test_only_who_may_end_it_may_end_it_again(ended: Token, teammate: User) -> None:
    with pytest.raises(PermissionDenied):
        revoke(ended.pk, actor=acting(teammate))


def test_what_ended_when_its_time_was_over_is_no_finding_and_can_not_be_revoked(
    as_if_over: Token, lead: User, aws: SandboxProcess
) -> None:
    aws.advance(as_if_over.seconds_to_live - 60)
    assert take_inventory(as_if_over.service_account_id)
    assert findings() == [], "a minute is what clocks may differ by"
    with pytest.raises(WrongStateError):
        revoke(as_if_over.pk, actor=acting(lead))


def test_what_was_just_revoked_may_be_listed_for_a_while(as_if_over: Token) -> None:
    change(as_if_over, state_at=timezone.now() - timedelta(seconds=20))
    assert take_inventory(as_if_over.service_account_id)
    assert findings() == []
    # Stamped by a clock that was ahead.
    change(as_if_over, state_at=timezone.now() + timedelta(hours=3))
    assert take_inventory(as_if_over.service_account_id)
    assert len(findings()) == 1


def test_what_was_pruned_can_not_be_revoked(
    as_if_over: Token, lead: User, aws: SandboxProcess
) -> None:
    aws.advance(as_if_over.seconds_to_live + 600)
    change(as_if_over, expires_at=timezone.now() - timedelta(minutes=6))
    assert prune(as_if_over.service_account_id) == 1
    change(as_if_over, expires_at=timezone.now() + timedelta(hours=1))
    with pytest.raises(WrongStateError):
        revoke(as_if_over.pk, actor=acting(lead))
