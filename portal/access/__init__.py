"""The access file: what its text means, what it means today, and what is wrong with it.

The format stands in docs/ACCESS.md. Everything is checked before anything is applied.
"""

from portal.access.entries import (
    EVERY,
    AccessFile,
    AccessFileError,
    ConnectionEntry,
    GrantEntry,
    PersonEntry,
    Place,
    Problem,
    TeamEntry,
)
from portal.access.reading import load, parse
from portal.access.resolving import Resolved, Scope, Wanted, resolve
from portal.access.values import seconds

__all__ = [
    "EVERY",
    "AccessFile",
    "AccessFileError",
    "ConnectionEntry",
    "GrantEntry",
    "PersonEntry",
    "Place",
    "Problem",
    "Resolved",
    "Scope",
    "TeamEntry",
    "Wanted",
    "load",
    "parse",
    "resolve",
    "seconds",
]
