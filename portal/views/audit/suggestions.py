"""What the log's page suggests for filters that people type into.

It is asked for when somebody opens the filters, not with every page: it would be a third of each.
"""

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.audit import SYSTEM, Actor
from portal.forms.audit import team_choices, workspace_choices
from portal.forms.selects import found, typed
from portal.models import ServiceAccount, User
from portal.requester import answers_json
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


@answers_json
@require_safe
@auditors_only
def teams(request: HttpRequest) -> JsonResponse:
    """Teams by a part of their name: for a list that is cut."""
    text = typed(request)
    return JsonResponse(found(team_choices(Q(name__icontains=text) | Q(slug__icontains=text))))


@answers_json
@require_safe
@auditors_only
def workspaces(request: HttpRequest) -> JsonResponse:
    """Workspaces by a part of name or id."""
    text = typed(request)
    like = Q(name__icontains=text) | Q(aws_id__icontains=text)
    return JsonResponse(found(workspace_choices(like)))
