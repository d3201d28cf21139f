"""A queued request becomes a sealed key, or a truthful failure, and never an orphan."""

import base64
import time
import types
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from portal import audit, pace, sealing
from portal.flows import attempt, recover
from portal.flows.deliver import Confirmation, deliver
from portal.flows.issue import issue
from portal.flows.recover import settle
from portal.flows.revoke import cancel, delete_at_aws
from portal.grafana.clients import client_for
from portal.models import Action, Approval, AuditEvent, Grant, ServiceAccount, State, Token, User
from tests.conftest import Catalog, acting, asked_for
from tests.grafana.sandbox_process import SandboxProcess
from tests.person import KeyPair

CREATE = "CreateWorkspaceServiceAccountToken"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_waiting")]


def actions(token: Token) -> list[str]:
    """What the log tells of the token after its request."""
    told = AuditEvent.objects.filter(token_id=token.pk).order_by("seq")
    return list(told.values_list("action", flat=True)[1:])


def issue_again(token: Token) -> None:
    """The next attempt, without its wait."""
    Token.objects.filter(pk=token.pk).update(not_before=None)
    issue(token.pk)
    token.refresh_from_db()


@pytest.fixture
def queued(make_token: Callable[..., Token], engineer: User) -> Token:
    return asked_for(make_token(engineer))


def test_a_request_becomes_a_key_that_only_its_browser_can_open(
    queued: Token, aws: SandboxProcess, keys: KeyPair
) -> None:
    assert issue(queued.pk)
    queued.refresh_from_db()
    assert queued.state == State.SEALED
    assert queued.sealed_key is not None
    key = keys.open(base64.b64encode(queued.sealed_key).decode(), str(queued.pk))
    assert key.startswith("glsa_")
    assert queued.fingerprint == sealing.fingerprint(key)
    [live] = aws.live_tokens(name=queued.name)
    assert queued.aws_token_id == str(live["id"])
    assert queued.unresolved_since is None
    assert actions(queued) == [Action.TOKEN_ISSUED]
    assert (
        AuditEvent.objects.filter(token_id=queued.pk).latest("seq").aws_request_id
        == queued.aws_request_id
        != ""
    )


@pytest.mark.parametrize("skew_seconds", [-250, 0, 250])
def test_the_end_is_counted_from_awss_clock(
    queued: Token, aws: SandboxProcess, skew_seconds: int
) -> None:
    aws.settings(skew_seconds=skew_seconds)
    issue(queued.pk)
    queued.refresh_from_db()
    assert queued.expires_at is not None
    [live] = aws.live_tokens(name=queued.name)
    # AWS's answer says its time in whole seconds.
    assert 0 <= live["expires"] - queued.expires_at.timestamp() < 1


def test_a_message_delivered_twice_issues_once(queued: Token, aws: SandboxProcess) -> None:
    assert issue(queued.pk)
    assert not issue(queued.pk)
    assert len(aws.calls(CREATE)) == 1


def test_a_message_for_a_withdrawn_request_does_nothing(
    queued: Token, aws: SandboxProcess, engineer: User
) -> None:
    cancel(queued.pk, actor=acting(engineer), reason="no need")
    assert not issue(queued.pk)
    assert aws.calls(CREATE) == []


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ValidationException"),
        (402, "ServiceQuotaExceededException"),
        (403, "AccessDeniedException"),
        (404, "ResourceNotFoundException"),
    ],
)
def test_what_aws_refuses_for_good_fails_with_its_request_id(
    queued: Token, aws: SandboxProcess, status: int, code: str
) -> None:
    aws.fault("error", "before", operation=CREATE, status=status, type=code)
    issue(queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.error_code) == (State.FAILED, code)
    assert queued.aws_request_id
    assert not queued.may_exist_at_aws
    event = AuditEvent.objects.filter(token_id=queued.pk).latest("seq")
    assert (event.action, event.outcome, event.error_code) == ("token.failed", "failed", code)
    assert event.aws_request_id == queued.aws_request_id


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (429, "ThrottlingException"),
        (409, "ConflictException"),
        (403, "UnrecognizedClientException"),
        (403, "ExpiredTokenException"),
        (403, "InvalidSignatureException"),
        (400, "RequestExpired"),
    ],
)
def test_what_passes_is_tried_again_after_the_time_aws_asks_for(
    queued: Token, aws: SandboxProcess, status: int, code: str
) -> None:
    aws.fault(
        "error", "before", operation=CREATE, status=status, type=code, headers={"Retry-After": "7"}
    )
    issue(queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.error_code) == (State.QUEUED, code)
    assert queued.not_before is not None
    assert queued.not_before > timezone.now() + timedelta(seconds=6)
    assert queued.unresolved_since is None, "AWS said that nothing was made"
    assert not issue(queued.pk), "not before its time"
    issue_again(queued)
    assert queued.state == State.SEALED
    assert queued.error_code == ""


