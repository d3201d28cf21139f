"""A worker issues what a person has asked for, by the audit log, whatever the tables say.

Whoever tampers here can write to every table and does not hold AUDIT_KEY.
"""

import base64
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from portal import audit
from portal.flows.approve import approve
from portal.flows.collect import collect
from portal.flows.issue import issue
from portal.flows.request import TokenRequest, request
from portal.flows.revoke import cancel
from portal.models import Action, Approval, AuditEvent, Grant, State, Team, Token, User
from tests.audit import tampering
from tests.conftest import Catalog, acting
from tests.grafana.sandbox_process import SandboxProcess
from tests.person import KeyPair

CREATE = "CreateWorkspaceServiceAccountToken"
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def attacker() -> KeyPair:
    return KeyPair()


@pytest.fixture
def wanted(catalog: Catalog, platform: Team, keys: KeyPair) -> TokenRequest:
    der = base64.b64decode(keys.public)
    return TokenRequest(platform, catalog.deployer, "ci", 3600, "nightly", der)


@pytest.fixture
def asked(wanted: TokenRequest, engineer: User) -> Token:
    return request(wanted, actor=acting(engineer)).token


@pytest.fixture
def approved(wanted: TokenRequest, engineer: User, lead: User, keys: KeyPair) -> Token:
    """Approved and collected: queued for the engineer's browser."""
    Grant.objects.update(approval=Approval.ALWAYS)
    token = request(wanted, actor=acting(engineer)).token
    approve(token.pk, actor=acting(lead))
    collect(token.pk, base64.b64decode(keys.public), actor=acting(engineer))
    return token


def outcome(token: Token, aws: SandboxProcess) -> tuple[str, str, int]:
    issue(token.pk)
    token.refresh_from_db()
    return token.state, token.error_message, len(aws.calls(CREATE))


def test_what_was_asked_for_is_issued(asked: Token, aws: SandboxProcess) -> None:
    assert outcome(asked, aws) == (State.SEALED, "", 1)


def test_what_was_approved_is_issued(approved: Token, aws: SandboxProcess) -> None:
    assert outcome(approved, aws) == (State.SEALED, "", 1)


def test_another_browsers_public_key_gets_nothing(
    approved: Token, attacker: KeyPair, aws: SandboxProcess
) -> None:
    Token.objects.update(public_key=base64.b64decode(attacker.public))
    assert outcome(approved, aws) == (
        State.FAILED,
        "What differs: the browser that gets its key.",
        0,
    )
    event = AuditEvent.objects.latest("seq")
    assert (event.action, event.error_code) == (Action.TOKEN_FAILED, "NotAgreed")


def test_a_row_that_nobody_asked_for_gets_nothing(
    make_token: Callable[..., Token], engineer: User, aws: SandboxProcess
) -> None:
    token = make_token(engineer, approved_by="lead@example.com", approved_at=timezone.now())
    assert outcome(token, aws) == (State.FAILED, "What differs: nobody has asked for it.", 0)


@pytest.mark.parametrize(
    ("columns", "differs"),
    [
        ({"seconds_to_live": 7200}, "its lifetime"),
        ({"service_account": "admin_account"}, "its service account"),
        ({"owner": "teammate"}, "its owner"),
        (
            {"approved_at": "2026-01-01T00:00:00Z", "approved_by": "lead@example.com"},
            "its approval",
        ),
    ],
    ids=str,
)
def test_a_changed_row_gets_nothing(
    asked: Token,
    aws: SandboxProcess,
    catalog: Catalog,
    teammate: User,
    columns: dict[str, Any],
    differs: str,
) -> None:
    named = {"admin_account": catalog.admin_account, "teammate": teammate}
    Token.objects.update(**{name: named.get(value, value) for name, value in columns.items()})
    assert outcome(asked, aws) == (State.FAILED, f"What differs: {differs}.", 0)


def test_an_approval_that_was_asked_for_and_never_given_gets_nothing(
    wanted: TokenRequest, engineer: User, keys: KeyPair, aws: SandboxProcess
) -> None:
    Grant.objects.update(approval=Approval.ALWAYS)
    token = request(wanted, actor=acting(engineer)).token
    Token.objects.update(state=State.QUEUED, public_key=base64.b64decode(keys.public))
    Grant.objects.update(approval=Approval.NEVER)
    state, message, calls = outcome(token, aws)
    assert (state, message, calls) == (
        State.FAILED,
        "What differs: the browser that gets its key.",
        0,
    )


def test_a_withdrawn_request_that_is_put_back_into_the_queue_gets_nothing(
    asked: Token, engineer: User, aws: SandboxProcess
) -> None:
    cancel(asked.pk, actor=acting(engineer))
    Token.objects.update(state=State.QUEUED)
    assert outcome(asked, aws) == (State.FAILED, "What differs: the request was over.", 0)


@pytest.mark.parametrize("what", ["text", "hash", "key"])
def test_a_forged_event_gets_nothing(
    make_token: Callable[..., Token], asked: Token, engineer: User, aws: SandboxProcess, what: str
) -> None:
    """The event of a request that there was, made to speak of another."""
    wanted = make_token(engineer, name="mine")
    tampering.take_down_triggers()
    event = AuditEvent.objects.get(token_id=asked.pk)
    text = event.text.replace(str(asked.pk), str(wanted.pk))
    if what == "key":
        text = text.replace(event.key_id, "0" * 16)
    AuditEvent.objects.filter(pk=event.pk).update(
        token_id=wanted.pk, text=text, hash="0" * 64 if what == "hash" else event.hash
    )
    state, message, calls = outcome(wanted, aws)
    assert (state, calls) == (State.FAILED, 0)
    assert (
        message
        == f"What differs: event {event.seq} of the audit log was not written by the portal."
    )


def test_another_tokens_genuine_event_proves_nothing(
    make_token: Callable[..., Token], asked: Token, engineer: User, aws: SandboxProcess
) -> None:
    wanted = make_token(engineer, name="mine")
    tampering.take_down_triggers()
    AuditEvent.objects.filter(token_id=asked.pk).update(token_id=wanted.pk)
    assert outcome(wanted, aws) == (State.FAILED, "What differs: nobody has asked for it.", 0)


def test_a_request_of_a_former_version_is_issued(
    make_token: Callable[..., Token], engineer: User, aws: SandboxProcess
) -> None:
    """It told of the request and not of the browser's key."""
    token = make_token(engineer)
    with transaction.atomic():
        audit.record(Action.TOKEN_REQUESTED, actor=acting(engineer), token=token)
    assert outcome(token, aws) == (State.SEALED, "", 1)


def test_a_lifetime_that_an_approver_shortened_binds(
    wanted: TokenRequest, engineer: User, lead: User, keys: KeyPair, aws: SandboxProcess
) -> None:
    Grant.objects.update(approval=Approval.ALWAYS)
    token = request(wanted, actor=acting(engineer)).token
    approve(token.pk, actor=acting(lead), seconds_to_live=60)
    collect(token.pk, base64.b64decode(keys.public), actor=acting(engineer))
    Token.objects.update(seconds_to_live=3600)
    assert outcome(token, aws) == (State.FAILED, "What differs: its lifetime.", 0)


def test_the_key_ids_of_the_log_are_those_of_the_settings(asked: Token, settings: Any) -> None:
    """A retired key's events still bind."""
    settings.AUDIT_KEYS_RETIRED = [settings.AUDIT_KEY]
    settings.AUDIT_KEY = uuid.uuid4().hex * 2
    issue(asked.pk)
    asked.refresh_from_db()
    assert asked.error_code != "NotAgreed"
