"""Asks AMG for the workspaces of a connection and their service accounts. Nothing is written.

What can't be read of one workspace is that workspace's trouble: the others are read all the same.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from portal.gateway import Gateway, NotYetError
from portal.grafana import types
from portal.grafana.errors import (
    ConflictException,
    GrafanaError,
    NoAnswer,
    NotSent,
    ResourceNotFoundException,
    ThrottlingException,
    ValidationException,
)
from portal.grafana.types import LeftOut
from portal.models import Connection

PATIENCE = 120.0
"""Seconds that the reading of one connection waits for its turns and for AWS's throttling."""
MOST_SILENT = 3
"""Workspaces in a row for which AWS gives no answer; the others are then not asked for."""
MALFORMED = "MalformedAnswer"
NO_TURN = "NoTurn"

_SILENT = (NoAnswer, NotSent, NotYetError, ThrottlingException)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something could not be read: AWS's code and request id, and a line for operators."""

    code: str
    request_id: str
    text: str

    @classmethod
    def of(cls, error: GrafanaError | NotYetError) -> "Trouble":
        if isinstance(error, NotYetError):
            why = f"{NO_TURN}: AWS was to be called later than this reading waits ({error})"
            return cls(NO_TURN, "", why)
        return cls(error.code[:80], error.request_id[:100], str(error))

    @classmethod
    def of_rows(cls, left_out: list[LeftOut]) -> "Trouble":
        """Rows that are not what AWS documents; the first says why."""
        first, *others = left_out
        more = f" (and {len(others)} more)" if others else ""
        request = f" (request {first.request_id})" if first.request_id else ""
        return cls(MALFORMED, first.request_id, f"{MALFORMED}{request}: {first.why}{more}")


@dataclass(slots=True)
class Listing:
    """The workspaces of a connection; those that can't be read are in ``left_out``."""

    workspaces: tuple[types.Workspace, ...] = ()
    left_out: list[LeftOut] = field(default_factory=list)
    trouble: Trouble | None = None
    """Why there is no list."""

    @classmethod
    def read(cls, gateway: Gateway) -> "Listing":
        listing = cls()
        try:
            listing.workspaces = gateway.list_workspaces(left_out=listing.left_out)
        except (GrafanaError, NotYetError) as error:
            return cls(trouble=Trouble.of(error))
        return listing


@dataclass(frozen=True, slots=True)
class Reading:
    """One workspace and its service accounts."""

    workspace: types.Workspace
    accounts: tuple[types.ServiceAccount, ...] | None
    """None when they could not be read: what is known of them stays."""
    hidden: frozenset[str] = frozenset()
    """The ids of accounts that can't be read; "" one whose id can't be read either."""
    trouble: Trouble | None = None


def reading_gateway(connection: Connection, *, until: float | None = None) -> Gateway:
    """A gateway that waits for AWS as long as a reading may; ``until`` as Gateway has it."""
    return Gateway(connection, until=until, patience=PATIENCE)


def read_workspaces(gateway: Gateway, workspaces: Iterable[types.Workspace]) -> Iterator[Reading]:
    """Each workspace with its accounts, or with the reason why there are none.

    When AWS is silent for several in a row the others share that reason, and nobody waits for them.
    """
    silent = 0
    last: Trouble | None = None
    for workspace in workspaces:
        if silent >= MOST_SILENT:
            yield Reading(workspace, None, trouble=last)
            continue
        reading, was_silent = _read(gateway, workspace)
        silent = silent + 1 if was_silent else 0
        if reading.trouble is not None:
            last = Trouble(reading.trouble.code, "", f"not asked for after {reading.trouble.code}")
        yield reading


def _read(gateway: Gateway, workspace: types.Workspace) -> tuple[Reading, bool]:
    """One workspace, and whether AWS was silent."""
    left_out: list[LeftOut] = []
    try:
        accounts = gateway.list_service_accounts(workspace.id, left_out=left_out)
    except ResourceNotFoundException:
        return Reading(workspace, ()), False
    except (GrafanaError, NotYetError) as error:
        if isinstance(error, ValidationException | ConflictException) and not _runs(workspace):
            return Reading(workspace, None), False
        return Reading(workspace, None, trouble=Trouble.of(error)), isinstance(error, _SILENT)
    trouble = Trouble.of_rows(left_out) if left_out else None
    return Reading(workspace, accounts, frozenset(one.id for one in left_out), trouble), False


def _runs(workspace: types.Workspace) -> bool:
    """Whether it should have service accounts: one that is being made, or runs Grafana 8, has none,
    and AWS says so by a refusal."""
    major, _, _ = workspace.grafana_version.partition(".")
    return workspace.status == "ACTIVE" and not (major.isdecimal() and int(major) < 9)
