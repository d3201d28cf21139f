"""Binds what an access file names to the catalog as the last sync saw it.

A name must match exactly one workspace or account, and means that one from then on: what is renamed
later, or made anew under the same name, is not what was reviewed.
"""

from collections import defaultdict
from dataclasses import dataclass

from portal.access.document import quoted
from portal.access.entries import EVERY, AccessFile, GrantEntry, Place, Problem, TeamEntry
from portal.models import Approval, Grant, ServiceAccount, Workspace
from portal.text import shown

Scope = tuple[int | None, int | None]
"""What a grant is for: workspace and service account, by the ids of their rows."""

LIMITS = (
    "max_ttl",
    "default_ttl",
    "approval",
    "reason_required",
    "self_approval",
    "max_live",
    "max_live_per_person",
    "max_overlap",
)
"""What a grant limits, by the names of its columns."""

Wanted = dict[str, dict[Scope, Grant]]
"""The grants that a file asks for, by team and scope; their team is still to be set."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The rows that a file's grants mean, and what in them matches nothing, or too much.

    ``warnings`` are about grants that overlap.
    """

    wanted: Wanted
    problems: list[Problem]
    warnings: list[Problem]


def resolve(file: AccessFile) -> Resolved:
    """Bind the file's grants to the catalog."""
    resolver = _Resolver()
    wanted = {team.slug: resolver.team(team) for team in file.teams}
    return Resolved(wanted, resolver.problems, resolver.warnings)


class _Resolver:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._workspaces: dict[str, set[Workspace]] = defaultdict(set)
        self._accounts: dict[tuple[int, str], set[ServiceAccount]] = defaultdict(set)
        for workspace in Workspace.objects.present():
            for key in (workspace.aws_id, workspace.name):
                self._workspaces[key].add(workspace)
        for account in ServiceAccount.objects.present():
            for key in (account.aws_id, account.name):
                self._accounts[account.workspace_id, key].add(account)

    def team(self, team: TeamEntry) -> dict[Scope, Grant]:
        found: dict[Scope, Grant] = {}
        said: dict[Scope, GrantEntry] = {}
        for number, entry in enumerate(team.grants, 1):
            rows = self._rows(entry)
            for grant in rows:
                grant.pool = str(number) if len(rows) > 1 else ""
                scope = (grant.workspace_id, grant.service_account_id)
                if scope in found:
                    self._warn_of_twice(entry, said[scope], grant)
                found[scope] = _strictest(found[scope], grant) if scope in found else grant
                said[scope] = entry
        self._warn_of_exceptions(found, said)
        return found

    def _warn_of_twice(self, entry: GrantEntry, before: GrantEntry, grant: Grant) -> None:
        if before is entry:  # the id and the name of one account
            text = f"names {grant.where} twice"
        else:
            text = (
                f"{grant.where} has a grant at line {before.place.line} too: of each limit the "
                "stricter one counts"
            )
        self.warnings.append(Problem(entry.place, text))

    def _warn_of_exceptions(self, found: dict[Scope, Grant], said: dict[Scope, GrantEntry]) -> None:
        """Say where a narrower grant counts in place of a broader one with other limits."""
        told = set()
        for (workspace, account), grant in found.items():
            broader = [(workspace, None)] if account is not None else []
            broader += [(None, None)] if workspace is not None else []
            scope = next((one for one in broader if one in found), None)
            if scope is None or _limits(found[scope]) == _limits(grant):
                continue
            narrow, broad = said[workspace, account], said[scope]
            if (pair := (id(narrow), id(broad))) in told:
                continue
            told.add(pair)
            text = (
                f"for {grant.where} these limits count alone, and not those of the broader grant "
                f"at line {broad.place.line}"
            )
            self.warnings.append(Problem(narrow.place, text))

    def _rows(self, entry: GrantEntry) -> list[Grant]:
        """One grant of the file as rows: one for each account it names, or one for all of them."""
        every_account = EVERY in entry.service_accounts
        if entry.workspace == EVERY:
            if not every_account:
                text = "with every workspace goes every service account"
                self.problems.append(Problem(entry.place, text))
            return [_row(entry, None, None)]
        workspace = self._workspace(entry)
        if workspace is None:
            return []
        if every_account:
            return [_row(entry, workspace, None)]
        return [
            _row(entry, workspace, account)
            for number, name in enumerate(entry.service_accounts)
            if (account := self._account(workspace, name, entry.place_of(number)))
        ]

    def _workspace(self, entry: GrantEntry) -> Workspace | None:
        found = self._workspaces.get(entry.workspace, set())
        if len(found) == 1:
            return next(iter(found))
        text = f"{quoted(entry.workspace)} matches {len(found)} workspaces, not 1"
        self.problems.append(Problem(entry.place, text))
        return None

    def _account(self, workspace: Workspace, name: str, place: Place) -> ServiceAccount | None:
        found = self._accounts.get((workspace.pk, name), set())
        if len(found) == 1:
            return next(iter(found))
        there = f"{len(found)} service accounts of {shown(workspace.name)}"
        text = f"{quoted(name)} matches {there}, not 1"
        self.problems.append(Problem(place, text))
        return None


def _row(entry: GrantEntry, workspace: Workspace | None, account: ServiceAccount | None) -> Grant:
    return Grant(
        workspace=workspace,
        service_account=account,
        max_ttl=entry.max_ttl,
        default_ttl=entry.default_ttl,
        approval=entry.approval,
        reason_required=entry.reason_required,
        self_approval=entry.self_approval,
        max_live=entry.max_live,
        max_live_per_person=entry.max_live_per_person,
        max_overlap=entry.max_overlap,
    )


def _limits(grant: Grant) -> list[object]:
    return [getattr(grant, name) for name in LIMITS]


def _strictest(one: Grant, other: Grant) -> Grant:
    """Of two grants for the same, what both allow."""
    return Grant(
        workspace=one.workspace,
        service_account=one.service_account,
        max_ttl=min(one.max_ttl, other.max_ttl),
        default_ttl=min(one.default_ttl, other.default_ttl),
        approval=max(one.approval, other.approval, key=Approval.values.index),
        reason_required=one.reason_required or other.reason_required,
        self_approval=one.self_approval and other.self_approval,
        max_live=_least(one.max_live, other.max_live),
        max_live_per_person=_least(one.max_live_per_person, other.max_live_per_person),
        max_overlap=min(one.max_overlap, other.max_overlap),
        pool=one.pool or other.pool,
    )


def _least(one: int | None, other: int | None) -> int | None:
    """The lesser limit; None is no limit."""
    return min((limit for limit in (one, other) if limit is not None), default=None)
