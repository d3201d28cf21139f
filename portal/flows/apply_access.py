"""Makes teams, people and grants what the access file says.

Everything is written by the handful of statements that it takes, however many rows there are: a
file may hold thousands of people.
"""

from dataclasses import asdict, dataclass, field

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from portal import audit, mailbox, policy
from portal.access import AccessFile, AccessFileError, Place, Problem, Wanted, resolve, words
from portal.access.words import Change
from portal.audit import Actor
from portal.models import Action, Connection, Grant, Membership, Role, State, Team, Token, User

LIMITS = (
    "max_ttl",
    "default_ttl",
    "approval",
    "reason_required",
    "self_approval",
    "max_live",
    "max_live_per_person",
)
ANOTHER_ACCOUNT = "Its name in the access file belonged to another service account before."
_CHANGEABLE = (*LIMITS, "pool", "suspended_at", "suspended_reason")


@dataclass(slots=True)
class Plan:
    """What applying the file changes, and what becomes of tokens whose owners lose access by it."""

    changes: list[Change] = field(default_factory=list)
    ends: list[Token] = field(default_factory=list)
    """Requests that are cancelled, and keys not yet delivered that are wiped and revoked."""
    left: list[Token] = field(default_factory=list)
    """Live tokens that stay, for the lead or an admin to end."""

    @property
    def lines(self) -> list[str]:
        return [change.line for change in self.changes]


class _DryRunError(Exception):
    """Takes everything back."""


def connect(file: AccessFile, *, actor: Actor, sha256: str = "") -> Plan:
    """Make the connections that the file names, so that the catalog can be read through them."""
    with transaction.atomic():
        plan = Plan(list(_connections(file)))
        _record(plan, actor, sha256)
    return plan


def apply_access(
    file: AccessFile,
    *,
    actor: Actor,
    sha256: str = "",
    dry_run: bool = False,
    confirm: bool = True,
) -> Plan:
    """Apply the file and return what changed; with ``dry_run`` change nothing.

    The file wins on what it names: a team's people and grants become exactly those of the file, a
    team that it no longer names is closed, and where it has a list of people, nobody else is admin
    or auditor. People whom it does not name keep their account. ``confirm`` says that somebody
    stands behind the file as it is now: suspended grants that it names grant again. Without that, a
    grant whose name has come to mean another account is suspended.

    The caller has flows.end_access end what people lost by it, once this is committed. Raises
    AccessFileError, and then nothing has changed.
    """
    wanted, problems = resolve(file)
    if problems:
        raise AccessFileError(problems)
    plan = Plan()
    try:
        with transaction.atomic():
            had_none = set(policy.without_access().open().values_list("pk", flat=True))
            plan.changes += _connections(file)
            plan.changes += _people(file)
            teams, changes = _teams(file)
            plan.changes += changes
            plan.changes += _memberships(file, teams)
            plan.changes += _grants(wanted, teams, confirm=confirm)
            for token in policy.without_access().open().for_pages().order_by("team", "name"):
                if token.pk not in had_none and token.state != State.REVOKING:
                    (plan.left if token.state == State.ACTIVE else plan.ends).append(token)
            if dry_run:
                raise _DryRunError
            _record(plan, actor, sha256)
    except _DryRunError:
        pass
    except IntegrityError:
        place = Place("the file")
        busy = "somebody else changed access at the same moment; apply it again"
        raise AccessFileError([Problem(place, busy)]) from None
    return plan


def _record(plan: Plan, actor: Actor, sha256: str) -> None:
    reason = f"{words.BY_FILE}{sha256}" if sha256 else ""
    audit.record_many(Action.ACCESS_CHANGED, plan.changes, actor=actor, reason=reason)


def _connections(file: AccessFile) -> list[Change]:
    changes = []
    known = {row.name: row for row in Connection.objects.all()}
    for entry in file.connections:
        said = asdict(entry)
        row = known.get(entry.name)
        if row is None:
            Connection.objects.create(**said)
            changes.append(words.connection(entry.name, []))
        elif changed := [name for name, value in said.items() if getattr(row, name) != value]:
            Connection.objects.filter(pk=row.pk).update(**said)
            changes.append(words.connection(entry.name, changed))
    return changes


def _people(file: AccessFile) -> list[Change]:
    flags = {entry.email: (entry.admin, entry.auditor) for entry in file.people}
    emails = set(flags).union(*(team.leads + team.members for team in file.teams))
    changes, new, changed = [], [], []
    for user in User.objects.only("email", "is_admin", "is_auditor"):
        email = mailbox.folded(user.email)
        emails.discard(email)
        is_now = (user.is_admin, user.is_auditor)
        wanted = flags.get(email, (False, False) if file.names_all_admins else is_now)
        if wanted != is_now:
            user.is_admin, user.is_auditor = wanted
            changed.append(user)
            changes.append(Change(f"~ person {user.email}: now {words.rights(*wanted)}"))
    for email in sorted(emails):
        user = User(email=email)
        user.is_admin, user.is_auditor = flags.get(email, (False, False))
        user.set_unusable_password()
        new.append(user)
        rights = f": {words.rights(*flags[email])}" if any(flags.get(email, ())) else ""
        changes.append(Change(f"+ person {email}{rights}"))
    User.objects.bulk_update(changed, ["is_admin", "is_auditor"])
    User.objects.bulk_create(new)
    return changes


