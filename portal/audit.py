"""The audit log's only writer.

Call ``record`` inside the transaction that does what it tells of: if the event can't be written,
the action does not happen.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from portal.logs import mask
from portal.models import Action, AuditEvent, Outcome, Team, Token, User


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
    aws_request_id: str = "",
    aws_token_id: str = "",
    error_code: str = "",
    reason: str = "",
    subject: str = "",
    count: int | None = None,
) -> AuditEvent:
    """Write one event; what is said of a token is copied from its row as it stands now.

    Raises TransactionManagementError outside a transaction.
    """
    _require_transaction()
    event = AuditEvent(
        action=action,
        outcome=outcome,
        actor_id=actor.user.pk if actor.user else None,
        actor=actor.label,
        address=actor.address,
        user_agent=actor.user_agent[:300],
        aws_request_id=aws_request_id[:100],
        error_code=error_code[:80],
        # People type reasons, and may paste the key that leaked.
        reason=mask(reason)[:500],
        subject=mask(subject)[:300],
        count=count,
    )
    if token is not None:
        team = token.team
        account = token.service_account
        event.token_id = token.pk
        event.token_name = token.name
        event.owner_id = token.owner_id
        event.owner = token.owner.email
        event.workspace = token.workspace.aws_id
        event.workspace_name = token.workspace.name
        event.service_account = account.aws_id
        event.service_account_name = account.name
        event.grafana_role = account.grafana_role
        event.seconds_to_live = token.seconds_to_live
        event.attempt = token.attempt
        event.aws_token_id = (aws_token_id or token.aws_token_id)[:40]
        event.fingerprint = token.fingerprint
    if team is not None:
        event.team_id = team.pk
        event.team = team.slug
    event.save(force_insert=True)
    return event


def record_many(
    action: Action, changes: Iterable[tuple[str, Team | None]], *, actor: Actor, reason: str
) -> None:
    """Write an event for each change (what changed, and whose team it is), in one go.

    An access file may change ten thousand things at once. Raises TransactionManagementError outside
    a transaction.
    """
    _require_transaction()
    AuditEvent.objects.bulk_create(
        AuditEvent(
            action=action,
            outcome=Outcome.SUCCEEDED,
            actor_id=actor.user.pk if actor.user else None,
            actor=actor.label,
            address=actor.address,
            user_agent=actor.user_agent[:300],
            reason=mask(reason)[:500],
            subject=mask(subject)[:300],
            team_id=team.pk if team else None,
            team=team.slug if team else "",
        )
        for subject, team in changes
    )


def _require_transaction() -> None:
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("events belong inside the transaction")