UNKNOWN_AFTER_THE_EFFECT: list[dict[str, Any]] = [
    {"kind": "error", "when": "after", "status": 500, "type": "InternalServerException"},
    {"kind": "error", "when": "after", "status": 503, "type": "ServiceUnavailable"},
    {"kind": "drop", "when": "after"},
    {"kind": "html"},
    {"kind": "empty"},
    {"kind": "no_key"},
    {"kind": "truncated"},
]


@pytest.mark.parametrize(
    "fault", UNKNOWN_AFTER_THE_EFFECT, ids=lambda f: f["kind"] + str(f.get("status", ""))
)
def test_an_unknown_outcome_leaves_one_live_token_whose_key_is_held(
    queued: Token, aws: SandboxProcess, fault: dict[str, Any], keys: KeyPair
) -> None:
    aws.faults({"operation": CREATE, **fault})
    issue(queued.pk)
    queued.refresh_from_db()
    assert queued.state == State.QUEUED
    assert queued.unresolved_since is not None
    [orphan] = aws.live_tokens(name=queued.name)
    issue_again(queued)
    assert queued.state == State.SEALED
    [live] = aws.live_tokens(name=queued.name)
    assert str(live["id"]) == queued.aws_token_id != str(orphan["id"])
    assert actions(queued) == [Action.TOKEN_ORPHAN_REMOVED, Action.TOKEN_ISSUED]
    removed = AuditEvent.objects.get(action=Action.TOKEN_ORPHAN_REMOVED)
    assert removed.aws_token_id == str(orphan["id"])
    assert queued.unresolved_since is not None, "only a list taken 6 minutes later clears it"


@pytest.mark.parametrize(
    "fault",
    [{"kind": "error", "when": "before", "status": 500}, {"kind": "drop", "when": "before"}],
    ids=["500", "drop"],
)
def test_an_unknown_outcome_without_effect_is_tried_again(
    queued: Token, aws: SandboxProcess, fault: dict[str, Any]
) -> None:
    aws.faults({"operation": CREATE, **fault})
    issue(queued.pk)
    issue_again(queued)
    assert queued.state == State.SEALED
    assert len(aws.live_tokens(name=queued.name)) == 1
    assert actions(queued) == [Action.TOKEN_ISSUED]


@pytest.mark.parametrize("conflict_status", [409, 400])
def test_a_strangers_token_of_the_same_name_is_left_alone(
    queued: Token, aws: SandboxProcess, conflict_status: int, catalog: Catalog
) -> None:
    aws.settings(duplicate_status=conflict_status)
    client_for().create_token(
        catalog.workspace.aws_id, catalog.deployer.aws_id, name=queued.name, seconds_to_live=60
    )
    issue(queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.error_code) == (State.FAILED, "NameTaken")
    assert len(aws.live_tokens(name=queued.name)) == 1
    assert aws.calls("DeleteWorkspaceServiceAccountToken") == []


def test_a_name_held_by_another_account_fails_after_an_unknown_outcome_too(
    queued: Token, aws: SandboxProcess, catalog: Catalog
) -> None:
    aws.fault("error", "before", operation=CREATE, status=500)
    issue(queued.pk)
    client_for().create_token(
        catalog.workspace.aws_id, catalog.admin_account.aws_id, name=queued.name, seconds_to_live=60
    )
    issue_again(queued)
    assert queued.state == State.QUEUED
    issue_again(queued)
    assert (queued.state, queued.error_code) == (State.FAILED, "NameTaken")
    assert len(aws.live_tokens(name=queued.name)) == 1


