"""Who may see what AMG lists, and who may act on what nobody here issued."""

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, Q, QuerySet

from portal.models import Grant, ListedToken, ServiceAccount, Team, Token, User, Workspace
from portal.policy.auditing import may_audit
from portal.policy.grants import TeamGrants
from portal.policy.leads import led_by


def may_see_inventory(user: User) -> bool:
    """Whether ``user`` has an inventory at all: auditors, admins, and leads of what is granted."""
    return may_audit(user) or (user.is_active and led_by(user).exists())


def accounts_in_inventory(user: User) -> QuerySet[ServiceAccount]:
    """The service accounts whose lists ``user`` may see."""
    if may_audit(user):
        return ServiceAccount.objects.all()
    return accounts_in_led_teams(user)


def listed_in_inventory(user: User) -> QuerySet[ListedToken]:
    """What of these lists ``user`` may see: of other teams' tokens, auditors and admins alone."""
    if may_audit(user):
        return ListedToken.objects.all()
    led = _led(user)
    # Each apart: so the index of those with an id of AWS's is found.
    others = Token.objects.filter(
        workspace=OuterRef("service_account__workspace"), aws_token_id=OuterRef("aws_id")
    )
    others = others.exclude(aws_token_id="").exclude(team__in=led)
    rows = ListedToken.objects.filter(service_account__in=accounts_in_inventory(user).values("pk"))
    return rows.filter(~Exists(others))


def may_act_on_inventory(user: User, account: ServiceAccount) -> bool:
    """Whether ``user`` may adopt, end and read again what AMG lists for an account: admins, and
    leads of a team that is granted it."""
    if not user.is_active:
        return False
    return user.is_admin or accounts_in_led_teams(user).filter(pk=account.pk).exists()


def may_read_again(user: User) -> bool:
    """Whether ``user`` may have lists read now: who may act on what they say."""
    return user.is_active and (user.is_admin or led_by(user).exists())


def may_permit_pruning(user: User, _: Workspace | None) -> bool:
    """Whether ``user`` may permit, once for all that come, that expired tokens which nobody here
    issued are deleted in a workspace, and withdraw it: other teams may have made them."""
    return user.is_active and user.is_admin


def accounts_in_led_teams(user: User) -> QuerySet[ServiceAccount]:
    """Those that the teams of a lead are granted."""
    return ServiceAccount.objects.filter(_is_granted(_led(user)))


def _led(user: User) -> list[int]:
    """Few, and asked for once: a question within a question would be asked for each row."""
    return list(led_by(user).values_list("pk", flat=True))


def _is_granted(teams: list[int]) -> Exists:
    """As policy.grants decides it, asked of the database about many accounts at once.

    A grant of an account's own that is suspended grants nothing, and none that is less specific
    steps into its place; no other is ever suspended.
    """
    suspended = Grant.objects.filter(
        team=OuterRef("team"),
        service_account=OuterRef(OuterRef("pk")),
        suspended_at__isnull=False,
    )
    covering = Grant.objects.filter(
        Q(workspace=None)
        | Q(workspace=OuterRef("workspace"), service_account=None)
        | Q(service_account=OuterRef("pk")),
        ~Exists(suspended),
    )
    return Exists(covering.filter(team__in=teams))


def adopting_teams_of(user: User, accounts: Iterable[ServiceAccount]) -> dict[int, list[Team]]:
    """The open teams for which ``user`` may adopt a token of each of these accounts, by their keys:
    those that are granted it."""
    accounts = list(accounts)
    if not accounts or not user.is_active:
        return {}
    teams = Team.objects.filter(closed_at=None) if user.is_admin else led_by(user)
    by_team: dict[Team, list[Grant]] = {}
    grants = Grant.objects.filter(
        Q(workspace=None) | Q(workspace__in={one.workspace_id for one in accounts}), team__in=teams
    )
    for grant in grants.select_related("team").order_by("team__slug"):
        by_team.setdefault(grant.team, []).append(grant)
    granted = [(team, TeamGrants(rows)) for team, rows in by_team.items()]
    found = {
        one.pk: [team for team, rows in granted if rows.limits(one) is not None] for one in accounts
    }
    return {pk: teams_of_it for pk, teams_of_it in found.items() if teams_of_it}


def granted_among(teams: Iterable[int], account: ServiceAccount) -> set[int]:
    """Which of these teams are granted an account."""
    grants = Grant.objects.filter(Q(workspace=None) | Q(workspace=account.workspace_id))
    by_team: dict[int, list[Grant]] = {}
    for grant in grants.filter(team__in=list(teams)):
        by_team.setdefault(grant.team_id, []).append(grant)
    return {pk for pk, rows in by_team.items() if TeamGrants(rows).limits(account) is not None}
