"""An assertion of SAML is good once, on however many hosts it arrives."""

import hashlib
from datetime import datetime

from django.db import transaction
from django.db.models.functions import Now

from portal.models import SpentAssertion

BATCH_SIZE = 1000


def spend_assertion(issuer: str, assertion: str, *, until: datetime) -> bool:
    """Use the assertion of this ID up; False where it was used before.

    ``until`` is when it would be refused anyway, whatever the clocks say.
    """
    digest = hashlib.sha256(f"{issuer}\n{assertion}".encode()).hexdigest()
    with transaction.atomic():
        _, is_first = SpentAssertion.objects.get_or_create(digest=digest, defaults={"until": until})
    return is_first


def forget_spent_assertions() -> None:
    """Forget those whose time is over; the scheduler calls this."""
    over = SpentAssertion.objects.filter(until__lt=Now()).values_list("pk", flat=True)
    SpentAssertion.objects.filter(pk__in=list(over[:BATCH_SIZE])).delete()
