"""Who may request what, and who has what: by team, person and workspace."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from portal import policy, requester
from portal.access import review
from portal.access.seen import (
    Narrowed,
    Scope,
    count_roles,
    known_groups,
    limits_in_words,
    roles_in_words,
    why,
)
from portal.forms.selects import MOST_OFFERED
from portal.models import Grant, Membership, Token, Workspace
from portal.models.lookups import TRUE_END
from portal.models.queries import TokenQuerySet
from portal.views import paging
from portal.views.paging import Page, Stretch

PER_PAGE = 50
LONGEST = 254


@gzip_page
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Members see their own, leads their teams, auditors and admins all."""
    user = requester.person(request)
    scope = Scope.of(user)
    wanted = Narrowed(
        scope,
        team=_asked(request, "team"),
        person=_asked(request, "person"),
        workspace=_asked(request, "workspace"),
        unused=request.GET.get("unused") == "1",
    )
    people: Page[Membership] = paging.page(
        [Stretch(wanted.memberships(), ("team__slug", "user__email", "id"))],
        request.GET.get("people"),
        lambda keys: _members(wanted, keys),
        size=PER_PAGE,
    )
    grants: Page[Grant] = paging.page(
        [Stretch(wanted.grants(), ("team__slug", "id"))],
        request.GET.get("grants"),
        lambda keys: _grants(wanted, keys),
        size=PER_PAGE,
    )
    tokens: Page[Token] = paging.page(
        [stretch for rows in wanted.tokens() for stretch in _by_team_and_end(rows)],
        request.GET.get("page"),
        _tokens,
        size=PER_PAGE,
    )
    groups = known_groups(people)
    roles = count_roles() if grants.object_list else {}
    teams = list(scope.teams[: MOST_OFFERED + 1])
    workspaces = list(_workspaces(scope)[: MOST_OFFERED + 1])
    return render(
        request,
        "access/index.html",
        {
            "wanted": wanted,
            "is_everything": scope.is_everything,
            "may_plan": policy.may_change_access(user),
            "rights": list(review.rights()) if _shows_rights(wanted) else [],
            "people": people,
            "members": [(one, why(one, groups.get(one.user_id, set()))) for one in people],
            "grants": grants,
            "granted": [(one, roles_in_words(one, roles), limits_in_words(one)) for one in grants],
            "page": tokens,
            "teams": teams[:MOST_OFFERED],
            "workspaces": workspaces[:MOST_OFFERED],
        },
    )


def _by_team_and_end(rows: TokenQuerySet) -> list[Stretch[Token]]:
    """As an index has them; then those whose end is not known."""
    return [
        Stretch(
            rows.filter(expires_at__isnull=False), ("team_id", "ends", "id"), {"ends": TRUE_END}
        ),
        Stretch(rows.filter(expires_at=None), ("team_id", "id")),
    ]


def _asked(request: HttpRequest, name: str) -> str:
    return request.GET.get(name, "").replace("\0", "").strip()[:LONGEST]


def _shows_rights(wanted: Narrowed) -> bool:
    is_narrow = wanted.team or wanted.person or wanted.workspace or wanted.unused
    return wanted.scope.is_everything and not is_narrow


def _workspaces(scope: Scope) -> Any:
    """Those that somebody's grants may be for."""
    rows = Workspace.objects.present()
    if scope.is_everything or scope.grants.filter(workspace=None).exists():
        return rows
    return rows.filter(pk__in=scope.grants.values("workspace"))


def _members(wanted: Narrowed, keys: list[Any]) -> Iterable[Membership]:
    rows = wanted.memberships().select_related("team", "user")
    return rows.filter(pk__in=keys).order_by() if keys else ()


def _grants(wanted: Narrowed, keys: list[Any]) -> Iterable[Grant]:
    rows = wanted.grants().select_related("team", "workspace", "service_account__workspace")
    return rows.filter(pk__in=keys).order_by() if keys else ()


def _tokens(keys: list[Any]) -> Iterable[Token]:
    rows = Token.objects.for_pages().select_related("recipient")
    return rows.filter(pk__in=keys).order_by() if keys else ()
