"""What the request form offers, and how much room there is for one more token."""

from collections.abc import Collection
from typing import Any

from django.conf import settings

from portal import policy
from portal.models import User, Workspace
from portal.policy import Choice, Room
from portal.text import isolated
from portal.views.unread import in_words


def catalog(
    choices: list[Choice], user: User, unread: Collection[Workspace] = ()
) -> list[dict[str, Any]]:
    """What the form offers ``user``, as the page's script reads it: workspaces with accounts.

    ``unread`` are those that could not be read lately: what is offered there may be old.
    """
    not_read = {one.aws_id: in_words(one) for one in unread}
    room = policy.room(user, choices)
    workspaces: dict[str, dict[str, Any]] = {}
    for choice in choices:
        account = choice.service_account
        workspace = workspaces.setdefault(
            account.workspace.aws_id,
            _workspace(account.workspace, room, not_read.get(account.workspace.aws_id, "")),
        )
        entry = workspace["accounts"].setdefault(
            account.aws_id,
            {
                "id": account.aws_id,
                "name": isolated(account.name),
                "role": isolated(account.grafana_role),
                "obstacle": account.obstacle,
                "teams": [],
            },
        )
        entry["teams"].append(
            {
                "slug": choice.team.slug,
                "name": choice.team.name,
                "max_ttl": choice.limits.max_ttl,
                "default_ttl": choice.limits.default_ttl,
                "reason_required": choice.limits.reason_required,
                "needs_approval": choice.limits.needs_approval,
                "room": _live(choice, room),
                "shortage": getattr(room.shortage_of_grant(choice), "message", ""),
            }
        )
    return [
        {**workspace, "accounts": list(workspace["accounts"].values())}
        for workspace in workspaces.values()
    ]


def _workspace(workspace: Workspace, room: Room, unread: str) -> dict[str, Any]:
    used, expired = room.used(workspace.pk)
    cleaned_up = f", {expired} of them expired and being cleaned up" if expired else ""
    full = room.full(workspace.pk)
    return {
        "id": workspace.aws_id,
        "name": isolated(workspace.name),
        "obstacle": workspace.obstacle or (full.message if full else ""),
        "unread": unread,
        "room": (f"It {unread}: what is offered may be old. " if unread else "")
        + f"It has {used} of AMG's {settings.TOKEN_QUOTA} tokens{cleaned_up}.",
        "accounts": {},
    }


def _live(choice: Choice, room: Room) -> str:
    """How much of a grant's limits is used, where it has any."""
    limits = choice.limits
    team, own = room.live(choice)
    parts = []
    if limits.max_live is not None:
        parts.append(f"team {choice.team.name} has {team} of at most {limits.max_live}")
    if limits.max_live_per_person is not None:
        parts.append(f"you have {own} of at most {limits.max_live_per_person}")
    return f"Live tokens under this grant: {', '.join(parts)}." if parts else ""
