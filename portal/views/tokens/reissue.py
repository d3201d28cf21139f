"""A token in the place of another: the page that shows what will happen, and the act."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from portal import lifetimes, policy, requester
from portal.amg import LONGEST_LIFETIME
from portal.flows.reissue import REISSUED, ReissueTerms, next_name, require_replaceable
from portal.flows.reissue import reissue as reissue_token
from portal.flows.request import RequestRefusedError
from portal.forms import ReissueForm
from portal.forms.fields import OTHER_NAMES
from portal.life import moves
from portal.limits import LimitExceededError, table
from portal.models import Token, User
from portal.tasks import follow_up
from portal.views import limiting
from portal.views.accounts.step_up import require_step_up_for
from portal.views.limiting import limited
from portal.views.tokens import new
from portal.views.tokens.find import visible_token
from portal.views.zones import note_zone

OVERLAPS = (3_600, 86_400, 7 * 86_400)
QUIETS = (6 * 3_600, 86_400, 3 * 86_400)
PREFILLABLE = (
    *("mode", "overlap_seconds", "quiet_seconds", "recipient", "seconds_to_live", "reason"),
)


@require_http_methods(["GET", "HEAD", "POST"])
@limited(table.REISSUES)
def reissue(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Replace a token; success answers 302 to the new token's page, an error 422."""
    user = requester.person(request)
    token = visible_token(request, token_id)
    policy.require(policy.may_reissue, user, token)
    if request.method != "POST":
        require_replaceable(token)
        given = {name: request.GET[name] for name in PREFILLABLE if name in request.GET}
        for other, first in OTHER_NAMES.items():
            if other in request.GET:
                given.setdefault(first, request.GET[other])
        form = ReissueForm(token=token, user=user, initial=given)
        form.initial = _defaults(form) | given
        return _form_page(request, form)
    form = ReissueForm(request.POST, token=token, user=user)
    try:
        answer = _reissue(request, form) if form.is_valid() else None
    except LimitExceededError as exceeded:
        form.add_error(None, str(exceeded))
        return limiting.answer(request, exceeded, page=lambda: _form_page(request, form))
    if answer is None:
        moves.BEGIN_REVOCATION.require(token, REISSUED)
    return answer or _form_page(request, form, status=422)


def _reissue(request: HttpRequest, form: ReissueForm) -> HttpResponse | None:
    """The answer to a valid form; None when it was refused, and the form says why."""
    fields, old = form.cleaned_data, form.token
    require_step_up_for(request, old.service_account)
    terms = ReissueTerms(
        overlap_seconds=form.overlap,
        quiet_seconds=form.quiet,
        for_me=form.for_me,
        seconds_to_live=fields["seconds_to_live"] or _lifetime(old),
        reason=fields["reason"],
        public_key=fields["public_key"],
    )
    try:
        requested = reissue_token(old.pk, terms, actor=requester.actor(request))
    except RequestRefusedError as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
        return None
    follow_up(requested.effects)
    note_zone(request)
    return redirect("token", requested.token.pk)


def _defaults(form: ReissueForm) -> dict[str, Any]:
    """What the form says at first."""
    return {
        "mode": "overlap" if form.may_overlap else "replace",
        "overlap_seconds": lifetimes.written(min(OVERLAPS[1], form.longest_overlap)),
        "recipient": "owner",
        "seconds_to_live": lifetimes.written(_lifetime(form.token)),
    }


def _lifetime(token: Token) -> int:
    """Seconds: the old lifetime, as far as policy allows it today."""
    limits = policy.limits_for(token.owner, token.team, token.service_account)
    return min(token.seconds_to_live, limits.max_ttl if limits else LONGEST_LIFETIME)


def _overlaps(longest: int) -> list[tuple[str, str]]:
    """Those that policy allows, and the longest one, to pick from: in words and as written."""
    shorter = [one for one in OVERLAPS if one < longest]
    allowed = [*shorter, longest] if longest < OVERLAPS[-1] else list(OVERLAPS)
    return [(lifetimes.in_words(one), lifetimes.written(one)) for one in allowed]


def _who_agrees(old: Token, user: User, *, for_me: bool) -> list[str]:
    """Who is asked to agree to the new token; nobody where asking for it is agreeing."""
    wanted = Token(team=old.team, owner=user if for_me else old.owner)
    if wanted.owner != user and policy.may_approve(user, wanted):
        return []
    return [one.email for one in policy.approvers_of(wanted)] or ["an admin"]


def _form_page(request: HttpRequest, form: ReissueForm, status: int = 200) -> HttpResponse:
    token, user = form.token, form.user
    recipients = (token.owner, user)
    limits = [policy.limits_for(one, token.team, token.service_account) for one in recipients]
    whose = list(zip(limits, ("owners", "mine"), strict=True))
    shown = whose[1:] if token.owner == user else whose
    mode = form["mode"].value()
    required = any(one and one.reason_required for one, _ in shown) and not token.reason
    return render(
        request,
        "tokens/reissue.html",
        {
            "form": form,
            "token": token,
            "is_own": token.owner == user,
            "next_name": next_name(token),
            "act": "Renew" if mode == "overlap" else "Replace",
            "shortened": [
                (one, which)
                for one, which in shown
                if one is not None and one.max_ttl < token.seconds_to_live
            ],
            "approvals": [
                (people, which)
                for one, which in shown
                if one is not None
                and one.needs_approval
                and (people := _who_agrees(token, user, for_me=which == "mine"))
            ],
            "reason_required": required,
            "quiets": [
                (lifetimes.in_words(one), lifetimes.written(one))
                for one in QUIETS
                if one < form.longest_overlap
            ],
            "overlaps": _overlaps(form.longest_overlap) if form.may_overlap else (),
            "presets": new.PRESETS,
            "owner_limits": limits[0],
            "my_limits": limits[1],
            "longest_lifetime": max((one.max_ttl for one in limits if one), default=0),
        },
        status=status,
    )
