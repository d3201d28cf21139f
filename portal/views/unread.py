"""What of the catalog could not be read from AWS lately, in words for pages."""

from datetime import datetime

from portal import display, policy
from portal.models import Connection, User, Workspace
from portal.models.prepared import Prepared
from portal.text import isolated

unread_workspaces = Prepared(
    lambda: Workspace.objects.unread().select_related("connection"), like=[]
)
"""The workspaces that could not be read, alone or with their whole connection."""


def since(workspace: Workspace) -> datetime | None:
    """Since when it could not be read."""
    moments = (workspace.unread_since, workspace.connection.unread_since)
    return min((one for one in moments if one is not None), default=None)


def in_words(workspace: Workspace) -> str:
    """What stands beside it where people choose."""
    at = since(workspace)
    return f"could not be read since {display.minute(at)}" if at else ""


def not_offered(user: User) -> list[tuple[Workspace, datetime | None]]:
    """Workspaces that ``user`` has a grant for and whose accounts are not known: since when."""
    return [
        (one, since(one))
        for one in unread_workspaces()
        if policy.has_grant_in(user, one) and policy.workspace_for(user, one.aws_id) is None
    ]


def for_operators() -> list[tuple[str, Connection | Workspace]]:
    """Each list of workspaces, and each workspace, that could not be read, and what to call it."""
    connections = Connection.objects.filter(unread_since__isnull=False).order_by("name")
    workspaces = Workspace.objects.present().filter(unread_since__isnull=False)
    return [
        *((f"The workspaces of connection {one.name}", one) for one in connections),
        *((f"{isolated(one.name)} · {one.aws_id}", one) for one in workspaces),
    ]
