"""What a review of access reviews: one table, whose file has one SHA-256 for one state of access.

It names nothing that changes by itself within a day but tokens: they begin and end all the time.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from portal.access import by_groups, words
from portal.access.seen import (
    Narrowed,
    count_roles,
    known_groups,
    limits_in_words,
    roles_in_words,
    why,
    why_right,
)
from portal.models import Action, AuditEvent, User

HEADING = (
    *("kind", "team", "person", "role", "why", "workspace", "workspace_id"),
    *("account", "account_id", "grafana_role", "limits", "used_in_90_days"),
    *("token", "token_name", "key_taken_by", "state", "ends_at", "last_used_on"),
)
BATCH = 1000
ISSUED = (Action.TOKEN_ISSUED, Action.TOKEN_ADOPTED)
ENDED = (Action.TOKEN_REVOKED, Action.TOKEN_EXPIRED)
MOST_COUNTED = 10_000

Line = dict[str, Any]


def rights() -> Iterator[Line]:
    """Who is admin or auditor of the whole portal."""
    people = User.objects.filter(is_active=True, is_admin=True)
    people |= User.objects.filter(is_active=True, is_auditor=True)
    found = list(people.order_by("email"))
    groups = by_groups.known({one.pk for one in found})
    mapped: dict[Any, list[str]] = dict(by_groups.groups_of_rights())
    for one in found:
        yield {
            "kind": "right",
            "person": one.email,
            "role": words.rights(one.is_admin, one.is_auditor),
            "why": why_right(one, groups.get(one.pk, set()), mapped),
        }


def members(wanted: Narrowed) -> Iterator[Line]:
    """Who belongs to which team, and as what."""
    rows = wanted.memberships().select_related("team", "user")
    found = list(rows.order_by("team__slug", "user__email"))
    groups = known_groups(found)
    for one in found:
        yield {
            "kind": "member",
            "team": one.team.slug,
            "person": one.user.email,
            "role": one.role,
            "why": why(one, groups.get(one.user_id, set())),
            "state": "" if one.user.is_active else "may not sign in",
            "used_in_90_days": _yes(one),
        }


def grants(wanted: Narrowed) -> Iterator[Line]:
    """What each team may request, and within which limits."""
    roles = count_roles()
    rows = wanted.grants().select_related("team", "workspace", "service_account")
    for one in rows.order_by(
        "team__slug", "workspace__name", "workspace_id", "service_account__name", "pk"
    ):
        account, workspace = one.service_account, one.workspace
        yield {
            "kind": "grant",
            "team": one.team.slug,
            "workspace": workspace.name if workspace else "every workspace",
            "workspace_id": workspace.aws_id if workspace else "*",
            "account": account.name if account else "every account",
            "account_id": account.aws_id if account else "*",
            "grafana_role": roles_in_words(one, roles),
            "limits": limits_in_words(one),
            "used_in_90_days": _yes(one),
        }


def tokens(wanted: Narrowed) -> Iterator[Line]:
    """What lives at AWS, as far as we know, and whose it is: for who sees all of it."""
    [rows] = wanted.tokens()  # of everything there is one part
    rows = rows.for_pages().select_related("recipient")
    for one in rows.order_by("team", "name", "pk").iterator(BATCH):
        used = one.last_used_at
        yield {
            "kind": "token",
            "team": one.team.slug,
            "person": one.owner.email,
            "workspace": one.workspace.name,
            "workspace_id": one.workspace.aws_id,
            "account": one.service_account.name,
            "account_id": one.service_account.aws_id,
            "grafana_role": one.service_account.grafana_role,
            "token": str(one.pk),
            "token_name": one.name,
            "key_taken_by": one.recipient.email if one.recipient else "",
            "state": one.state,
            "ends_at": one.ends_at,
            "last_used_on": used.date().isoformat() if used else "",
        }


def _yes(row: Any) -> str:
    return "yes" if row.is_used else "no"


def cells(line: Line) -> list[Any]:
    """A line as a row of the table."""
    return [line.get(name, "") for name in HEADING]


def digest_of_access(lines: Iterator[Line]) -> str:
    """SHA-256 of who may request what: it changes with access alone, not with its use."""
    found = hashlib.sha256()
    for line in lines:
        kept = [str(line.get(name, "")) for name in HEADING if name != "used_in_90_days"]
        found.update("\x1f".join(kept).encode() + b"\x1e")
    return found.hexdigest()


@dataclass(frozen=True, slots=True)
class Since:
    """What has changed since the last review; None: there was none."""

    last: AuditEvent | None
    changes: "QuerySet[AuditEvent]"
    issued: int
    ended: int

    @property
    def at(self) -> datetime | None:
        return self.last.at if self.last else None


def since_last_review() -> Since:
    """By the audit log: it says who changed what, and can be proved."""
    last = AuditEvent.objects.filter(action=Action.ACCESS_REVIEWED).order_by("-seq").first()
    later = AuditEvent.objects.filter(seq__gt=last.seq if last else 0)
    changes = later.filter(action=Action.ACCESS_CHANGED).order_by("-seq")
    issued, ended = (
        sum(later.filter(action=one).order_by()[:MOST_COUNTED].count() for one in actions)
        for actions in (ISSUED, ENDED)
    )
    return Since(last, changes, issued, ended)
