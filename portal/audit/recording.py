"""The audit log's only writer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from portal.audit import chain, keys, rows
from portal.audit.chain import Head
from portal.audit.head import lock_head
from portal.audit.verify import FORMAT, key_id
from portal.logs import mask
from portal.models import (
    Action,
    AuditEvent,
    Outcome,
    ServiceAccount,
    Team,
    Token,
    User,
)

_ADDRESS = AuditEvent._meta.get_field("address")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and from where. Without a person it is the portal itself, or unknown."""

    user: User | None = None
    address: str | None = None
    user_agent: str = ""
    unknown: bool = False

    @property
    def label(self) -> str:
        if self.user is None:
            return "unknown" if self.unknown else "portal"
        return self.user.email


SYSTEM = Actor()
"""The portal itself: a worker, the sweep, a command."""


def record(
    action: Action,
    *,
    actor: Actor,
    outcome: Outcome = Outcome.SUCCEEDED,
    token: Token | None = None,
    team: Team | None = None,
    service_account: ServiceAccount | None = None,
    aws_request_id: str = "",
    aws_token_id: str = "",
    error_code: str = "",
    reason: str = "",
    subject: str = "",
    count: int | None = None,
) -> AuditEvent:
    """Write one event; what is said of a token is copied from its row as it stands now.

    Locks the head of the chain until the transaction ends: lock whatever else you need before, and
    never call AWS after. Raises TransactionManagementError outside a transaction, HeadMissingError
    where the log has lost its head.
    """
    _require_transaction()
    event = AuditEvent(
        action=action,
        outcome=outcome,
        **_who(actor),
        aws_request_id=_clean(aws_request_id, 100),
        aws_token_id=_clean(aws_token_id, 40),
        error_code=_clean(error_code, 80),
        # People type reasons, and may paste the key that leaked.
        reason=_clean(mask(reason), 500),
        subject=_clean(mask(subject), 300),
        count=count,
    )
    if token is not None:
        team = token.team
        service_account = token.service_account
        event.token_id = token.pk
        event.token_name = token.name
        event.owner_id = token.owner_id
        event.owner = token.owner.email
        event.seconds_to_live = token.seconds_to_live
        event.attempt = token.attempt
        event.aws_token_id = _clean(aws_token_id or token.aws_token_id, 40)
        event.fingerprint = token.fingerprint
    if service_account is not None:
        event.workspace = service_account.workspace.aws_id
        event.workspace_name = service_account.workspace.name
        event.service_account = service_account.aws_id
        event.service_account_name = service_account.name
        event.grafana_role = service_account.grafana_role
    if team is not None:
        event.team_id = team.pk
        event.team = team.slug
    _append([event])
    return event


def record_many(
    action: Action, changes: Iterable[tuple[str, Team | None]], *, actor: Actor, reason: str
) -> None:
    """Write an event for each change (what changed, and whose team it is), in one go.

    An access file may change ten thousand things at once. Locks and raises as ``record`` does.
    """
    _require_transaction()
    _append(
        [
            AuditEvent(
                action=action,
                outcome=Outcome.SUCCEEDED,
                **_who(actor),
                reason=_clean(mask(reason), 500),
                subject=_clean(mask(subject), 300),
                team_id=team.pk if team else None,
                team=team.slug if team else "",
            )
            for subject, team in changes
        ]
    )


def _require_transaction() -> None:
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("events belong inside the transaction")


def _who(actor: Actor) -> dict[str, Any]:
    """The columns that say who acts, and from where if the settings keep that."""
    return {
        "actor_id": actor.user.pk if actor.user else None,
        "actor": actor.label,
        # In the spelling in which the database gives it back: the text must say the same.
        "address": _ADDRESS.get_prep_value(actor.address) if settings.AUDIT_ADDRESSES else None,
        "user_agent": _clean(actor.user_agent, 300) if settings.AUDIT_ADDRESSES else "",
    }


def _append(events: Sequence[AuditEvent]) -> None:
    """Give each event its number, its time and its place in the chain, and write them.

    Whoever records anything waits while the head is locked: what can be made ready is ready before.
    """
    if not events:
        return
    key = keys.current()
    ready = []
    for event in events:
        event.format, event.key_id = FORMAT, key_id(key)
        ready.append((event, chain.body(rows.told(event)), rows.known(event)))
    head, at = lock_head()
    written = []
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
