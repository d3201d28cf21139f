"""An admin lets go of somebody's account at the identity provider, which was made anew there."""

from collections.abc import Iterable

from django.core.exceptions import PermissionDenied
from django.db import transaction

from portal import audit, policy
from portal.access import words
from portal.audit import Actor
from portal.identity import release
from portal.models import Action, User


def release_identity(people: Iterable[int], *, actor: Actor) -> int:
    """Have these people's next single sign-on bind them again, by their verified address.

    Returns how many were bound. Raises PermissionDenied for anybody but an admin.
    """
    if actor.user is None or not policy.may_change_access(actor.user):
        raise PermissionDenied
    with transaction.atomic():
        released = [
            person
            for person in User.objects.filter(pk__in=people).order_by("pk")
            if release(person)
        ]
        changes = [
            (f"~ person {one.email}: released from single sign-on", None) for one in released
        ]
        audit.record_many(Action.ACCESS_CHANGED, changes, actor=actor, reason=words.BY_HAND)
    return len(released)
