"""Binds what an access file names to the catalog as the last sync saw it.

A name must match exactly one workspace or account, and means that one from then on: what is renamed
later, or made anew under the same name, is not what was reviewed.
"""

from collections import defaultdict

from portal.access.entries import EVERY, AccessFile, GrantEntry, Place, Problem, TeamEntry
from portal.models import Grant, ServiceAccount, Workspace

Scope = tuple[int | None, int | None]
"""What a grant is for: workspace and service account, by the ids of their rows."""

Wanted = dict[str, dict[Scope, Grant]]
"""The grants that a file asks for, by team and scope; their team is still to be set."""


def resolve(file: AccessFile) -> tuple[Wanted, list[Problem]]:
    """The rows that the file's grants mean, and what in them matches nothing, or too much."""
    resolver = _Resolver()
    wanted = {team.slug: resolver.team(team) for team in file.teams}
    return wanted, resolver.problems


class _Resolver:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
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
        for entry in team.grants:
            for grant, place in self._rows(entry):
                scope = (grant.workspace_id, grant.service_account_id)
                if scope in found:
                    again = f"{grant.where} stands in another grant of the team too"
                    self.problems.append(Problem(place, again))
                found[scope] = grant
        return found

    def _rows(self, entry: GrantEntry) -> list[tuple[Grant, Place]]:
        """One grant of the file as rows: one for each account it names, or one for all of them."""
        every_account = EVERY in entry.service_accounts
        if entry.workspace == EVERY:
            if not every_account:
                text = "with every workspace goes every service account"
                self.problems.append(Problem(entry.place, text))
            return [(_row(entry, None, None), entry.place)]
        workspace = self._workspace(entry)
        if workspace is None:
            return []
        if every_account:
            return [(_row(entry, workspace, None), entry.place)]
        return [
            (_row(entry, workspace, account), entry.place_of(number))
            for number, name in enumerate(entry.service_accounts)
            if (account := self._account(workspace, name, entry.place_of(number)))
        ]

    def _workspace(self, entry: GrantEntry) -> Workspace | None:
        found = self._workspaces.get(entry.workspace, set())
        if len(found) == 1:
            return next(iter(found))
        text = f"{entry.workspace!r} matches {len(found)} workspaces, not 1"
        self.problems.append(Problem(entry.place, text))
        return None

    def _account(self, workspace: Workspace, name: str, place: Place) -> ServiceAccount | None:
        found = self._accounts.get((workspace.pk, name), set())
        if len(found) == 1:
            return next(iter(found))
        text = f"{name!r} matches {len(found)} service accounts of {workspace.name}, not 1"
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
    )
