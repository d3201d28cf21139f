"""AMG's own list of tokens beside ours. Nothing here calls AWS: workers do."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from portal import policy, requester
from portal.forms.selects import MOST_OFFERED, found, typed
from portal.models import Drift, ListedToken, ServiceAccount, Team, Token, User, Workspace
from portal.models.filling import Filling, count_by_workspace
from portal.models.wanted import wanted_accounts
from portal.reading.changed import changed_accounts, suspended_grants
from portal.requester import answers_json
from portal.views import paging
from portal.views.paging import Stretch
from portal.views.unread import for_operators

PER_PAGE = 50
FINDINGS_PER_PAGE = 25
"""Each has its forms, on the page of somebody who may act on them."""
MOST_COUNTED = 1000
MOST_GAUGES = 12
"""Workspaces whose filling is shown, the fullest first."""
EXPIRED = "expired"
KINDS = {
    Drift.FOREIGN.value: "not issued here",
    EXPIRED: "expired and in the way",
    Drift.VANISHED.value: "gone from AMG",
    Drift.ENDED.value: "ended here, alive at AMG",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One of AMG's tokens, our record of it, and for which teams the person may adopt it."""

    entry: ListedToken
    token: Token | None
    teams: list[Team]
    may_act: bool

    @property
    def is_endable(self) -> bool:
        """Whether there is something to end: here, or at AWS alone."""
        if not self.may_act or not self.entry.drift or self.entry.end_asked_at is not None:
            return False
        return self.token is None or policy.is_revocable(self.token)


@gzip_page
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """What differs first, then everything that AMG lists; of one workspace where it is named."""
    user = requester.person(request)
    require_inventory(user)
    asked = request.GET.get("workspace", "").replace("\0", "")
    kind = request.GET.get("kind", "")
    entries = policy.listed_in_inventory(user)
    accounts = policy.accounts_in_inventory(user)
    order: tuple[str, ...] = ("service_account_id", "name", "id")
    if asked:
        entries = entries.filter(service_account__workspace__aws_id=asked)
        accounts = accounts.filter(workspace__aws_id=asked)
        order = ("service_account__name", *order)
    to_list = ServiceAccount.objects.to_list().filter(pk__in=accounts.values("pk"))
    may_act = policy.may_read_again(user)
    differing = of_kind(entries, kind).filter(drift__in=Drift.values, found_at__isnull=False)
    newest = Stretch(differing, ("-found_at", "-id"))
    asked_for = request.GET.get("found")
    findings = paging.page([newest], asked_for, _load, size=FINDINGS_PER_PAGE)
    listed = entries.exclude(drift=Drift.VANISHED)
    page = paging.page([Stretch(listed, order)], request.GET.get("page"), _load, size=PER_PAGE)
    too_old = Now() - timedelta(seconds=2 * settings.INVENTORY_SECONDS)
    offered = list(_workspaces(user)[: MOST_OFFERED + 1])
    read_first = to_list.filter(listed_at__isnull=False).order_by("listed_at")
    sees_all = policy.may_audit(user)
    return render(
        request,
        "inventory/index.html",
        {
            "findings": beside_ours(findings, user, acts=may_act),
            "found": findings,
            "findings_count": _count(
                differing, whole=findings.object_list if findings.is_whole else None
            ),
            "kind": kind,
            "kinds": list(KINDS.items()),
            "may_act": may_act,
            "sees_all": sees_all,
            "page": page,
            "count": _count(listed, whole=page.object_list if page.is_whole else None),
            "rows": beside_ours(page, user, acts=False),
            "workspace": asked,
            "workspaces": _with_asked(offered[:MOST_OFFERED], asked, user),
            "has_more_workspaces": len(offered) > MOST_OFFERED,
            "is_on": settings.INVENTORY_SECONDS > 0,
            "minutes": -(-settings.INVENTORY_SECONDS // 60),
            "unread": to_list.unlisted_since(too_old).order_by()[:MOST_COUNTED].count(),
            "not_read": for_operators() if sees_all else (),
            "as_of": read_first.values_list("listed_at", flat=True).first(),
            "gauges": _gauges(user, asked),
            "reading": reading(user),
            "changed": changed_accounts(accounts, _teams(user)),
            "suspended": suspended_grants(_teams(user), workspace=asked),
        },
    )


@answers_json
@require_safe
def workspaces(request: HttpRequest) -> JsonResponse:
    """Workspaces by a part of name or id: for a list that is cut."""
    user = requester.person(request)
    require_inventory(user)
    text = typed(request)
    fitting = _workspaces(user).filter(Q(name__icontains=text) | Q(aws_id__icontains=text))
    return JsonResponse(
        found([(one.aws_id, f"{one.name} · {one.aws_id}") for one in fitting[: MOST_OFFERED + 1]])
    )


@answers_json
@require_safe
def progress(request: HttpRequest) -> JsonResponse:
    """How far the reading that somebody asked for has come."""
    user = requester.person(request)
    require_inventory(user)
    return JsonResponse(reading(user))


def reading(user: User) -> dict[str, int]:
    """Of how many accounts lists are read now, and of how many that is done."""
    wanted = wanted_accounts()
    if not policy.may_audit(user):
        wanted = wanted.filter(pk__in=policy.accounts_in_inventory(user).values("pk"))
    return {
        "of": wanted.order_by().count(),
        "done": wanted.filter(listed_at__gte=F("list_wanted_at")).order_by().count(),
    }


def require_inventory(user: User) -> None:
    """Raises PermissionDenied for who has no inventory."""
    if not policy.may_see_inventory(user):
        raise PermissionDenied("Only auditors, admins and team leads can open the inventory.")


def of_kind(entries: QuerySet[ListedToken], kind: str) -> QuerySet[ListedToken]:
    """Narrowed to one kind of finding, where there is such a kind."""
    if kind == EXPIRED:
        return entries.filter(drift=Drift.FOREIGN, expires_at__lte=Now())
    if kind == Drift.FOREIGN:
        return entries.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), drift=kind)
    return entries.filter(drift=kind) if kind in KINDS else entries