def test_a_worker_that_lost_its_attempt_deletes_what_it_made(
    queued: Token, aws: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = sealing.seal

    def slow_seal(*arguments: Any) -> bytes:
        # Meanwhile the lease ends and another attempt takes the row.
        Token.objects.filter(pk=queued.pk).update(attempt=2)
        return seal(*arguments)

    monkeypatch.setattr(sealing, "seal", slow_seal)
    issue(queued.pk)
    queued.refresh_from_db()
    assert queued.state == State.ISSUING
    assert aws.live_tokens(name=queued.name) == []
    assert actions(queued) == [Action.TOKEN_ORPHAN_REMOVED]


def test_a_worker_whose_row_was_put_back_meanwhile_deletes_what_it_made(
    queued: Token, aws: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep put it back when the lease ended, and nobody has claimed it since."""
    seal = sealing.seal

    def slow_seal(*arguments: Any) -> bytes:
        Token.objects.filter(pk=queued.pk).update(state=State.QUEUED, lease_until=None)
        return seal(*arguments)

    monkeypatch.setattr(sealing, "seal", slow_seal)
    issue(queued.pk)
    queued.refresh_from_db()
    assert queued.state == State.QUEUED
    assert aws.live_tokens(name=queued.name) == []
    assert actions(queued) == [Action.TOKEN_ORPHAN_REMOVED]


def test_an_attempt_with_too_little_time_left_calls_nobody(
    queued: Token, aws: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, attempt.TIME_TO_START_A_CALL + 0.1])
    watch = types.SimpleNamespace(monotonic=lambda: next(clock, 0.0), sleep=time.sleep)
    monkeypatch.setattr(attempt, "time", watch)
    issue(queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.may_exist_at_aws) == (State.QUEUED, False)
    assert aws.calls(CREATE) == []


def test_an_account_that_was_disabled_before_the_claim_is_not_asked_for(
    queued: Token, aws: SandboxProcess, catalog: Catalog
) -> None:
    ServiceAccount.objects.filter(pk=catalog.deployer.pk).update(is_disabled=True)
    issue(queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.error_code) == (State.FAILED, "NotUsable")
    assert "is disabled in Grafana" in queued.error_message
    assert aws.calls(CREATE) == []


def test_a_request_of_unknown_outcome_is_not_sent_back_to_those_who_approve(
    queued: Token, aws: SandboxProcess
) -> None:
    """They may shorten it, and what it has left at AWS is known by its lifetime."""
    aws.fault("error", "after", operation=CREATE, status=500)
    issue(queued.pk)
    Grant.objects.update(approval=Approval.ALWAYS)
    issue_again(queued)
    assert (queued.state, queued.error_code) == (State.FAILED, "NotGranted")
    assert queued.unresolved_since is not None
    assert aws.live_tokens(name=queued.name) == []


@pytest.fixture
def ours_again_each_time(queued: Token, monkeypatch: pytest.MonkeyPatch) -> Token:
    """Unresolved, and each list shows a twin that took effect late."""
    Token.objects.filter(pk=queued.pk).update(
        may_exist_at_aws=True,
        unresolved_since=timezone.now(),
        last_signature_at=timezone.now(),
        attempt=1,
    )
    monkeypatch.setattr(recover, "remove_orphans", lambda *_, **__: 1)
    queued.refresh_from_db()
    return queued


EXISTS = {"type": "ConflictException", "message": "A token of this name already exists."}


def test_a_name_that_comes_back_five_times_is_somebody_elses(
    ours_again_each_time: Token, aws: SandboxProcess
) -> None:
    queued = ours_again_each_time
    aws.fault("error", "before", operation=CREATE, status=409, times=9, **EXISTS)
    for answers in range(1, 5):
        issue_again(queued)
        assert (queued.state, queued.duplicate_answers) == (State.QUEUED, answers)
    issue_again(queued)
    assert (queued.state, queued.error_code) == (State.FAILED, "NameTaken")


def test_another_answer_in_between_begins_the_count_of_duplicates_anew(
    ours_again_each_time: Token, aws: SandboxProcess
) -> None:
    queued = ours_again_each_time
    aws.fault("error", "before", operation=CREATE, status=409, **EXISTS)
    issue_again(queued)
    aws.fault("error", "before", operation=CREATE, status=429, type="ThrottlingException")
    issue_again(queued)
    assert (queued.state, queued.duplicate_answers) == (State.QUEUED, 0)


def test_where_nothing_is_listed_a_second_list_is_taken_before_creating_again(
    queued: Token, aws: SandboxProcess
) -> None:
    aws.fault("error", "before", operation=CREATE, status=500)
    issue(queued.pk)
    issue_again(queued)
    assert queued.state == State.SEALED
    assert len(aws.calls("ListWorkspaceServiceAccountTokens")) == 2


def test_a_key_that_cannot_be_sealed_nor_deleted_is_looked_for_again(
    queued: Token, aws: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> bytes:
        raise sealing.CannotSealError

    monkeypatch.setattr(sealing, "seal", refuse)
    aws.fault("error", "before", operation="DeleteWorkspaceServiceAccountToken", status=500)
    issue(queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.error_code) == (State.FAILED, "CannotSeal")
    assert queued.may_exist_at_aws
    settle(queued.pk)
    assert aws.live_tokens(name=queued.name) == []


def test_a_turn_that_is_far_away_is_waited_for_in_the_queue(
    queued: Token, aws: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "_wait", lambda _: (40.0, 0.0))
    issue(queued.pk)
    queued.refresh_from_db()
    assert queued.not_before is not None
    assert timedelta(seconds=35) < queued.not_before - timezone.now() < timedelta(seconds=41)
    assert aws.calls(CREATE) == []


def test_a_key_that_cannot_be_sealed_is_deleted_at_aws(
    queued: Token, aws: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> bytes:
        raise sealing.CannotSealError

    monkeypatch.setattr(sealing, "seal", refuse)
    issue(queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.error_code) == (State.FAILED, "CannotSeal")
    assert aws.live_tokens(name=queued.name) == []
    assert not queued.may_exist_at_aws


def test_a_request_withdrawn_while_aws_is_called_ends_revoked(
    queued: Token, aws: SandboxProcess, engineer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = sealing.seal

    def seal_while_withdrawn(*arguments: Any) -> bytes:
        cancel(queued.pk, actor=acting(engineer), reason="changed my mind")
        return seal(*arguments)

    monkeypatch.setattr(sealing, "seal", seal_while_withdrawn)
    issue(queued.pk)
    queued.refresh_from_db()
    assert queued.state == State.REVOKING
    assert queued.sealed_key is None
    delete_at_aws(queued.pk)
    queued.refresh_from_db()
    assert queued.state == State.REVOKED
    assert aws.live_tokens(name=queued.name) == []


def test_a_grant_that_went_before_the_claim_stops_the_request(
    queued: Token, aws: SandboxProcess
) -> None:
    Grant.objects.all().delete()
    issue(queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.error_code) == (State.CANCELLED, "NotGranted")
    assert (
        queued.end_reason == "The grant for this service account ended before the token was made."
    )
    assert (queued.may_exist_at_aws, actions(queued)) == (False, [Action.TOKEN_CANCELLED])
    assert aws.calls(CREATE) == []


def test_approval_that_policy_has_come_to_need_is_asked_for_before_the_claim_calls_aws(
    queued: Token, aws: SandboxProcess, lead: User
) -> None:
    Grant.objects.update(approval=Approval.ALWAYS)
    issue(queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.may_exist_at_aws) == (State.AWAITING_APPROVAL, False)
    assert bytes(queued.public_key) == b"", "its browser may have lost the key pair by then"
    [notice] = queued.notices.all()
    assert (notice.kind, notice.recipient) == ("approval_asked", lead)
    assert aws.calls(CREATE) == []


def test_what_was_approved_needs_no_approval_when_policy_has_changed(
    queued: Token, aws: SandboxProcess
) -> None:
    Token.objects.update(approved_by="lead@example.com", approved_at=timezone.now())
    with transaction.atomic():
        audit.record(Action.TOKEN_APPROVED, actor=acting(queued.owner), token=queued)
    Grant.objects.update(approval=Approval.ALWAYS)
    issue(queued.pk)
    queued.refresh_from_db()
    assert queued.state == State.SEALED


def test_a_grant_that_shrank_shortens_the_lifetime(queued: Token, aws: SandboxProcess) -> None:
    Grant.objects.update(max_ttl=600, default_ttl=600)
    issue(queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.seconds_to_live) == (State.SEALED, 600)


def test_delivery_wipes_the_ciphertext_and_can_be_repeated(
    queued: Token, engineer: User, keys: KeyPair
) -> None:
    issue(queued.pk)
    queued.refresh_from_db()
    wrong = sealing.fingerprint("glsa_wrong")
    assert (
        deliver(queued.pk, wrong, actor=acting(engineer)).confirmation
        == Confirmation.WRONG_FINGERPRINT
    )
    assert (
        deliver(queued.pk, queued.fingerprint, actor=acting(engineer)).confirmation
        == Confirmation.DELIVERED
    )
    queued.refresh_from_db()
    assert (queued.state, queued.sealed_key) == (State.ACTIVE, None)
    assert (
        deliver(queued.pk, queued.fingerprint, actor=acting(engineer)).confirmation
        == Confirmation.DELIVERED
    )
    assert (
        deliver(queued.pk, wrong, actor=acting(engineer)).confirmation
        == Confirmation.WRONG_FINGERPRINT
    )
    assert actions(queued).count(Action.TOKEN_DELIVERED) == 1


def test_nobody_else_can_confirm(queued: Token, teammate: User, lead: User) -> None:
    issue(queued.pk)
    queued.refresh_from_db()
    for other in (teammate, lead):
        with pytest.raises(PermissionDenied):
            deliver(queued.pk, queued.fingerprint, actor=acting(other))
