"""AMG's own list of tokens beside ours. Read only: nothing here calls AWS."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal import policy, requester
from portal.forms.selects import MOST_OFFERED, found, typed
from portal.models import Drift, ListedToken, ServiceAccount, Token, Workspace
from portal.requester import answers_json
from portal.views import paging
from portal.views.paging import Stretch
from portal.views.unread import for_operators

PER_PAGE = 50
MOST_FINDINGS = 200
MOST_COUNTED = 1000

Row = tuple[ListedToken, Token | None]


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """What differs first, then everything that AMG lists; of one workspace where it is named."""
    _auditors_only(request)
    asked = request.GET.get("workspace", "").replace("\0", "")
    entries, accounts = ListedToken.objects.all(), ServiceAccount.objects.to_list()
    order: tuple[str, ...] = ("service_account_id", "name", "id")
    if asked:
        entries = entries.filter(service_account__workspace__aws_id=asked)
        accounts = accounts.filter(workspace__aws_id=asked)
        order = ("service_account__name", *order)
    findings = _newest_findings(entries)
    listed = entries.exclude(drift=Drift.VANISHED)
    page = paging.page([Stretch(listed, order)], request.GET.get("page"), _load, size=PER_PAGE)
    too_old = Now() - timedelta(seconds=2 * settings.INVENTORY_SECONDS)
    offered = list(_workspaces()[: MOST_OFFERED + 1])
    read_first = accounts.filter(listed_at__isnull=False).order_by("listed_at")
    return render(
        request,
        "inventory/index.html",
        {
            "findings": _beside_ours(findings[:MOST_FINDINGS]),
            "findings_count": _count(entries.filter(drift__in=Drift.values), whole=findings),
            "page": page,
            "count": _count(listed, whole=page.object_list if page.is_whole else None),
            "rows": _beside_ours(page),
            "workspace": asked,
            "workspaces": _with_asked(offered[:MOST_OFFERED], asked),
            "has_more_workspaces": len(offered) > MOST_OFFERED,
            "is_on": settings.INVENTORY_SECONDS > 0,
            "minutes": -(-settings.INVENTORY_SECONDS // 60),
            "unread": accounts.unlisted_since(too_old).order_by()[:MOST_COUNTED].count(),
            "not_read": for_operators(),
            "as_of": read_first.values_list("listed_at", flat=True).first(),
        },
    )


@answers_json
@require_safe
def workspaces(request: HttpRequest) -> JsonResponse:
    """Workspaces by a part of name or id: for a list that is cut."""
    _auditors_only(request)
    text = typed(request)
    fitting = _workspaces().filter(Q(name__icontains=text) | Q(aws_id__icontains=text))
    return JsonResponse(
        found([(one.aws_id, f"{one.name} · {one.aws_id}") for one in fitting[: MOST_OFFERED + 1]])
    )


def _auditors_only(request: HttpRequest) -> None:
    if not policy.may_audit(requester.person(request)):
        raise PermissionDenied("The inventory opens to auditors and admins alone.")


def _workspaces() -> QuerySet[Workspace]:
    """Those that have, or had, a service account."""
    accounts = ServiceAccount.objects.filter(workspace=OuterRef("pk"))
    return Workspace.objects.filter(Exists(accounts)).order_by("name", "aws_id")


def _with_asked(offered: list[Workspace], asked: str) -> list[Workspace]:
    if asked and all(one.aws_id != asked for one in offered):
        offered += _workspaces().filter(aws_id=asked)
    return offered


def _newest_findings(entries: QuerySet[ListedToken]) -> list[ListedToken]:
    """At most one more than a page shows. Each kind is asked for alone: so an index has them in
    their order."""
    newest = [
        entry
        for drift in Drift.values
        for entry in entries.filter(drift=drift)
        .select_related("service_account__workspace")
        .order_by("-found_at", "pk")[: MOST_FINDINGS + 1]
    ]
    newest.sort(key=lambda entry: entry.pk)
    newest.sort(key=lambda entry: entry.found_at.timestamp() if entry.found_at else 0, reverse=True)
    return newest[: MOST_FINDINGS + 1]


def _load(keys: list[Any]) -> Iterable[ListedToken]:
    rows = ListedToken.objects.select_related("service_account__workspace")
    return rows.filter(pk__in=keys).order_by() if keys else ()


def _count(entries: QuerySet[ListedToken], *, whole: list[ListedToken] | None) -> str:
    """How many there are, where that is soon counted; ``whole`` are all of them, if few."""
    if whole is not None and len(whole) <= MOST_FINDINGS:
        return str(len(whole))
    count = entries.order_by()[: MOST_COUNTED + 1].count()
    return f"{count:,}" if count <= MOST_COUNTED else f"more than {MOST_COUNTED:,}"


def _beside_ours(entries: Iterable[ListedToken]) -> list[Row]:
    """Each of AMG's tokens with our record of it, where there is one."""
    entries = list(entries)
    workspaces_of = {entry.service_account.workspace_id for entry in entries}
    known = Token.objects.known_at_aws_as(workspaces_of, [entry.aws_id for entry in entries])
    ours = {(token.workspace_id, token.aws_token_id): token for token in known.for_pages()}
    return [
        (entry, ours.get((entry.service_account.workspace_id, entry.aws_id))) for entry in entries
    ]
