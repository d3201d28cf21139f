"""Who may read the audit log, and ask whose a leaked key is."""

from portal.models import Token, User
from portal.models.queries import TokenQuerySet
from portal.policy.leads import led_by


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
