"""What the log's page suggests for filters that people type into.

It is asked for when somebody opens the filters, not with every page: it would be a third of each.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.audit import SYSTEM, Actor
from portal.models import ServiceAccount, User
from portal.views.audit.log import auditors_only

MOST = 300
_WITHOUT_ACCOUNT = (SYSTEM.label, Actor(unknown=True).label)


@require_safe
@auditors_only
def suggestions(request: HttpRequest) -> HttpResponse:
    """Two lists of options, for “Who did it” and “Service account”; at most 300 of each."""
    addresses = User.objects.order_by("email").values_list("email", flat=True)
    accounts = ServiceAccount.objects.select_related("workspace")
    return render(
        request,
        "audit/suggestions.html",
        {
            "people": [*_WITHOUT_ACCOUNT, *addresses[:MOST]],
            "accounts": accounts.order_by("workspace__name", "name")[:MOST],
        },
    )
