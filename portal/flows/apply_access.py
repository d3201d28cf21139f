"""Makes teams, people and grants what the access file says."""

from dataclasses import asdict, dataclass, field

from django.db import transaction
from django.db.models.functions import Now

from portal import audit
from portal.access import EVERY, AccessFile, AccessFileError, GrantEntry, TeamEntry
from portal.audit import Actor
from portal.models import (
    Action,
    Connection,
    Grant,
    Membership,
    Role,
    ServiceAccount,
    Team,
    User,
    Workspace,
)


@dataclass(slots=True)
class Plan:
    """What applying the file changes, one line each."""

    lines: list[str] = field(default_factory=list)


class _DryRunError(Exception):
    """Takes everything back."""


def connect(file: AccessFile) -> list[str]:
    """Make the connections that the file names, so that the catalog can be read through them.

    Returns what changed, one line each.
    """
    lines = []
    for entry in file.connections:
        row = Connection.objects.filter(name=entry.name).first()
        wanted = asdict(entry)
        if row is None:
            Connection.objects.create(**wanted)
            lines.append(f"+ connection {entry.name}")
        elif wanted != {field: getattr(row, field) for field in wanted}:
            Connection.objects.filter(pk=row.pk).update(**wanted)
            lines.append(f"~ connection {entry.name}")
    return lines


def apply_access(
    file: AccessFile, *, actor: Actor, sha256: str = "", dry_run: bool = False
) -> Plan:
    """Apply the file and return what changed; with ``dry_run`` change nothing.

    The file wins on what it names: a team's people and grants become exactly those of the file, a
    team that it no longer names is closed. People whom it does not name keep their account.
    Raises AccessFileError, and then nothing has changed.
    """
    plan = Plan()
    try:
        with transaction.atomic():
            plan.lines += connect(file)
            _people(file, plan)
            problems: list[str] = []
            for entry in file.teams:
                _team(entry, plan, problems)
            if problems:
                raise AccessFileError(problems)
            _close_others(file, plan)
            for line in plan.lines:
                audit.record(
                    Action.ACCESS_CHANGED, actor=actor, subject=line, reason=f"file {sha256}"
                )
            if dry_run:
                raise _DryRunError
    except _DryRunError:
        pass
    return plan


def _people(file: AccessFile, plan: Plan) -> None:
    named = {entry.email: entry for entry in file.people}
    emails = set(named)
    for team in file.teams:
        emails.update(team.leads, team.members)
    known = {user.email: user for user in User.objects.filter(email__in=emails)}
    for email in sorted(emails):
        user = known.get(email)
        if user is None:
            user = User(email=email)
            user.set_unusable_password()
            user.save()
            plan.lines.append(f"+ person {email}")
        entry = named.get(email)
        flags = (entry.admin, entry.auditor) if entry else (user.is_admin, user.is_auditor)
        if (user.is_admin, user.is_auditor) != flags:
            user.is_admin, user.is_auditor = flags
            user.save(update_fields=["is_admin", "is_auditor"])
            plan.lines.append(f"~ person {email}: admin {flags[0]}, auditor {flags[1]}")


def _team(entry: TeamEntry, plan: Plan, problems: list[str]) -> None:
    team, is_new = Team.objects.get_or_create(slug=entry.slug, defaults={"name": entry.slug})
    if is_new:
        plan.lines.append(f"+ team {entry.slug}")
    if team.closed_at is not None:
        team.closed_at = None
        team.save(update_fields=["closed_at"])
        plan.lines.append(f"~ team {entry.slug}: opened again")
    _memberships(team, entry, plan)
    _grants(team, entry, plan, problems)


