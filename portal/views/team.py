"""A team's desk: its live tokens with what stands out about them, then those that ended lately."""

from collections import Counter
from datetime import timedelta

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q
from django.db.models.functions import Now
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from portal import policy
from portal.forms import DeskForm
from portal.models import State, Team, Token
from portal.models.flags import count_flags, flagged, left_behind, live_first
from portal.models.queries import TokenQuerySet
from portal.models.states import LIVE, OPEN
from portal.views import edge

PER_PAGE = 50
SHOWN_AFTER_THE_END = timedelta(days=30)


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The teams whose desk the person may open; who has one only is shown to it."""
    user = edge.person(request)
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
    for pk, state, count in counts.order_by().values_list("team", "state").annotate(Count("pk")):
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
def desk(request: HttpRequest, slug: str) -> HttpResponse:
    """One team's tokens."""
    user = edge.person(request)
    team = find(request, slug)
    tokens = Token.objects.filter(team=team)
    is_open = Q(state__in=OPEN)
    ended_lately = ~is_open & Q(state_at__gt=Now() - SHOWN_AFTER_THE_END)
    form = DeskForm(request.GET, tokens=tokens.filter(is_open | ended_lately))
    shown = form.narrow(tokens).for_pages()
    present = tokens.filter(is_open)
    return render(
        request,
        "team/desk.html",
        {
            "team": team,
            "may_manage": policy.may_manage(user, team),
            "approvals": policy.approvable_tokens(user).filter(team=team).for_pages(),
            "form": form,
            "page": _page(request, "page", live_first(flagged(shown.filter(is_open)))),
            "ended": _page(
                request, "ended", shown.filter(ended_lately).order_by("-state_at", "pk")
            ),
            "flags": [(flag, count) for flag, count in count_flags(present).items() if count],
            "left_behind": left_behind(present.filter(state__in=policy.ENDABLE)),
        },
    )


def _page(request: HttpRequest, name: str, tokens: TokenQuerySet) -> Page[Token]:
    return Paginator(tokens, PER_PAGE).get_page(request.GET.get(name))


def find(request: HttpRequest, slug: str) -> Team:
    """The team, if the person may open its desk; otherwise the page does not exist."""
    team = policy.readable_teams(edge.person(request)).filter(slug=slug).first()
    if team is None:
        raise Http404
    return team
