"""Makes teams, people and grants what the access file says.

Everything is written by the handful of statements that it takes, however many rows there are: a
file may hold thousands of people.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from portal import audit, mailbox, policy
from portal.access import AccessFile, AccessFileError, Place, Problem, by_groups, resolve, words
from portal.access.granting import write_grants
from portal.access.joining import write_memberships
from portal.access.words import Change
from portal.audit import Actor
from portal.catalog import Brought
from portal.models import (
    Action,
    Connection,
    GroupRight,
    Right,
    State,
    Team,
    Token,
    User,
)

NO_ADMIN = "nobody is admin, neither by name nor by admin_idp_groups"


@dataclass(slots=True)
class Plan:
    """What applying the file changes, and what becomes of tokens whose owners lose access by it."""

    changes: list[Change] = field(default_factory=list)
    ends: list[Token] = field(default_factory=list)
    """Requests that are cancelled, and keys not yet delivered that are wiped and revoked."""
    left: list[Token] = field(default_factory=list)
    """Live tokens that stay, for the lead or an admin to end."""
    warnings: list[Problem] = field(default_factory=list)
    """What may mean something else than the file's author thinks."""

    @property
    def lines(self) -> list[str]:
        return [change.line for change in self.changes]

    @property
    def digest(self) -> str:
        """SHA-256 of all that it does: two plans with one digest do the same."""
        marked = [("x", self.ends), ("!", self.left)]
        lost = sorted(f"{mark} {one.pk}" for mark, tokens in marked for one in tokens)
        return hashlib.sha256("\n".join([*self.lines, *lost]).encode()).hexdigest()


class PlanChangedError(Exception):
    """The file would do something else by now than what somebody has agreed to."""

    def __init__(self, plan: Plan) -> None:
        super().__init__("the plan has changed")
        self.plan = plan


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
    brought: Sequence[Brought] = (),
    leave_no_admin: bool = False,
    agreed: str | None = None,
) -> Plan:
    """Apply the file and return what changed; with ``dry_run`` change nothing.

    The file wins on what it names: a team's people and grants become exactly those of the file, a
    team that it no longer names is closed, and where it has a list of people, nobody else is admin
    or auditor. People whom it does not name keep their account. ``confirm`` says that somebody
    stands behind the file as it is now: suspended grants that it names grant again. Without that, a
    grant whose name has come to mean another account is suspended.

    ``brought`` is what AWS says of connections that the file brings (catalog.read_brought): it is
    stored first, so that grants can name what is there. A file after which nobody is admin is a
    mistake, unless ``leave_no_admin``. ``agreed`` is the digest of the plan that somebody has seen:
    raises PlanChangedError where that is no longer what would be done.

    The caller has flows.end_access end what people lost by it, once this is committed. Raises
    AccessFileError, and then nothing has changed.
    """
    if not (leave_no_admin or leaves_an_admin(file)):
        text = f"after it {NO_ADMIN}: name one, or say --leave-no-admin if that is meant"
        raise AccessFileError([Problem(Place("the file"), text)])
    plan = Plan(warnings=list(file.warnings))
    try:
        with transaction.atomic():
            had_none = set(policy.without_access().open().values_list("pk", flat=True))
            plan.changes += _connections(file)
            synced = _store(brought, plan)
            resolved = resolve(file)
            if resolved.problems:
                raise AccessFileError([*resolved.problems, *_unread(brought)])
            plan.warnings += [*resolved.warnings, *_unread(brought)]
            plan.changes += _people(file)
            plan.changes += _rights_of_groups(file)
            teams, changes = _teams(file)
            plan.changes += changes
            plan.changes += write_memberships(file, teams)
            plan.changes += write_grants(resolved.wanted, teams, confirm=confirm)
            for token in policy.without_access().open().for_pages().order_by("team", "name"):
                if token.pk not in had_none and token.state != State.REVOKING:
                    (plan.left if token.state == State.ACTIVE else plan.ends).append(token)
            if dry_run:
                raise _DryRunError
            if agreed is not None and plan.digest != agreed:
                raise PlanChangedError(plan)
            _record(plan, actor, sha256)
            for subject, count in synced.items():
                audit.record(Action.CATALOG_SYNCED, actor=actor, subject=subject, count=count)
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


