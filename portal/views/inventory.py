"""AMG's own list of tokens beside ours. Read only: nothing here calls AWS."""

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Min, Q
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal import policy
from portal.models import Drift, ListedToken, ServiceAccount, Token, Workspace
from portal.views import edge
from portal.views.unread import for_operators

PER_PAGE = 50
MOST_FINDINGS = 200

Row = tuple[ListedToken, Token | None]


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """What differs first, then everything that AMG lists; of one workspace where it is named."""
    if not policy.may_audit(edge.person(request)):
        raise PermissionDenied("The inventory opens to auditors and admins alone.")
    asked = request.GET.get("workspace", "").replace("\0", "")
    entries = ListedToken.objects.select_related("service_account__workspace")
    accounts = ServiceAccount.objects.to_list()
    if asked:
        entries = entries.filter(service_account__workspace__aws_id=asked)
        accounts = accounts.filter(workspace__aws_id=asked)
    drifted = entries.exclude(drift="").order_by("-found_at", "pk")
    listed = entries.exclude(drift=Drift.VANISHED).order_by(
        "service_account__workspace__name", "service_account__name", "name"
    )
    page = Paginator(listed, PER_PAGE).get_page(request.GET.get("page"))
    too_old = Now() - timedelta(seconds=2 * settings.INVENTORY_SECONDS)
    unread = accounts.filter(Q(listed_at=None) | Q(listed_at__lt=too_old))
    return render(
        request,
        "inventory/index.html",
        {
            "findings": _beside_ours(drifted[:MOST_FINDINGS]),
            "findings_count": drifted.count(),
            "page": page,
            "rows": _beside_ours(page.object_list),
            "workspace": asked,
            "workspaces": Workspace.objects.filter(service_accounts__isnull=False).distinct(),
            "is_on": settings.INVENTORY_SECONDS > 0,
            "minutes": -(-settings.INVENTORY_SECONDS // 60),
            "unread": unread.count(),
            "not_read": for_operators(),
            "as_of": accounts.aggregate(at=Min("listed_at"))["at"],
        },
    )


def _beside_ours(entries: Iterable[ListedToken]) -> list[Row]:
    """Each of AMG's tokens with our record of it, where there is one."""
    entries = list(entries)
    ours = {
        (token.workspace_id, token.aws_token_id): token
        for token in Token.objects.for_pages().filter(
            workspace__in={entry.service_account.workspace_id for entry in entries},
            aws_token_id__in=[entry.aws_id for entry in entries],
        )
    }
    return [
        (entry, ours.get((entry.service_account.workspace_id, entry.aws_id))) for entry in entries
    ]
