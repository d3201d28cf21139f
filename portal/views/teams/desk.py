"""A team's desk: its live tokens with what stands out about them, then those that ended lately."""

import uuid
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count
from django.db.models.functions import Now
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from portal import policy, requester
from portal.forms import DeskForm
from portal.forms.desk import account_choices, people_choices
from portal.forms.selects import found, typed
from portal.models import State, Team, Token, Webhook
from portal.models.desk import accounts_on_desk, people_on_desk
from portal.models.flags import count_open, flagged
from portal.models.lookups import HAS_ENDED, IS_LIVE, IS_OPEN, TRUE_END
from portal.models.queries import TokenQuerySet
from portal.models.states import LIVE, WAITING
from portal.requester import answers_json
from portal.views import paging
from portal.views.compression import compressed
from portal.views.paging import Page, Stretch
from portal.views.refusals import HiddenError

SHOWN_AFTER_THE_END = timedelta(days=30)
MOST_APPROVALS = 25
"""Requests to answer on one page, those that have waited longest first."""
MOST_COUNTED = 1000


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The teams whose desk the person may open; who has one only is shown to it."""
    user = requester.person(request)
    teams = list(policy.readable_teams(user))
    if len(teams) == 1:
        return redirect("team", teams[0].slug)
    own = set(policy.teams_of(user))
    groups = {
        "Your teams": [team for team in teams if team in own],
        "Closed teams": [team for team in teams if team.closed_at],
        "Other teams": [team for team in teams if team not in own and not team.closed_at],
    }
    counts = Token.objects.filter(team__in=teams, state__in=(*LIVE, State.AWAITING_APPROVAL))
    live, waiting = Counter[int](), Counter[int]()
    for pk, state, count in (
        counts.order_by().values_list("team", "state").annotate(number=Count("*"))
    ):
        (waiting if state == State.AWAITING_APPROVAL else live)[pk] += count
    return render(
        request,
        "team/index.html",
        {
            "groups": [
                (title, [(team, live[team.pk], waiting[team.pk]) for team in members])
                for title, members in groups.items()
                if members
            ]
        },
    )


@require_safe
def desk(request: HttpRequest, slug: str) -> HttpResponseBase:
    """One team's tokens. What has ended, and all but a page of the rest, is left where it is."""
    user = requester.person(request)
    team = find(request, slug)
    form = DeskForm(
        request.GET,
        team=team,
        people_url=reverse("team-people", args=[team.slug]),
        accounts_url=reverse("team-accounts", args=[team.slug]),
    )
    shown = form.narrow(Token.objects.filter(team=team))
    page = paging.page(_open_first_to_end(shown), request.GET.get("page"), _load_flagged)
    ended_lately = shown.filter(HAS_ENDED, state_at__gt=Now() - SHOWN_AFTER_THE_END)
    newest_first = [Stretch(ended_lately, ("-state_at", "-id"))]
    ended = paging.page(newest_first, request.GET.get("ended"), _load_ended)
    approvals = policy.approvable_tokens(user).filter(team=team).order_by("created_at", "pk")
    asked = list(approvals.for_pages()[: MOST_APPROVALS + 1])
    counted = count_open(team)
    left_behind = counted.left_behind(policy.ENDABLE)
    answer = render(
        request,
        "team/desk.html",
        {
            "team": team,
            "answered": _answered(request, team),
            "may_manage": policy.may_manage(user, team),
            "approvals": asked[:MOST_APPROVALS],
            "approvals_count": len(asked) if len(asked) <= MOST_APPROVALS else approvals.count(),
            "form": form,
            "page": page,
            "count": _said(page, shown.filter(IS_OPEN)) if form.narrows else f"{counted.open:,}",
            "ended": ended,
            "ended_count": _said(ended, ended_lately),
            "flags": [(flag, count) for flag, count in counted.flags.items() if count],
            "calendar_link": "" if team.closed_at else _calendar_link(team),
            "outliving": policy.outliving(team),
            "left_behind": left_behind,
            "left_count": sum(count for _, count in left_behind),
        },
    )
    # The calendar's key is on the page: nothing of the address may stand beside it.
    return answer if request.GET else compressed(request, answer)


def _calendar_link(team: Team) -> str:
    """The address for calendar programs."""
    address = reverse("team-ends", args=[team.slug])
    return f"{settings.PORTAL_ORIGIN}{address}?key={policy.calendar_key(team)}"


def _answered(request: HttpRequest, team: Team) -> Token | None:
    """The request that was answered just now, as it is by now."""
    try:
        asked = uuid.UUID(request.GET.get("answered", ""))
    except ValueError:
        return None
    return Token.objects.for_pages().filter(team=team, pk=asked).first()


@answers_json
@require_safe
def people(request: HttpRequest, slug: str) -> JsonResponse:
    """People of a desk by a part of address or name: for a list that is cut."""
    return JsonResponse(found(people_choices(people_on_desk(find(request, slug), typed(request)))))


@answers_json
@require_safe
def accounts(request: HttpRequest, slug: str) -> JsonResponse:
    """Accounts of a desk by a part of their name or their workspace's."""
    team = find(request, slug)
    return JsonResponse(found(account_choices(accounts_on_desk(team, typed(request)))))


def _open_first_to_end(tokens: TokenQuerySet) -> list[Stretch[Token]]:
    """What exists at AWS, what ends first before the rest; then what waits to, in its order."""
    return [
        Stretch(
            tokens.filter(IS_LIVE, expires_at__isnull=False), ("ends", "id"), {"ends": TRUE_END}
        ),
        Stretch(tokens.filter(IS_LIVE, expires_at=None), ("id",)),
        Stretch(tokens.filter(state__in=WAITING), ("created_at", "id")),
    ]


def _load_flagged(keys: list[Any]) -> Iterable[Token]:
    rows = Token.objects.for_pages().with_successor().with_places()
    return flagged(rows.filter(pk__in=keys)).order_by() if keys else ()


def _load_ended(keys: list[Any]) -> Iterable[Token]:
    """Their list names no places: nothing stops there any more."""
    return Token.objects.for_pages().filter(pk__in=keys).order_by() if keys else ()


def _said(page: Page[Token], tokens: TokenQuerySet) -> str:
    """How many there are, where that is soon counted."""
    if page.is_whole:
        return str(len(page.object_list))
    count = tokens.order_by()[: MOST_COUNTED + 1].count()
    return f"{count:,}" if count <= MOST_COUNTED else f"more than {MOST_COUNTED:,}"


def find(request: HttpRequest, slug: str) -> Team:
    """The team, if the person may open its desk; otherwise the page does not exist."""
    teams = policy.readable_teams(requester.person(request)).filter(slug=slug)
    team = teams.annotate(has_failing_webhook=Webhook.objects.failing_of_the_team()).first()
    if team is None:
        raise HiddenError if Team.objects.filter(slug=slug).exists() else Http404
    return team
