"""The audit log's only writer."""

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from portal.audit import chain, keys
from portal.audit.chain import Head
from portal.audit.head import lock_head, move_head
from portal.audit.verify import FORMAT, key_id
from portal.logs import mask
from portal.models import Action, AuditEvent, Outcome, Team, Token, User

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
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("record() belongs inside the transaction")
    event = AuditEvent(
        action=action,
        outcome=outcome,
        actor_id=actor.user.pk if actor.user else None,
        actor=actor.label,
        # In the spelling in which the database gives it back: the text must say the same.
        address=_ADDRESS.get_prep_value(actor.address) if settings.AUDIT_ADDRESSES else None,
        user_agent=_clean(actor.user_agent, 300) if settings.AUDIT_ADDRESSES else "",
        aws_request_id=_clean(aws_request_id, 100),
        error_code=_clean(error_code, 80),
        # People type reasons, and may paste the key that leaked.
        reason=_clean(mask(reason), 500),
        subject=_clean(mask(subject), 300),
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
        event.aws_token_id = _clean(aws_token_id or token.aws_token_id, 40)
        event.fingerprint = token.fingerprint
    if team is not None:
        event.team_id = team.pk
        event.team = team.slug
    _append(event)
    return event


def _append(event: AuditEvent) -> None:
    """Give the event its number, its time and its place in the chain, and write it."""
    key = keys.current()
    head, event.at = lock_head()
    told = {name: getattr(event, name) for name in chain.TOLD if name != "token"}
    told["token"] = event.token_id and str(event.token_id)
    event.seq = head.seq + 1
    event.format, event.key_id = FORMAT, key_id(key)
    event.text, event.prev_hash, event.hash = chain.link(key, head, event.at, told)
    event.save(force_insert=True)
    move_head(Head(event.seq, event.hash))


def _clean(text: str, longest: int) -> str:
    """Cut to its column, and without what PostgreSQL can't store: what AWS or a browser says may be
    anything, and must not stop the action."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:longest]
