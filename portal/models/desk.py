"""Who and what a team's desk can be narrowed to: what is open there, and who is in the team.

Not what has ended, which only grows: an owner or an account of that alone is searched for.
"""

from django.db.models import Q, QuerySet

from portal.models.catalog import ServiceAccount
from portal.models.lookups import OPEN_OF_TEAM
from portal.models.people import Membership, Team, User
from portal.models.tokens import Token


def people_on_desk(team: Team, text: str = "") -> QuerySet[User]:
    """By their address; with a text, those whose address or name holds it."""
    members = Membership.objects.filter(team=team).values("user")
    owners = Token.objects.filter(OPEN_OF_TEAM, team=team).order_by().values("owner").distinct()
    people = User.objects.filter(Q(pk__in=members) | Q(pk__in=owners)).order_by("email")
    return people.filter(Q(email__icontains=text) | Q(name__icontains=text)) if text else people


def accounts_on_desk(team: Team, text: str = "") -> QuerySet[ServiceAccount]:
    """By workspace and name; with a text, those of which one of the two holds it."""
    tokens = Token.objects.filter(OPEN_OF_TEAM, team=team).order_by()
    accounts = ServiceAccount.objects.filter(pk__in=tokens.values("service_account").distinct())
    if text:
        accounts = accounts.filter(Q(name__icontains=text) | Q(workspace__name__icontains=text))
    return accounts.select_related("workspace").order_by("workspace__name", "name", "pk")
