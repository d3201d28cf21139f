"""What somebody who has left a team leaves behind: their live tokens get another owner."""

from django.contrib import messages
from django.db.models import F, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from portal import policy, requester
from portal.flows.leaving import Settled, settle
from portal.forms import LeavingForm
from portal.limits import table
from portal.models import Team, Token, User
from portal.tasks import follow_up
from portal.views.accounts.step_up import require_step_up_for
from portal.views.limiting import limited
from portal.views.teams import desk

MOST = 200
"""Tokens that one form settles."""
MOST_NAMES = 5


@require_http_methods(["GET", "HEAD", "POST"])
@limited(table.HANDOVERS)
def hand_over(request: HttpRequest, slug: str) -> HttpResponse:
    """Look at the live tokens of somebody who left; hand all of them over, with new keys or not."""
    team = desk.find(request, slug)
    policy.require(policy.may_manage, requester.person(request), team)
    left = _who_left(request, team)
    tokens = _tokens(team, left)
    if request.method != "POST":
        return _page(request, team, left, tokens, LeavingForm(initial={"keys": "replace"}))
    form = LeavingForm(request.POST)
    if not form.is_valid() or not tokens:
        return _page(request, team, left, tokens, form, status=422)
    is_replaced = form.cleaned_data["keys"] == "replace"
    for token in tokens if is_replaced else ():
        require_step_up_for(request, token.service_account)
    settled = settle(
        [token.pk for token in tokens],
        to=form.cleaned_data["heir"],
        replace=is_replaced,
        actor=requester.actor(request),
        reason=form.cleaned_data["reason"],
    )
    follow_up(settled.effects)
    _tell(request, settled)
    return redirect("team", team.slug)


def _who_left(request: HttpRequest, team: Team) -> User:
    asked = request.POST if request.method == "POST" else request.GET
    person = User.objects.by_address(asked.get("person", "").strip())
    if person is None or policy.belongs(person, team):
        raise Http404
    return person


def _tokens(team: Team, left: User) -> list[Token]:
    theirs = (
        Token.objects.filter(Q(owner=left) | Q(recipient=left), team=team).for_pages().with_places()
    )
    in_use_first = F("last_used_at").desc(nulls_last=True)
    live = theirs.filter(state__in=policy.CAN_BE_HANDED_OVER, revoke_at=None)
    return list(live.order_by(in_use_first, "name")[:MOST])


def _page(
    request: HttpRequest,
    team: Team,
    left: User,
    tokens: list[Token],
    form: LeavingForm,
    status: int = 200,
) -> HttpResponse:
    context = {
        "team": team,
        "left": left,
        "tokens": tokens,
        "form": form,
        "people": policy.people_of(team),
    }
    return render(request, "team/leaving.html", context, status=status)


def _tell(request: HttpRequest, settled: Settled) -> None:
    told = [
        f"{len(names)} {what}."
        for names, what in (
            (settled.handed_over, "handed over"),
            (settled.replaced, "are being replaced: their owners are mailed to collect the keys"),
        )
        if names
    ]
    if told:
        messages.success(request, " ".join(told))
    if settled.refused:
        said = "; ".join(f"{name}: {why}" for name, why in settled.refused[:MOST_NAMES])
        more = len(settled.refused) - MOST_NAMES
        messages.warning(request, f"Not done: {said}{f'; and {more} more' if more > 0 else ''}")
