"""The catalogs of connections that an access file brings: read before there is a row for any.

A grant can be bound to a workspace only when that is known, and the connection that leads to it
stands in the same file. So AWS is asked first, outside any transaction, and what it said is stored
together with the rest of the file, or thrown away with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from portal.access import ConnectionEntry
from portal.catalog.reading import Listing, Reading, Trouble, read_workspaces, reading_gateway
from portal.catalog.storing import Stored, gone_from, note_trouble, store_gone, store_workspace
from portal.models import Connection
from portal.text import shown


@dataclass(slots=True)
class Brought:
    """What AWS says of one connection of the file."""

    entry: ConnectionEntry
    listing: Listing
    readings: list[Reading] = field(default_factory=list)

    @property
    def troubles(self) -> list[str]:
        """What could not be read, each in a line for operators."""
        told = []
        if trouble := self._trouble_of_listing:
            told.append(f"the list of workspaces could not be read: {trouble.text}")
        for one in self.readings:
            if one.trouble is not None:
                what = f"{one.workspace.id} ({shown(one.workspace.name) or one.workspace.id})"
                told.append(f"{what} could not be read: {one.trouble.text}")
        return told

    @property
    def subject(self) -> str:
        """What was read, for the log."""
        accounts = sum(len(one.accounts or ()) for one in self.readings)
        return f"{self.entry.name}: {len(self.readings)} workspaces, {accounts} service accounts"

    def store(self, connection: Connection) -> Stored:
        """Bring our copy up to date, inside a transaction."""
        note_trouble(connection, self._trouble_of_listing)
        stored = Stored()
        if self.listing.trouble is not None:
            return stored
        for reading in self.readings:
            one = store_workspace(connection, reading)
            stored.changes += one.changes
            stored.suspended += one.suspended
        if gone := gone_from(connection, self.listing):
            store_gone(gone)
            stored.changes += len(gone)
        return stored

    @property
    def _trouble_of_listing(self) -> Trouble | None:
        left_out = self.listing.left_out
        return self.listing.trouble or (Trouble.of_rows(left_out) if left_out else None)


def read_brought(
    entries: Iterable[ConnectionEntry], *, until: float | None = None
) -> list[Brought]:
    """Read the catalogs of those connections that are new, or say something else than their rows,
    or of which nothing is known yet. Writes nothing.

    Where somebody waits for it, ``until`` (``time.monotonic()``) is when the last call to AWS may
    begin: what is not read by then counts as trouble.
    """
    known = {row.name: row for row in Connection.objects.all()}
    seen = set(Connection.objects.filter(workspaces__isnull=False).values_list("name", flat=True))
    brought = []
    for entry in entries:
        row = Connection(name=entry.name, **entry.settings)
        before = known.get(entry.name)
        if before and entry.name in seen and before.client_settings == row.client_settings:
            continue
        gateway = reading_gateway(row, until=until)
        listing = Listing.read(gateway)
        readings = list(read_workspaces(gateway, listing.workspaces))
        brought.append(Brought(entry, listing, readings))
    return brought