def _memberships(team: Team, entry: TeamEntry, plan: Plan) -> None:
    wanted = dict.fromkeys(entry.members, Role.MEMBER) | dict.fromkeys(entry.leads, Role.LEAD)
    for membership in team.memberships.select_related("user"):
        role = wanted.pop(membership.user.email, None)
        if role is None:
            membership.delete()
            plan.lines.append(f"- {membership.role} {membership.user.email} of {team.slug}")
        elif role != membership.role:
            membership.role = role
            membership.save(update_fields=["role"])
            plan.lines.append(f"~ {membership.user.email} of {team.slug}: now {role.value}")
    people = {user.email: user for user in User.objects.filter(email__in=wanted)}
    for email, role in wanted.items():
        Membership.objects.create(team=team, user=people[email], role=role)
        plan.lines.append(f"+ {role.value} {email} of {team.slug}")


def _grants(team: Team, entry: TeamEntry, plan: Plan, problems: list[str]) -> None:
    wanted: dict[tuple[int | None, int | None], Grant] = {}
    for number, grant in enumerate(entry.grants):
        place = f"teams.{entry.slug}.grants[{number}]"
        for row in _rows(team, grant, place, problems):
            key = (row.workspace_id, row.service_account_id)
            if key in wanted:
                problems.append(f"{place}: {_where(row)} stands in another grant of the team too")
            wanted[key] = row
    for existing in team.grants.select_related("workspace", "service_account"):
        key = (existing.workspace_id, existing.service_account_id)
        if key not in wanted:
            existing.delete()
            plan.lines.append(f"- grant of {team.slug} for {_where(existing)}")
            continue
        row = wanted.pop(key)
        if _limits(row) != _limits(existing):
            row.pk = existing.pk
            row.save(force_update=True)
            plan.lines.append(f"~ grant of {team.slug} for {_where(row)}")
    for row in wanted.values():
        row.save(force_insert=True)
        plan.lines.append(f"+ grant of {team.slug} for {_where(row)}")


def _rows(team: Team, grant: GrantEntry, place: str, problems: list[str]) -> list[Grant]:
    """One grant of the file as rows: one for each account it names, or one for all of them."""

    def row(workspace: Workspace | None, account: ServiceAccount | None = None) -> Grant:
        return Grant(
            team=team,
            workspace=workspace,
            service_account=account,
            max_ttl=grant.max_ttl,
            default_ttl=grant.default_ttl,
            approval=grant.approval,
            reason_required=grant.reason_required,
            self_approval=grant.self_approval,
            max_live=grant.max_live,
            max_live_per_person=grant.max_live_per_person,
        )

    every_account = EVERY in grant.service_accounts
    if grant.workspace == EVERY:
        if not every_account:
            problems.append(f"{place}: with every workspace goes every service account")
        return [row(None)]
    workspaces = [
        workspace
        for workspace in Workspace.objects.present()
        if grant.workspace in (workspace.aws_id, workspace.name)
    ]
    if len(workspaces) != 1:
        problems.append(f"{place}.workspace: {grant.workspace!r} matches {len(workspaces)}, not 1")
        return []
    if every_account:
        return [row(workspaces[0])]
    rows = []
    present = list(workspaces[0].service_accounts.filter(gone_at=None))
    for wanted in grant.service_accounts:
        accounts = [account for account in present if wanted in (account.aws_id, account.name)]
        if len(accounts) == 1:
            rows.append(row(workspaces[0], accounts[0]))
        else:
            problems.append(
                f"{place}.service_accounts: {wanted!r} matches {len(accounts)} accounts of "
                f"{workspaces[0].name}, not 1"
            )
    return rows


def _limits(grant: Grant) -> tuple[object, ...]:
    return (
        grant.max_ttl,
        grant.default_ttl,
        grant.approval,
        grant.reason_required,
        grant.self_approval,
        grant.max_live,
        grant.max_live_per_person,
    )


def _where(grant: Grant) -> str:
    if grant.workspace is None:
        return "every workspace"
    account = grant.service_account.name if grant.service_account else "every account"
    return f"{grant.workspace.name} / {account}"


def _close_others(file: AccessFile, plan: Plan) -> None:
    named = [entry.slug for entry in file.teams]
    for team in Team.objects.filter(closed_at=None).exclude(slug__in=named):
        Team.objects.filter(pk=team.pk).update(closed_at=Now())
        plan.lines.append(f"- team {team.slug}: closed")