def _teams(file: AccessFile) -> tuple[dict[str, Team], list[Change]]:
    """The file's teams by their slugs, made or opened where need be; all others are closed."""
    known = {team.slug: team for team in Team.objects.all()}
    named: dict[str, Team] = {}
    changes: list[Change] = []
    for entry in file.teams:
        team = known.pop(entry.slug, None)
        lines = []
        if team is None:
            team = Team(slug=entry.slug, name=entry.slug)
            lines.append(f"+ team {team.slug}")
        if team.closed_at is not None:
            team.closed_at = None
            lines.append(f"~ team {team.slug}: opened again")
        groups = {"idp_groups": entry.idp_groups, "lead_idp_groups": entry.lead_idp_groups}
        for name, wanted in groups.items():
            if getattr(team, name) != list(wanted):
                setattr(team, name, list(wanted))
                lines.append(f"~ team {team.slug}: {name} now {', '.join(wanted) or 'none'}")
        if lines:
            team.save()
        named[team.slug] = team
        changes += [Change(line, team) for line in lines]
    for team in known.values():
        if team.closed_at is None:
            Team.objects.filter(pk=team.pk).update(closed_at=Now())
            changes.append(Change(f"- team {team.slug}: closed", team))
    return named, changes


def _memberships(file: AccessFile, teams: dict[str, Team]) -> list[Change]:
    before: dict[int, dict[str, Membership]] = {team.pk: {} for team in teams.values()}
    for row in Membership.objects.filter(team__in=before).select_related("user").order_by("pk"):
        before[row.team_id][mailbox.folded(row.user.email)] = row
    people = {mailbox.folded(user.email): user for user in User.objects.only("email")}
    changes: list[Change] = []
    gone, changed, new = [], [], []
    for entry in file.teams:
        team = teams[entry.slug]
        rows = before[team.pk]
        wanted = dict.fromkeys(entry.leads, Role.LEAD) | dict.fromkeys(entry.members, Role.MEMBER)
        roles = {email: row.role for email, row in rows.items()}
        changes += words.memberships(team, roles, wanted)
        gone += [row.pk for email, row in rows.items() if email not in wanted]
        for email, role in wanted.items():
            row_or_none = rows.get(email)
            if row_or_none is None:
                new.append(Membership(team=team, user=people[email], role=role))
            elif row_or_none.role != role:
                row_or_none.role = role
                changed.append(row_or_none)
    Membership.objects.filter(pk__in=gone).delete()
    Membership.objects.bulk_update(changed, ["role"])
    Membership.objects.bulk_create(new)
    return changes


def _grants(wanted: Wanted, teams: dict[str, Team], *, confirm: bool) -> list[Change]:
    before: dict[int, dict[tuple[int | None, int | None], Grant]]
    before = {team.pk: {} for team in teams.values()}
    rows = Grant.objects.filter(team__in=before).select_related("workspace", "service_account")
    for row in rows.order_by("pk"):
        before[row.team_id][row.workspace_id, row.service_account_id] = row
    changes: list[Change] = []
    gone, changed, new = [], [], []
    for slug, after in wanted.items():
        team = teams[slug]
        known = before[team.pk]
        for scope, grant in after.items():
            grant.team = team
            row_or_none = known.get(scope)
            if row_or_none is None:
                dropped = [row for scope, row in known.items() if scope not in after]
                if not confirm and _is_in_doubt(grant, dropped):
                    grant.suspended_at, grant.suspended_reason = Now(), ANOTHER_ACCOUNT
                new.append(grant)
                continue
            grant.pk = row_or_none.pk
            if not confirm:
                grant.suspended_at = row_or_none.suspended_at
                grant.suspended_reason = row_or_none.suspended_reason
            if any(getattr(grant, name) != getattr(row_or_none, name) for name in _CHANGEABLE):
                changed.append(grant)
        gone += [row.pk for scope, row in known.items() if scope not in after]
        changes += words.grants(team, known, after)
    Grant.objects.filter(pk__in=gone).delete()
    Grant.objects.bulk_update(changed, _CHANGEABLE)
    Grant.objects.bulk_create(new)
    return changes


def _is_in_doubt(grant: Grant, dropped: list[Grant]) -> bool:
    """Whether a name of the file may mean another account than the one that was reviewed.

    So it may when the team loses, in the same workspace, a grant for an account that AMG has
    changed or no longer has.
    """
    return grant.service_account is not None and any(
        row.workspace_id == grant.workspace_id
        and row.service_account is not None
        and (row.suspended_at is not None or row.service_account.gone_at is not None)
        for row in dropped
    )
