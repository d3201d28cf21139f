"""Who may give a token to another owner, and who may get it."""

from django.db.models import Q, QuerySet

from portal.models import Handover, State, Team, Token, User
from portal.models.prepared import Prepared
from portal.policy.desk import may_manage

MOST_POSSIBLE_OWNERS = 100
"""People to choose from on a page; of more, its script asks for those that fit what is typed."""

CAN_BE_HANDED_OVER = (State.ACTIVE,)
"""States in which the key is where it is used, and only the owner has to change."""


def may_hand_over(user: User, token: Token) -> bool:
    """Whether ``user`` may give it to another owner: its owner, a lead of its team, an admin."""
    return user.is_active and (token.owner_id == user.pk or may_manage(user, token.team))


def may_hand_over_unasked(user: User, token: Token) -> bool:
    """Whether ``user`` may make somebody its owner without their yes: who answers for the team,
    once its owner has left."""
    return may_manage(user, token.team) and not belongs(token.owner, token.team)


def offered(token: Token) -> Handover | None:
    """The offer of it that waits for an answer."""
    unanswered = Handover.objects.unanswered().filter(token=token)
    return unanswered.select_related("giver", "heir").first()


def offered_to(user: User) -> QuerySet[Handover]:
    """What waits for this person's answer, the oldest first."""
    mine = Handover.objects.unanswered().filter(heir=user, token__state__in=CAN_BE_HANDED_OVER)
    return mine.select_related("token", "giver")


def may_answer_offer(user: User, offer: Handover) -> bool:
    """Whether ``user`` is the one person who is asked."""
    return user.is_active and offer.heir_id == user.pk


def belongs(user: User, team: Team) -> bool:
    """Whether ``user`` is in the team and may sign in."""
    return user.is_active and user.memberships.filter(team=team).exists()


def people_of(team: Team) -> list[User]:
    """Everybody of a team who may sign in, while it is open."""
    return list(_others(team.pk, -1))


def possible_owners(token: Token) -> list[User]:
    """Who may become the token's owner: the other people of its team, while the team is open."""
    return _owners(token.team_id, token.owner_id)


def first_possible_owners(token: Token) -> list[User]:
    """The first of them by address, at most one more than MOST_POSSIBLE_OWNERS: for a page."""
    return _first_owners(token.team_id, token.owner_id)


def possible_owners_like(token: Token, text: str) -> list[User]:
    """Those whose address or name holds a text, at most one more than MOST_POSSIBLE_OWNERS."""
    like = Q(email__icontains=text) | Q(name__icontains=text)
    return list(_others(token.team_id, token.owner_id).filter(like)[: MOST_POSSIBLE_OWNERS + 1])


def _others(team_id: int, owner_id: int) -> QuerySet[User]:
    team = Team.objects.filter(pk=team_id, closed_at=None)
    return (
        User.objects.filter(is_active=True, memberships__team__in=team)
        .exclude(pk=owner_id)
        .order_by("email")
    )


_owners = Prepared(_others, like=[-1, -2])
_first_owners = Prepared(
    lambda team_id, owner_id: _others(team_id, owner_id)[: MOST_POSSIBLE_OWNERS + 1],
    like=[-1, -2],
)
