"""Who may read the audit log, and ask whose a leaked key is."""

from django.db.models import QuerySet

from portal.models import Role, Team, Token, User
from portal.models.queries import TokenQuerySet


def may_audit(user: User) -> bool:
    """Whether ``user`` may read and export the audit log: auditors and admins."""
    return user.is_active and (user.is_admin or user.is_auditor)


def may_find_by_key(user: User) -> bool:
    """Whether ``user`` may ask whose token a leaked key is: auditors, admins, and any lead."""
    return may_audit(user) or (user.is_active and led_by(user).exists())


def findable_tokens(user: User) -> TokenQuerySet:
    """The tokens that a leaked key may name to ``user``: all, or those of the teams they lead."""
    if may_audit(user):
        return Token.objects.all()
    return Token.objects.filter(team__in=led_by(user))


def led_by(user: User) -> QuerySet[Team]:
    """The open teams that ``user`` is a lead of."""
    return Team.objects.filter(closed_at=None, memberships__user=user, memberships__role=Role.LEAD)
