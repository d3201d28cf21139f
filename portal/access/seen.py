"""Who may request what, and who has what: the rows of /access/ and of a review.

Everything is read from our own rows, as policy asks them; nothing here calls AWS.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import (
    BigIntegerField,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
)
from django.db.models.functions import Now

from portal import mailbox, policy
from portal.access import by_groups, words
from portal.models import (
    Grant,
    Membership,
    Role,
    ServiceAccount,
    State,
    Team,
    Token,
    User,
    Workspace,
)
from portal.models.lookups import IS_LIVE, OPEN_OF_TEAM
from portal.models.queries import TokenQuerySet

UNUSED_FOR = timedelta(days=90)
"""AWS lets no token live longer than 30 days: who uses access has asked within this time."""

NAMED = "access file or admin"
"""Why somebody has what a group of single sign-on has not given them."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which access somebody may see: all of it, that of the teams that they lead, and their own."""

    person: User
    is_everything: bool

    @classmethod
    def of(cls, user: User) -> "Scope":
        return cls(user, policy.may_audit(user))

    @property
    def teams(self) -> QuerySet[Team]:
        """The open teams of whose grants the person may know."""
        if self.is_everything:
            return Team.objects.filter(closed_at=None)
        return policy.teams_of(self.person)

    @property
    def memberships(self) -> QuerySet[Membership]:
        rows = Membership.objects.filter(team__closed_at=None)
        if self.is_everything:
            return rows
        return rows.filter(Q(team__in=policy.led_by(self.person)) | Q(user=self.person))

    @property
    def grants(self) -> QuerySet[Grant]:
        if self.is_everything:
            return Grant.objects.filter(team__closed_at=None)
        return Grant.objects.filter(team__in=list(self.teams.values_list("pk", flat=True)))

    @property
    def tokens(self) -> list[TokenQuerySet]:
        """What lives, of closed teams as well: their tokens stay. In parts, each from an index of
        its own: the person's, and the others of the teams that they lead."""
        if self.is_everything:
            # Every team's key is above 0: so SQLite begins with the index of what lives, by team.
            return [Token.objects.filter(IS_LIVE, team__gt=0)]
        own = Q(owner=self.person) | Q(recipient=self.person)
        parts = [Token.objects.filter(IS_LIVE).filter(own)]
        led = list(policy.led_by(self.person).values_list("pk", flat=True))
        if led:
            parts.append(Token.objects.filter(OPEN_OF_TEAM, IS_LIVE, ~own, team__in=led))
        return parts


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A scope, narrowed to a team (its slug), a person (their address) and a workspace (AWS's id).

    What names nothing that there is finds nothing.
    """

    scope: Scope
    team: str = ""
    person: str = ""
    workspace: str = ""
    unused: bool = False

    def memberships(self) -> "QuerySet[Membership]":
        rows = self.scope.memberships
        if self.team:
            rows = rows.filter(team__slug=self.team)
        if self.person:
            rows = rows.filter(user__email__in=mailbox.spellings(self.person))
        if self.workspace:
            rows = rows.filter(team__in=self._grants_there().values("team"))
        rows = rows.annotate(is_used=asked_by_person())
        return rows.filter(is_used=False) if self.unused else rows

    def grants(self) -> "QuerySet[Grant]":
        rows = self._grants_there()
        if self.team:
            rows = rows.filter(team__slug=self.team)
        if self.person:
            whose = self.scope.memberships.filter(user__email__in=mailbox.spellings(self.person))
            rows = rows.filter(team__in=whose.values("team"))
        rows = rows.annotate(is_used=asked_by_grant())
        return rows.filter(is_used=False) if self.unused else rows

    def tokens(self) -> list[TokenQuerySet]:
        return [self._narrowed(rows) for rows in self.scope.tokens]

    def _narrowed(self, rows: TokenQuerySet) -> TokenQuerySet:
        if self.team:
            rows = rows.filter(team__slug=self.team)
        if self.person:
            spelled = mailbox.spellings(self.person)
            people = list(User.objects.filter(email__in=spelled).values_list("pk", flat=True))
            rows = rows.filter(Q(owner__in=people) | Q(recipient__in=people))
        if self.workspace:
            rows = rows.filter(workspace__aws_id=self.workspace)
        return rows

    def _grants_there(self) -> "QuerySet[Grant]":
        rows = self.scope.grants
        if not self.workspace:
            return rows
        known = Workspace.objects.filter(aws_id=self.workspace)
        everywhere = Q(workspace=None) & Q(Exists(known))
        return rows.filter(everywhere | Q(workspace__in=known.values("pk")))


def asked_by_grant() -> Exists:
    """Whether somebody of the grant's team has asked for a token where it is for, lately."""
    there = {
        name: ExpressionWrapper(OuterRef(column), output_field=BigIntegerField())
        for name, column in (("only_in", "workspace"), ("only_of", "service_account"))
    }
    rows = _asked_lately().filter(team=OuterRef("team")).alias(**there)
    rows = rows.filter(Q(only_in=None) | Q(workspace=F("only_in")))
    return Exists(rows.filter(Q(only_of=None) | Q(service_account=F("only_of"))))


def asked_by_person() -> Exists:
    """Whether a member has asked for a token of the team lately."""
    rows = Token.objects.filter(owner=OuterRef("user"), created_at__gt=Now() - UNUSED_FOR)
    return Exists(rows.alias(whose=F("team") + 0).filter(whose=OuterRef("team")))


def _asked_lately() -> TokenQuerySet:
    # By their states, all of them: so an index of the team begins at the time.
    return Token.objects.filter(state__in=State.values, created_at__gt=Now() - UNUSED_FOR)


def known_groups(memberships: Iterable[Membership]) -> dict[int, set[str]]:
    """The groups of single sign-on of these members."""
    return by_groups.known({one.user_id for one in memberships})


def why(membership: Membership, groups: set[str]) -> str:
    """What makes somebody a member or a lead: the file, an admin, or which groups."""
    team, named = membership.team, membership.named
    giving = team.lead_idp_groups if membership.role == Role.LEAD else team.idp_groups
    by_group = ", ".join(sorted(groups.intersection(giving))) or "single sign-on"
    if named is None:
        return f"group {by_group}"
    return NAMED if named == membership.role else f"{NAMED}; {membership.role} by group {by_group}"


def why_right(person: User, groups: set[str], of_rights: dict[Any, list[str]]) -> str:
    """What makes somebody an admin or an auditor."""
    giving = {one for mapped in of_rights.values() for one in mapped}
    by_group = ", ".join(sorted(groups & giving)) or "single sign-on"
    by_groups_alone = (person.admin_by_group or not person.is_admin) and (
        person.auditor_by_group or not person.is_auditor
    )
    if by_groups_alone:
        return f"group {by_group}"
    if person.admin_by_group or person.auditor_by_group:
        right = "admin" if person.admin_by_group else "auditor"
        return f"{NAMED}; {right} by group {by_group}"
    return NAMED


def limits_in_words(grant: Grant) -> str:
    """What a grant allows, as the access file says it."""
    said = [f"{name} {value}" for name, value in words.limits(grant).items()]
    return ", ".join([*said, "suspended"] if grant.suspended_at is not None else said)


def count_roles() -> "dict[int, dict[str, int]]":
    """How many accounts of each Grafana role a workspace has."""
    found: dict[int, dict[str, int]] = {}
    rows = ServiceAccount.objects.present().order_by()
    for workspace, role, number in rows.values_list("workspace", "grafana_role").annotate(
        number=Count("*")
    ):
        found.setdefault(workspace, {})[role] = number
    return found


def roles_in_words(grant: Grant, roles: "dict[int, dict[str, int]]") -> str:
    """The Grafana role of the grant's account, or of how many accounts each is."""
    if grant.service_account is not None:
        return grant.service_account.grafana_role
    total: dict[str, int] = {}
    for workspace in [grant.workspace_id] if grant.workspace_id is not None else list(roles):
        for role, number in roles.get(workspace, {}).items():
            total[role] = total.get(role, 0) + number
    return ", ".join(f"{number} {role}" for role, number in sorted(total.items()))
