"""Renewing several of one's own tokens: choose, look, and ask. Each key comes on its own page."""

from collections.abc import Collection
from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from portal import policy, requester
from portal.flows.renew import OVERLAP, Renewed, renew_each
from portal.forms.fields import ReasonField
from portal.limits import table
from portal.models import State, Token, User
from portal.models.lookups import IS_LIVE, TRUE_END
from portal.policy import Limits
from portal.tasks import follow_up
from portal.views.accounts.step_up import require_step_up_for
from portal.views.limiting import limited

MOST = 100
"""Tokens on the page, those that end next; the others follow once these are renewed."""
MOST_KEPT = 40
"""Ticks in an address, which has to stay short."""
MOST_NAMES = 5
CHOOSE = "Choose at least one token. Those that were renewed meanwhile are not in the list."


class RenewSeveralForm(forms.Form):
    """Why they are renewed, for all of them."""

    reason = ReasonField()


@dataclass(frozen=True, slots=True)
class Renewal:
    """A token, and what takes its place; times in seconds."""

    token: Token
    lifetime: int
    overlap: int
    needs_approval: bool

    @property
    def is_shorter(self) -> bool:
        return self.lifetime < self.token.seconds_to_live


@require_http_methods(["GET", "HEAD", "POST"])
@limited(table.REISSUES)
def renew_several(request: HttpRequest) -> HttpResponse:
    """The list to choose from; POST with ``preview=1`` shows the chosen, without it renews them."""
    renewals = _renewals(requester.person(request))
    if request.method != "POST":
        return _page(request, renewals, ticked=set(request.GET.getlist("token")))
    wanted = set(request.POST.getlist("token"))
    chosen = [one for one in renewals if str(one.token.pk) in wanted]
    if not chosen:
        return _page(request, renewals, error=CHOOSE)
    if request.POST.get("preview") == "1":
        return _look(request, chosen, RenewSeveralForm())
    form = RenewSeveralForm(request.POST)
    if not form.is_valid():
        return _look(request, chosen, form)
    for one in chosen:
        require_step_up_for(request, one.token.service_account)
    renewed = renew_each(
        [one.token for one in chosen],
        actor=requester.actor(request),
        reason=form.cleaned_data["reason"],
    )
    follow_up(renewed.effects)
    _tell(request, renewed)
    return redirect("tokens")


def _renewals(user: User) -> list[Renewal]:
    """The person's tokens that nothing takes the place of yet, what ends next first."""
    live = Token.objects.filter(IS_LIVE, owner=user, state=State.ACTIVE, revoke_at=None)
    rows = live.alias(ends=TRUE_END).order_by("ends", "pk").for_pages().with_successor()
    known: dict[tuple[int, int], Limits | None] = {}
    found = []
    for token in rows.with_places()[:MOST]:
        of = token.team_id, token.service_account_id
        if of not in known:
            known[of] = policy.limits_for(user, token.team, token.service_account)
        limits = known[of]
        if limits is None or token.successor_id is not None:  # type: ignore[attr-defined]  # annotated
            continue
        lifetime = min(token.seconds_to_live, limits.max_ttl)
        overlap = min(OVERLAP, limits.max_overlap)
        found.append(Renewal(token, lifetime, overlap, limits.needs_approval))
    return found


def _page(
    request: HttpRequest,
    renewals: list[Renewal],
    *,
    ticked: Collection[str] = (),
    error: str = "",
) -> HttpResponse:
    rows = [(one.token, str(one.token.pk) in ticked) for one in renewals]
    context = {"rows": rows, "error": error, "most": MOST}
    return render(request, "tokens/renew_several.html", context, status=422 if error else 200)


def _look(request: HttpRequest, chosen: list[Renewal], form: RenewSeveralForm) -> HttpResponse:
    # Who has to sign in first, or to prove who they are, comes back to the same ticks.
    address = reverse(
        "renew-several", query={"token": [one.token.pk for one in chosen[:MOST_KEPT]]}
    )
    context = {"chosen": chosen, "form": form, "address": address}
    return render(request, "tokens/renew_look.html", context, status=422 if form.errors else 200)


def _tell(request: HttpRequest, renewed: Renewed) -> None:
    waiting = sum(one.state == State.AWAITING_APPROVAL for one in renewed.requests)
    ready = len(renewed.requests) - waiting
    if ready:
        messages.success(
            request,
            f"{ready} new token{'s' if ready > 1 else ''} can be made. Each key is made on its own "
            "page: open them one after the other. The old keys work on until then.",
        )
    if waiting:
        messages.success(
            request, f"{waiting} {'wait' if waiting > 1 else 'waits'} for approval first."
        )
    if renewed.refused:
        said = "; ".join(f"{name}: {why}" for name, why in renewed.refused[:MOST_NAMES])
        more = len(renewed.refused) - MOST_NAMES
        messages.warning(request, f"Not renewed: {said}{f'; and {more} more' if more > 0 else ''}")
