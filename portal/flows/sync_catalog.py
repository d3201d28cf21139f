"""Reads which workspaces and service accounts AMG has, and keeps our copy of that.

Each workspace is stored as soon as it is read: what comes after it can't undo that, and a reading
that is broken off has not been for nothing.
"""

import logging
from dataclasses import dataclass, field

from django.db import transaction

from portal import audit
from portal.access import words
from portal.audit import Actor
from portal.catalog import (
    Listing,
    Reading,
    Stored,
    Trouble,
    gone_from,
    is_stored,
    note_trouble,
    read_workspaces,
    reading_gateway,
    store_gone,
    store_workspace,
)
from portal.grafana import types
from portal.models import Action, Connection, Workspace
from portal.text import shown

SYNC_SECONDS = 300.0
"""How often the scheduler reads the catalog."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unread:
    """What of a connection could not be read, and why. Without a workspace: the list of them."""

    connection: str
    trouble: Trouble
    workspace: types.Workspace | None = None

    def __str__(self) -> str:
        one = self.workspace
        what = f"{one.id} ({shown(one.name) or one.id})" if one else "the list of workspaces"
        return f"{self.connection}: {what} could not be read: {self.trouble.text}"


@dataclass(slots=True)
class Synced:
    """What the reading of one connection saw and changed."""

    connection: str
    workspaces: int = 0
    service_accounts: int = 0
    changes: int = 0
    unread: list[Unread] = field(default_factory=list)


def sync_catalogs(*, actor: Actor) -> list[Synced]:
    """Bring our copy of every connection up to date, each whatever becomes of the others."""
    return [sync_catalog(connection, actor=actor) for connection in Connection.objects.all()]


def sync_catalog(connection: Connection, *, actor: Actor) -> Synced:
    """Bring our copy of one connection's workspaces and accounts up to date.

    What could not be read is named in the result and in the log, and stands on its row until it
    could be. Workspaces that could not be read last time come first.
    """
    synced = Synced(connection.name)
    gateway = reading_gateway(connection)
    listing = Listing.read(gateway)
    synced.workspaces = len(listing.workspaces)
    _note_listing(connection, listing, synced)
    if listing.trouble is not None:
        return synced
    for reading in read_workspaces(gateway, _in_order(connection, listing)):
        synced.service_accounts += len(reading.accounts or ())
        if reading.trouble is not None:
            _tell(synced, Unread(connection.name, reading.trouble, reading.workspace))
        if is_stored(connection, reading):
            continue
        with transaction.atomic():
            stored = store_workspace(connection, reading)
            _record(connection, reading, stored, actor)
        synced.changes += stored.changes
    if gone := gone_from(connection, listing):
        with transaction.atomic():
            store_gone(gone)
            subject = f"{connection.name}: workspaces that AMG no longer lists"
            audit.record(Action.CATALOG_SYNCED, actor=actor, subject=subject, count=len(gone))
        synced.changes += len(gone)
    return synced


def _note_listing(connection: Connection, listing: Listing, synced: Synced) -> None:
    """Keep what could not be read of the list itself: all of it, or rows of it."""
    known = {row.aws_id: row for row in connection.workspaces.all()}
    unknown = []
    for one in listing.left_out:
        if row := known.get(one.id):
            note_trouble(row, Trouble.of_rows([one]))
            seen = types.Workspace(row.aws_id, row.name, row.status, "", "")
            _tell(synced, Unread(connection.name, Trouble.of_rows([one]), seen))
        else:
            unknown.append(one)
    trouble = listing.trouble or (Trouble.of_rows(unknown) if unknown else None)
    note_trouble(connection, trouble)
    if trouble is not None:
        _tell(synced, Unread(connection.name, trouble))


def _in_order(connection: Connection, listing: Listing) -> list[types.Workspace]:
    """The new ones and those that could not be read come first, so that each has its turn."""
    read = set(
        Workspace.objects.filter(connection=connection, unread_since=None).values_list(
            "aws_id", flat=True
        )
    )
    return sorted(listing.workspaces, key=lambda workspace: workspace.id in read)


def _tell(synced: Synced, unread: Unread) -> None:
    synced.unread.append(unread)
    log.warning(
        "catalog.unread",
        extra={
            "connection": unread.connection,
            "workspace": unread.workspace.id if unread.workspace else "",
            "code": unread.trouble.code,
            "aws_request_id": unread.trouble.request_id,
            "why": unread.trouble.text,
        },
    )


def _record(connection: Connection, reading: Reading, stored: Stored, actor: Actor) -> None:
    for grant, why in stored.suspended:
        audit.record(
            Action.ACCESS_CHANGED,
            actor=actor,
            team=grant.team,
            subject=words.suspended(grant).line,
            reason=why,
        )
    if stored.changes:
        one = reading.workspace
        accounts = "" if reading.accounts is None else f", {len(reading.accounts)} service accounts"
        audit.record(
            Action.CATALOG_SYNCED,
            actor=actor,
            subject=f"{connection.name}: {shown(one.name) or one.id} {one.id}{accounts}",
            count=stored.changes,
        )
