"""Who may read the audit log."""

from portal.models import User


def may_audit(user: User) -> bool:
    """Whether ``user`` may read and export the audit log: auditors and admins."""
    return user.is_active and (user.is_admin or user.is_auditor)