def leaves_an_admin(file: AccessFile) -> bool:
    """Whether somebody is admin after the file: by it, by a group, or as they were before."""
    if file.admin_idp_groups:
        return True
    active = User.objects.filter(is_active=True)
    if not file.names_all_admins and active.filter(is_admin=True).exists():
        return True
    admins = {entry.email for entry in file.people if entry.admin}
    closed = User.objects.filter(is_active=False).values_list("email", flat=True)
    return bool(admins - {email.lower() for email in closed})


def _store(brought: Sequence[Brought], plan: Plan) -> dict[str, int]:
    """Store what AWS says; returns what the log is to say of it, with the number of changes."""
    synced = {}
    for one in brought:
        stored = one.store(Connection.objects.get(name=one.entry.name))
        plan.changes += [words.suspended(grant) for grant, _ in stored.suspended]
        if stored.changes:
            synced[one.subject] = stored.changes
    return synced


def _unread(brought: Sequence[Brought]) -> list[Problem]:
    """What AWS did not let be read: grants may name it in vain."""
    return [Problem(one.entry.place, text) for one in brought for text in one.troubles]


def _connections(file: AccessFile) -> list[Change]:
    changes = []
    known = {row.name: row for row in Connection.objects.all()}
    for entry in file.connections:
        said = entry.settings
        row = known.get(entry.name)
        if row is None:
            Connection.objects.create(name=entry.name, **said)
            changes.append(words.connection(entry.name, []))
        elif changed := [name for name, value in said.items() if getattr(row, name) != value]:
            Connection.objects.filter(pk=row.pk).update(**said)
            changes.append(words.connection(entry.name, changed))
    return changes


def _people(file: AccessFile) -> list[Change]:
    flags = {entry.email: (entry.admin, entry.auditor) for entry in file.people}
    held = by_groups.known()
    emails = set(flags).union(*(team.leads + team.members for team in file.teams))
    named_now = set(emails)
    changes, new, changed = [], [], []
    for user in User.objects.only("email", "is_named", *by_groups.RIGHTS):
        email = mailbox.folded(user.email)
        emails.discard(email)
        before, was = by_groups.named_rights(user), by_groups.columns(user)
        named = flags.get(email, (False, False) if file.names_all_admins else before)
        by_groups.set_rights(user, named, held.get(user.pk, set()), _groups_of_rights(file))
        is_named = email in named_now
        if is_named != user.is_named or by_groups.columns(user) != was:
            user.is_named = is_named
            changed.append(user)
        if by_groups.columns(user)[:2] != was[:2]:
            said = words.rights(user.is_admin, user.is_auditor)
            changes.append(Change(f"~ person {user.email}: now {said}"))
    for email in sorted(emails):
        user = User(email=email)
        user.is_admin, user.is_auditor = flags.get(email, (False, False))
        user.set_unusable_password()
        new.append(user)
        rights = f": {words.rights(*flags[email])}" if any(flags.get(email, ())) else ""
        changes.append(Change(f"+ person {email}{rights}"))
    User.objects.bulk_update(changed, ["is_named", *by_groups.RIGHTS])
    User.objects.bulk_create(new)
    return changes


def _rights_of_groups(file: AccessFile) -> list[Change]:
    """Which groups make admins and auditors: those of the file and no others."""
    changes = []
    for right, wanted in _groups_of_rights(file).items():
        rows = GroupRight.objects.filter(right=right)
        if list(rows.values_list("group", flat=True)) != list(wanted):
            rows.delete()
            GroupRight.objects.bulk_create(GroupRight(right=right, group=one) for one in wanted)
            changes.append(words.groups(f"{right}_idp_groups", wanted))
    return changes


def _groups_of_rights(file: AccessFile) -> dict[Right, tuple[str, ...]]:
    return {Right.ADMIN: file.admin_idp_groups, Right.AUDITOR: file.auditor_idp_groups}


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
                lines.append(words.groups(name, wanted, team).line)
        if team.on_leaving != entry.on_leaving:
            team.on_leaving = entry.on_leaving
            lines.append(f"~ team {team.slug}: on_leaving now {entry.on_leaving}")
        if lines:
            team.save()
        named[team.slug] = team
        changes += [Change(line, team) for line in lines]
    for team in known.values():
        if team.closed_at is None:
            Team.objects.filter(pk=team.pk).update(closed_at=Now())
            changes.append(Change(f"- team {team.slug}: closed", team))
    return named, changes
