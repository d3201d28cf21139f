"""What was asked for and agreed, as the audit log tells it; a worker holds the row against it.

Whoever can write to the tables, and does not hold AUDIT_KEY, can change a row and can't write an
event: so nobody is issued a token that no person has asked for, or with another owner, account,
lifetime, approval or browser (docs/THREAT_MODEL.md).
"""

import json
import uuid
from typing import Any

from portal.audit import keys
from portal.audit.succession import replaced_at
from portal.audit.verify import event_hash, key_id
from portal.models import Action, AuditEvent, Token
from portal.models.prepared import Prepared

_ENDS = {
    Action.TOKEN_DENIED,
    Action.TOKEN_CANCELLED,
    Action.TOKEN_FAILED,
    Action.TOKEN_ISSUED,
}
"""Events after which a request is not issued (again)."""

_told = Prepared(
    lambda token_id: (
        AuditEvent.objects.filter(token_id=token_id)
        .order_by("seq")
        .values_list("seq", "text", "prev_hash", "hash")
    ),
    like=[uuid.UUID(int=0)],
)


class NotAgreedError(Exception):
    """The row is not what was asked for and agreed; says what differs."""


def require_agreement(token: Token) -> None:
    """Raise NotAgreedError unless the log tells that this row was asked for as it is.

    Events of portal versions that did not tell the browser's key bind all but that.
    """
    asked: dict[str, Any] = {}
    lifetime, is_approved, is_over = 0, False, False
    for said in _genuine(token.pk):
        action = said["action"]
        if action in (Action.TOKEN_REQUESTED, Action.TOKEN_COLLECTED):
            asked = said
            is_over = False
        if action == Action.TOKEN_REQUESTED:
            is_approved = False
        elif action == Action.TOKEN_APPROVED:
            is_approved = True
        elif action in _ENDS:
            is_over = True
        if action in (Action.TOKEN_REQUESTED, Action.TOKEN_APPROVED, Action.TOKEN_COLLECTED):
            lifetime = said["seconds_to_live"]
    account = token.service_account
    for is_so, what in (
        (bool(asked), "nobody has asked for it"),
        (not is_over, "the request was over"),
        (asked.get("owner_id") == token.owner_id, "its owner"),
        (asked.get("team_id") == token.team_id, "its team"),
        (asked.get("workspace") == account.workspace.aws_id, "its workspace"),
        (asked.get("service_account") == account.aws_id, "its service account"),
        (token.seconds_to_live <= lifetime, "its lifetime"),
        (token.approved_at is None or is_approved, "its approval"),
        (asked.get("subject", "") in ("", token.sealed_to), "the browser that gets its key"),
    ):
        if not is_so:
            raise NotAgreedError(what)


def _genuine(token_id: uuid.UUID) -> list[dict[str, Any]]:
    """What the events of a token say, each of which one of our keys has signed."""
    by_id = {key_id(key): key for key in keys.every()}
    found = []
    for seq, text, prev_hash, own_hash in _told(token_id):
        said = json.loads(text)
        key = by_id.get(said["key_id"])
        if key is None or event_hash(key, prev_hash.encode(), text.encode()) != own_hash:
            raise NotAgreedError(f"event {seq} of the audit log was not written by the portal")
        if key != keys.current() and seq > (replaced_at(key) or seq):
            raise NotAgreedError(f"event {seq} is under an audit key that was replaced before")
        if said["token"] == str(token_id):
            found.append(said)
    return found
