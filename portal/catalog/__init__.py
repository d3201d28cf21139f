"""Which workspaces and service accounts AMG has: read from AWS, and kept as our own copy."""

from portal.catalog.bringing import Brought, read_brought
from portal.catalog.reading import (
    Listing,
    Reading,
    Trouble,
    read_workspaces,
    reading_gateway,
)
from portal.catalog.storing import (
    Stored,
    gone_from,
    is_stored,
    look_again,
    note_described,
    note_trouble,
    store_gone,
    store_workspace,
)

__all__ = [
    "Brought",
    "Listing",
    "Reading",
    "Stored",
    "Trouble",
    "gone_from",
    "is_stored",
    "look_again",
    "note_described",
    "note_trouble",
    "read_brought",
    "read_workspaces",
    "reading_gateway",
    "store_gone",
    "store_workspace",
]
