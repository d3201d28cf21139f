"""The audit log: every change leaves an event, and no event holds a key."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, models, transaction
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from portal import audit, sealing
from portal.audit import SYSTEM, Actor, rows
from portal.audit.vocabulary import FIELDS, IN_WORDS
from portal.flows.deliver import deliver
from portal.flows.request import TokenRequest, request
from portal.flows.revoke import cancel, revoke
from portal.models import Action, AuditEvent, State, Token, User
from portal.scheduler import run_all as sweep
from tests.conftest import Catalog, acting

pytestmark = pytest.mark.django_db

CHAIN = ("format", "key_id", "text", "prev_hash", "hash")
KEY = f"glsa_{'Ab1' * 11}_0a1b2c3d"


# -- What can be said ---------------------------------------------------------------------------


def test_the_set_of_events_is_closed() -> None:
    """These words are a contract: filters, exports and alarms rely on them."""
    assert {action.value for action in Action} == {
        "token.requested",
        "token.approved",
        "token.denied",
        "token.cancelled",
        "token.issued",
        "token.delivered",
        "token.failed",
        "token.collected",
        "token.revoke_requested",
        "token.revoked",
        "token.reissued",
        "token.expired",
        "token.pruned",
        "token.unclaimed",
        "token.orphan_removed",
        "token.drift_found",
        "token.expiry_notified",
        "access.changed",
        "catalog.synced",
        "audit.exported",
        "audit.verified",
        "signin.succeeded",
        "signin.failed",
        "person.invited",
        "signin.factor_changed",
        "session.ended",
        "limit.exceeded",
        "token.adopted",
        "settings.changed",
        "history.pruned",
        "history.restored",
        "access.reviewed",
    }


def test_an_event_is_metadata_by_its_columns() -> None:
    """No column for a key, none for free-form data, and no foreign key that a deletion follows."""
    columns = {field.name: field for field in AuditEvent._meta.get_fields()}
    assert set(columns) == {
        *("seq", "at", "action", "outcome", "actor_id", "actor", "address", "user_agent"),
        *("team_id", "team", "token_id", "token_name", "owner_id", "owner"),
        *("workspace", "workspace_name", "service_account", "service_account_name"),
        *("grafana_role", "seconds_to_live", "attempt", "aws_token_id", "aws_request_id"),
        *("fingerprint", "error_code", "reason", "subject", "count"),
        *CHAIN,
    }
    for field in columns.values():
        if field.name == "text":
            continue  # it repeats the columns, and tests/audit/test_chain.py holds it to them
        assert not isinstance(
            field, models.TextField | models.JSONField | models.BinaryField | models.ForeignKey
        )


def test_a_key_that_somebody_types_is_masked() -> None:
    with transaction.atomic():
        event = audit.record(
            Action.ACCESS_CHANGED, actor=SYSTEM, reason=f"leaked: {KEY}", subject=f"{KEY} it was"
        )
    event.refresh_from_db()
    assert event.reason == "leaked: glsa_(hidden)"
    assert event.subject == "glsa_(hidden) it was"


def test_an_event_that_lacks_a_field_or_has_anothers_is_a_mistake_of_the_code(db: None) -> None:
    with transaction.atomic(), pytest.raises(TypeError, match="subject"):
        audit.record(Action.ACCESS_CHANGED, actor=SYSTEM)
    with transaction.atomic(), pytest.raises(TypeError, match="count"):
        audit.record(Action.ACCESS_CHANGED, actor=SYSTEM, subject="+ team", count=1)
    assert not AuditEvent.objects.exists()


def test_every_action_is_told_in_words() -> None:
    assert set(IN_WORDS) == set(Action)


def test_every_action_says_which_fields_its_events_have() -> None:
    assert set(FIELDS) == set(Action)


# -- What is said -------------------------------------------------------------------------------


def test_everything_about_a_token_is_copied_from_its_row(
    make_token: Callable[..., Token], engineer: User, lead: User, catalog: Catalog
) -> None:
    token = make_token(
        engineer,
        service_account=catalog.admin_account,
        name="ci-deploy",
        seconds_to_live=1234,
        attempt=3,
        aws_token_id="17",
        fingerprint="f" * 64,
    )
    before = timezone.now()
    with transaction.atomic():
        written = audit.record(
            Action.TOKEN_FAILED,
            actor=acting(lead),
            token=token,
            aws_request_id="5b1c-example",
            error_code="AccessDeniedException",
            reason="no",
        )
    [event] = AuditEvent.objects.values()
    assert abs((event["at"] - before).total_seconds()) < 60
    assert {name: value for name, value in event.items() if name not in CHAIN} == {
        "at": event["at"],
        "seq": written.seq,
        "action": "token.failed",
        "outcome": "failed",
        "actor_id": lead.pk,
        "actor": "lead@example.com",
        "address": "192.0.2.7",
        "user_agent": "test",
        "team_id": token.team_id,
        "team": "platform",
        "token_id": token.pk,
        "token_name": "ci-deploy",
        "owner_id": engineer.pk,
        "owner": "engineer@example.com",
        "workspace": "g-00000000a1",
        "workspace_name": "observability",
        "service_account": "3",
        "service_account_name": "provisioner",
        "grafana_role": "ADMIN",
        "seconds_to_live": 1234,
        "attempt": 3,
        "aws_token_id": "17",
        "aws_request_id": "5b1c-example",
        "fingerprint": "f" * 64,
        "error_code": "AccessDeniedException",
        "reason": "no",
        "subject": "",
        "count": None,
    }


def test_who_did_it_is_a_person_the_portal_or_unknown(engineer: User) -> None:
    assert Actor(user=engineer).label == "engineer@example.com"
    assert SYSTEM.label == "portal"
    assert Actor(unknown=True).label == "unknown"


def test_an_event_outlives_everything_it_tells_of(
    make_token: Callable[..., Token], engineer: User
) -> None:
    token = make_token(engineer)
    with transaction.atomic():
        audit.record(Action.TOKEN_REQUESTED, actor=acting(engineer), token=token)
    before = AuditEvent.objects.values().get()
    token.delete()
    engineer.delete()
    assert AuditEvent.objects.values().get() == before


def test_what_is_too_long_for_its_column_is_cut(engineer: User, catalog: Catalog) -> None:
    """What AWS or a browser says may be of any length, and must not stop the action."""
    long = "x" * 5000
    with transaction.atomic():
        audit.record(
            Action.TOKEN_FAILED,
            actor=Actor(user=engineer, user_agent=long),
            token=None,
            aws_request_id=long,
            error_code=long,
            reason=long,
        )
        audit.record(
            Action.TOKEN_DRIFT_FOUND,
            actor=SYSTEM,
            service_account=catalog.deployer,
            aws_token_id=long,
            aws_request_id=long,
            subject=long,
        )
    for event in AuditEvent.objects.all():
        for field in AuditEvent._meta.get_fields():
            if isinstance(field, models.CharField):
                assert len(getattr(event, field.name)) <= (field.max_length or 0)


# -- No event, no action ------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_recording_outside_a_transaction_is_refused() -> None:
    with pytest.raises(TransactionManagementError):
        audit.record(Action.SIGNIN_SUCCEEDED, actor=SYSTEM)
    assert not AuditEvent.objects.exists()


Act = Callable[[Token, User, Catalog], object]
ACTIONS: dict[str, tuple[dict[str, Any], Act]] = {
    "request": (
        {},
        lambda token, user, catalog: request(
            TokenRequest(token.team, catalog.deployer, "another", 60, "", bytes(token.public_key)),
            actor=acting(user),
        ),
    ),
    "revoke": (
        {"state": State.ACTIVE},
        lambda token, user, _: revoke(token.pk, actor=acting(user)),
    ),
    "cancel": ({}, lambda token, user, _: cancel(token.pk, actor=acting(user))),
    "deliver": (
        {"state": State.SEALED, "sealed_key": b"x", "fingerprint": sealing.fingerprint(KEY)},
        lambda token, user, _: deliver(token.pk, sealing.fingerprint(KEY), actor=acting(user)),
    ),
    "expire": (
        {"state": State.ACTIVE, "expires_at": timezone.now() - timedelta(hours=1)},
        lambda *_: sweep(),
    ),
    "wipe what nobody fetched": (
        {
            "state": State.SEALED,
            "sealed_key": b"x",
            "sealed_at": timezone.now() - timedelta(days=1),
        },
        lambda *_: sweep(),
    ),
}


@pytest.mark.parametrize(("fields", "act"), ACTIONS.values(), ids=ACTIONS)
def test_what_cannot_be_recorded_does_not_happen(
    make_token: Callable[..., Token],
    engineer: User,
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
    fields: dict[str, Any],
    act: Act,
) -> None:
    token = make_token(engineer, **fields)
    before = list(Token.objects.values())

    def full(*_: object, **__: object) -> None:
        raise DatabaseError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(rows, "write", full)
        with pytest.raises(DatabaseError):
            act(token, engineer, catalog)
    assert list(Token.objects.values()) == before
    act(token, engineer, catalog)
    assert list(Token.objects.values()) != before
    assert AuditEvent.objects.count() == 1
