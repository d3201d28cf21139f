"""Who must have a second factor."""

from django.conf import settings

from portal.models import User
from portal.policy.leads import led_by


def needs_second_factor(user: User) -> bool:
    """Whether ``user`` must have one to sign in by password (PORTAL_SECOND_FACTOR).

    ``privileged`` means leads of open teams, admins and auditors. Demo people need none.
    """
    if user.is_demo or settings.SIGN_IN.second_factor == "off":
        return False
    if settings.SIGN_IN.second_factor == "everyone":
        return True
    return user.is_admin or user.is_auditor or led_by(user).exists()