def beside_ours(entries: Iterable[ListedToken], user: User, *, acts: bool = True) -> list[Row]:
    """Each of AMG's tokens with our record of it, where there is one."""
    entries = list(entries)
    workspaces_of = {entry.service_account.workspace_id for entry in entries}
    known = Token.objects.known_at_aws_as(workspaces_of, [entry.aws_id for entry in entries])
    ours = {(token.workspace_id, token.aws_token_id): token for token in known.for_pages()}
    accounts = {one.service_account_id: one.service_account for one in entries} if acts else {}
    teams = policy.adopting_teams_of(user, accounts.values())
    acting = user.is_active and (user.is_admin or bool(teams))
    return [
        Row(
            entry,
            ours.get((entry.service_account.workspace_id, entry.aws_id)),
            teams.get(entry.service_account_id, []),
            acting and (user.is_admin or entry.service_account_id in teams),
        )
        for entry in entries
    ]


def _gauges(user: User, asked: str) -> list[tuple[Workspace, Filling]]:
    """How full the workspace is, or the fullest of those that the person may know of."""
    counts = count_by_workspace()
    rows = _workspaces(user).filter(gone_at=None)
    if asked:
        rows = rows.filter(aws_id=asked)
    found = [(one, Filling.of(one.pk, counts)) for one in rows]
    found.sort(key=lambda pair: -pair[1].used)
    return found[:MOST_GAUGES]


def _teams(user: User) -> QuerySet[Team]:
    """Whose tokens and grants the person may know."""
    return Team.objects.all() if policy.may_audit(user) else policy.led_by(user)


def _workspaces(user: User) -> QuerySet[Workspace]:
    """Those that have, or had, a service account of whose list the person may know."""
    accounts = policy.accounts_in_inventory(user).filter(workspace=OuterRef("pk"))
    return Workspace.objects.filter(Exists(accounts)).order_by("name", "aws_id")


def _with_asked(offered: list[Workspace], asked: str, user: User) -> list[Workspace]:
    if asked and all(one.aws_id != asked for one in offered):
        offered += _workspaces(user).filter(aws_id=asked)
    return offered


def _load(keys: list[Any]) -> Iterable[ListedToken]:
    rows = ListedToken.objects.select_related("service_account__workspace")
    return rows.filter(pk__in=keys).order_by() if keys else ()


def _count(entries: QuerySet[ListedToken], *, whole: list[ListedToken] | None) -> str:
    """How many there are, where that is soon counted; ``whole`` are all of them, if few."""
    if whole is not None:
        return str(len(whole))
    count = entries.order_by()[: MOST_COUNTED + 1].count()
    return f"{count:,}" if count <= MOST_COUNTED else f"more than {MOST_COUNTED:,}"
