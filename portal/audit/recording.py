"""The audit log's only writer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Unpack

from django.conf import settings
from django.db import transaction

from portal.audit import chain, keys, rows, succession
from portal.audit.chain import Head
from portal.audit.head import lock_head, lock_head_and_key, read_head
from portal.audit.verify import FORMAT, key_id
from portal.audit.vocabulary import FAILURES, FIELDS, Said
from portal.logs import mask
from portal.models import Action, AuditEvent, Outcome, Team, User

_Ready = tuple[AuditEvent, str, list[Any]]
"""An event, its text but for number and time, and the columns that don't depend on the head."""

_ADDRESS = AuditEvent._meta.get_field("address")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and from where. Without a person it is the portal itself, or unknown, or
    a service of the company's that has a name here."""

    user: User | None = None
    address: str | None = None
    user_agent: str = ""
    unknown: bool = False
    service: str = ""

    @property
    def label(self) -> str:
        if self.user is None:
            return self.service or ("unknown" if self.unknown else "portal")
        return self.user.email


SYSTEM = Actor()
"""The portal itself: a worker, the sweep, a command."""
PROVISIONING = "provisioning"
"""The service that tells by SCIM who is in the company; no address of a person looks like it."""


def record(action: Action, *, actor: Actor, **said: Unpack[Said]) -> AuditEvent:
    """Write one event, with the fields that portal.audit.vocabulary gives its action.

    Locks the head of the chain until the transaction ends: lock whatever else you need before, and
    never call AWS after. Raises TransactionManagementError outside a transaction, HeadMissingError
    where the log has lost its head, WrongKeyError where AUDIT_KEY has been replaced, TypeError
    where the fields are not the action's.
    """
    event = compose(action, actor=actor, **said)
    append([event])
    return event


def compose(action: Action, *, actor: Actor, **said: Unpack[Said]) -> AuditEvent:
    """An event that ``append`` is still to write; what it says of a token is its row as of now."""
    needs, may = FIELDS[action]
    if not needs <= said.keys() <= needs | may:
        raise TypeError(f"{action} needs {sorted(needs)}, may have {sorted(may)}: {sorted(said)}")
    token, team, account = said.get("token"), said.get("team"), said.get("service_account")
    failed = Outcome.FAILED if action in FAILURES else Outcome.SUCCEEDED
    event = AuditEvent(
        action=action,
        outcome=said.get("outcome", failed),
        **_who(actor),
        aws_request_id=_clean(said.get("aws_request_id", ""), 100),
        aws_token_id=_clean(said.get("aws_token_id", ""), 40),
        error_code=_clean(said.get("error_code", ""), 80),
        # People type reasons, and may paste the key that leaked.
        reason=_clean(mask(said.get("reason", "")), 500),
        subject=_clean(mask(said.get("subject", "")), 300),
        count=said.get("count"),
    )
    if token is not None:
        team, account = token.team, token.service_account
        event.token_id = token.pk
        event.token_name = token.name
        event.owner_id = token.owner_id
        event.owner = token.owner.email
        event.seconds_to_live = token.seconds_to_live
        event.attempt = token.attempt
        event.aws_token_id = event.aws_token_id or _clean(token.aws_token_id, 40)
        event.fingerprint = token.fingerprint
    if account is not None:
        event.workspace = account.workspace.aws_id
        event.workspace_name = account.workspace.name
        event.service_account = account.aws_id
        event.service_account_name = account.name
        event.grafana_role = account.grafana_role
    if team is not None:
        event.team_id = team.pk
        event.team = team.slug
    return event


def record_many(
    action: Action, changes: Iterable[tuple[str, Team | None]], *, actor: Actor, reason: str
) -> None:
    """Write an event for each change (what changed, and whose team it is), in one go.

    An access file may change ten thousand things at once. Locks and raises as ``record`` does.
    """
    append(
        [
            compose(action, actor=actor, reason=reason, subject=subject, team=team)
            for subject, team in changes
        ]
    )


def _who(actor: Actor) -> dict[str, Any]:
    """The columns that say who acts, and from where if the settings keep that."""
    return {
        "actor_id": actor.user.pk if actor.user else None,
        "actor": actor.label,
        # In the spelling in which the database gives it back: the text must say the same.
        "address": _ADDRESS.get_prep_value(actor.address) if settings.AUDIT_ADDRESSES else None,
        "user_agent": _clean(actor.user_agent, 300) if settings.AUDIT_ADDRESSES else "",
    }


def append(events: Sequence[AuditEvent]) -> None:
    """Give each event its number, its time and its place in the chain, and write them.

    Whoever records anything waits while the head is locked: what can be made ready is ready before.
    Locks and raises as ``record`` does.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("events belong inside the transaction")
    if not events:
        return
    ready = [_ready(event) for event in events]
    head, at, key = lock_head_and_key()
    if key != key_id(keys.current()) and (subject := succession.subject_after(head)):
        ready.insert(0, _ready(compose(Action.SETTINGS_CHANGED, actor=SYSTEM, subject=subject)))
    _write(ready, head, at)


def name_key() -> None:
    """Record, at a start, that AUDIT_KEY follows another key, or which one it is; once each.

    Raises WrongKeyError where it can't be the next, and DatabaseError.
    """
    if not succession.subject_at_start(read_head()[0]):
        return
    with transaction.atomic():
        head, at = lock_head()
        if subject := succession.subject_at_start(head):
            event = compose(Action.SETTINGS_CHANGED, actor=SYSTEM, subject=subject)
            _write([_ready(event)], head, at)


def _ready(event: AuditEvent) -> _Ready:
    event.format, event.key_id = FORMAT, key_id(keys.current())
    return event, chain.body(rows.told(event)), rows.known(event)


def _write(ready: Sequence[_Ready], head: Head, at: datetime) -> None:
    key, written = keys.current(), []
    for event, body, known in ready:
        event.seq, event.at = head.seq + 1, at
        event.text, event.prev_hash, event.hash = chain.link(key, head, at, body)
        head = Head(event.seq, event.hash)
        written.append([*known, *rows.linked(event)])
    rows.write(written, head)


def _clean(text: str, longest: int) -> str:
    """Cut to its column, and without what PostgreSQL can't store: what AWS or a browser says may be
    anything, and must not stop the action."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:longest]
