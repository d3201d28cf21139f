"""What nobody else moves, the sweep moves; twice at once it does nothing twice."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from portal import life
from portal.flows.issue import issue
from portal.flows.prune import prune
from portal.flows.recover import settle
from portal.flows.revoke import delete_at_aws, revoke
from portal.grafana.clients import client_for
from portal.models import Action, AuditEvent, State, Token, User
from portal.scheduler import run_all as sweep
from tests.conftest import acting, asked_for
from tests.grafana.sandbox_process import SandboxProcess

CREATE = "CreateWorkspaceServiceAccountToken"
DELETE = "DeleteWorkspaceServiceAccountToken"
LIST = "ListWorkspaceServiceAccountTokens"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_waiting", "catalog")]


def ago(**span: float) -> Any:
    return timezone.now() - timedelta(**span)


def change(token: Token, **fields: Any) -> None:
    Token.objects.filter(pk=token.pk).update(**fields)


def actions(token: Token) -> list[str]:
    """What the log tells of the token after its request."""
    told = AuditEvent.objects.filter(token_id=token.pk).order_by("seq")
    return list(told.values_list("action", flat=True)[1:])


@pytest.fixture
def queued(make_token: Callable[..., Token], engineer: User) -> Token:
    return asked_for(make_token(engineer))


@pytest.fixture
def sealed(queued: Token) -> Token:
    issue(queued.pk)
    queued.refresh_from_db()
    assert queued.state == State.SEALED
    return queued


@pytest.fixture
def active(sealed: Token) -> Token:
    change(sealed, state=State.ACTIVE, sealed_key=None, delivered_at=timezone.now())
    sealed.refresh_from_db()
    return sealed


def test_a_request_that_nobody_took_is_rung_again_after_30_seconds(queued: Token) -> None:
    change(queued, rung_at=ago(seconds=20))
    assert sweep().issue == []
    change(queued, rung_at=ago(seconds=31))
    assert sweep().issue == [queued.pk]
    assert sweep().issue == [], "it has just been rung"


def test_a_request_that_waits_is_rung_when_its_time_comes(queued: Token) -> None:
    change(queued, not_before=timezone.now() + timedelta(seconds=5), rung_at=None)
    assert sweep().issue == []
    change(queued, not_before=ago(seconds=1))
    assert sweep().issue == [queued.pk]


def test_no_more_is_rung_than_the_workers_can_take_soon(
    make_token: Callable[..., Token], engineer: User, settings: Any
) -> None:
    settings.WORKER_PROCESSES = 2
    tokens = [make_token(engineer, queued_at=ago(seconds=60 - n)) for n in range(6)]
    assert sweep().issue == [token.pk for token in tokens[:4]], "oldest first"
    assert sweep().issue == [token.pk for token in tokens[4:]]


def test_a_dead_workers_claim_goes_back_and_is_reconciled(
    queued: Token, aws: SandboxProcess
) -> None:
    # The worker died after AWS had answered and before it could store the key.
    assert life.claim(queued.pk, 1)
    client_for().create_token(
        queued.workspace.aws_id,
        queued.service_account.aws_id,
        name=queued.name,
        seconds_to_live=queued.seconds_to_live,
    )
    assert sweep().issue == [], "the lease still holds"
    change(queued, lease_until=ago(seconds=1))
    swept = sweep()
    assert swept.changed == swept.issue == [queued.pk]
    issue(queued.pk)
    queued.refresh_from_db()
    assert queued.state == State.SEALED
    [live] = aws.live_tokens(name=queued.name)
    assert str(live["id"]) == queued.aws_token_id
    assert actions(queued) == [Action.TOKEN_ORPHAN_REMOVED, Action.TOKEN_ISSUED]


def test_a_request_that_waited_for_an_hour_fails(queued: Token) -> None:
    change(queued, queued_at=ago(minutes=59))
    sweep()
    queued.refresh_from_db()
    assert queued.state == State.QUEUED
    change(queued, queued_at=ago(minutes=61))
    sweep()
    queued.refresh_from_db()
    assert queued.state == State.FAILED
    assert AuditEvent.objects.filter(token_id=queued.pk).latest("seq").error_code == "QueuedTooLong"


def test_a_key_that_nobody_confirmed_is_wiped_and_revoked(
    sealed: Token, aws: SandboxProcess, settings: Any
) -> None:
    change(sealed, sealed_at=ago(seconds=settings.UNCLAIMED_SECONDS - 5))
    sweep()
    sealed.refresh_from_db()
    assert sealed.state == State.SEALED
    change(sealed, sealed_at=ago(seconds=settings.UNCLAIMED_SECONDS + 1))
    assert sweep().revoke == [sealed.pk]
    sealed.refresh_from_db()
    assert (sealed.state, sealed.sealed_key) == (State.REVOKING, None)
    delete_at_aws(sealed.pk)
    sealed.refresh_from_db()
    assert sealed.state == State.REVOKED
    assert aws.live_tokens(name=sealed.name) == []
    assert actions(sealed) == ["token.issued", "token.unclaimed", "token.revoked"]


def test_a_short_lived_key_is_not_kept_beyond_its_end(sealed: Token) -> None:
    change(sealed, expires_at=ago(seconds=1))
    sweep()
    sealed.refresh_from_db()
    assert (sealed.state, sealed.sealed_key) == (State.REVOKING, None)


def test_an_expired_token_is_pruned_only_when_awss_clock_agrees(
    active: Token, aws: SandboxProcess
) -> None:
    change(active, expires_at=ago(minutes=6))
    swept = sweep()
    active.refresh_from_db()
    assert active.state == State.EXPIRED
    assert swept.prune == [active.service_account_id]
    assert prune(active.service_account_id) == 0, "our clock is fast: AWS says it lives"
    assert len(aws.live_tokens(name=active.name)) == 1
    aws.advance(active.seconds_to_live + 6 * 60)
    change(active, not_before=None)
    assert prune(active.service_account_id) == 1
    active.refresh_from_db()
    assert active.deleted_at is not None
    assert not active.may_exist_at_aws
    assert aws.calls(DELETE) != []
    assert actions(active) == ["token.issued", "token.expired", "token.pruned"]
    assert sweep().prune == []


def test_pruning_waits_until_the_fraction_that_awss_answer_left_out_is_over_too(
    active: Token, aws: SandboxProcess
) -> None:
    """Asked a second too early, it would have to be asked again five minutes later."""
    change(active, state=State.EXPIRED, expires_at=ago(seconds=300.5))
    assert sweep().prune == []
    change(active, expires_at=ago(seconds=303))
    assert sweep().prune == [active.service_account_id]


def test_pruning_frees_the_name(
    active: Token, aws: SandboxProcess, make_token: Callable[..., Token], engineer: User
) -> None:
    aws.advance(active.seconds_to_live + 6 * 60)
    change(active, expires_at=ago(minutes=6))
    sweep()
    assert Token.objects.holding_name(active.workspace_id, active.name).exists()
    prune(active.service_account_id)
    assert not Token.objects.holding_name(active.workspace_id, active.name).exists()
    again = asked_for(make_token(engineer, name=active.name))
    issue(again.pk)
    again.refresh_from_db()
    assert again.state == State.SEALED


def test_a_token_that_vanished_behind_our_back_is_noted_as_gone(
    active: Token, aws: SandboxProcess
) -> None:
    client_for().delete_token(
        active.workspace.aws_id, active.service_account.aws_id, active.aws_token_id
    )
    change(active, expires_at=ago(minutes=6))
    sweep()
    assert prune(active.service_account_id) == 1


def test_a_revocation_is_retried_until_aws_deletes(
    active: Token, aws: SandboxProcess, engineer: User
) -> None:
    aws.fault("error", "before", operation=DELETE, status=403, type="AccessDeniedException")
    aws.fault("drop", "after", operation=DELETE)
    revoke(active.pk, actor=acting(engineer), reason="leaked")
    for _ in range(2):
        delete_at_aws(active.pk)
        active.refresh_from_db()
        assert active.state == State.REVOKING
        assert active.error_code
        change(active, not_before=None)
    assert sweep().revoke == [active.pk]
    delete_at_aws(active.pk)
    active.refresh_from_db()
    assert (active.state, active.error_code) == (State.REVOKED, "")
    assert actions(active) == ["token.issued", "token.revoke_requested", "token.revoked"]


def test_a_revocation_that_time_overtook_counts_as_revoked_and_is_pruned(
    active: Token, aws: SandboxProcess, engineer: User
) -> None:
    aws.fault("error", "before", operation=DELETE, status=403, type="AccessDeniedException")
    revoke(active.pk, actor=acting(engineer))
    delete_at_aws(active.pk)
    aws.advance(active.seconds_to_live + 6 * 60)
    change(active, expires_at=ago(minutes=6))
    sweep()
    active.refresh_from_db()
    assert (active.state, active.deleted_at) == (State.REVOKED, None)
    assert active.may_exist_at_aws
    assert prune(active.service_account_id) == 1


def test_a_create_that_takes_effect_after_a_withdrawal_is_found_and_deleted(
    queued: Token, aws: SandboxProcess
) -> None:
    """The client gave up, the person withdrew, and only then did AWS make the token."""
    assert life.claim(queued.pk, 1)
    change(queued, state=State.CANCELLED, lease_until=None)
    assert sweep().settle == [queued.pk]
    settle(queued.pk)
    queued.refresh_from_db()
    assert queued.unresolved_since is not None, "a signature is still good"
    client_for().create_token(
        queued.workspace.aws_id,
        queued.service_account.aws_id,
        name=queued.name,
        seconds_to_live=queued.seconds_to_live,
    )
    change(queued, not_before=None)
    settle(queued.pk)
    assert aws.live_tokens(name=queued.name) == []
    assert actions(queued) == [Action.TOKEN_ORPHAN_REMOVED]
    change(queued, not_before=None, last_signature_at=ago(minutes=7))
    settle(queued.pk)
    settled = Token.objects.get(pk=queued.pk)
    assert settled.unresolved_since is None
    assert not settled.may_exist_at_aws
    assert sweep().settle == []


def test_settling_a_token_that_is_in_use_leaves_it_alone(
    queued: Token, aws: SandboxProcess
) -> None:
    aws.fault("error", "before", operation=CREATE, status=500)
    issue(queued.pk)
    change(queued, not_before=None)
    issue(queued.pk)
    queued.refresh_from_db()
    assert queued.state == State.SEALED
    change(queued, last_signature_at=ago(minutes=7))
    assert sweep().settle == [queued.pk]
    settle(queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.unresolved_since) == (State.SEALED, None)
    assert queued.may_exist_at_aws
    assert len(aws.live_tokens(name=queued.name)) == 1


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_do_nothing_twice(
    make_token: Callable[..., Token], engineer: User
) -> None:
    old = ago(seconds=5)
    for _ in range(10):
        make_token(
            engineer,
            state=State.SEALED,
            sealed_key=b"x",
            sealed_at=ago(seconds=3600),
            expires_at=old,
        )
    start = threading.Barrier(4)

    def run() -> None:
        start.wait()
        try:
            sweep()
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert AuditEvent.objects.filter(action=Action.TOKEN_UNCLAIMED).count() == 10
    assert Token.objects.filter(state=State.REVOKING).count() == 10
