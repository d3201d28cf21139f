"""How people answer a request: a lead agrees or refuses, the recipient collects. POST only."""

import uuid

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from portal import policy, requester
from portal.flows.approve import approve as approve_request
from portal.flows.approve import deny as deny_request
from portal.flows.approve import undo as undo_approval
from portal.flows.collect import NotNowError
from portal.flows.collect import collect as collect_token
from portal.flows.remind import remind as remind_approvers
from portal.forms import ApproveForm, CollectForm, DenyForm
from portal.life import moves
from portal.limits import table
from portal.models import Token
from portal.tasks import follow_up
from portal.views.accounts.step_up import require_step_up, require_step_up_for
from portal.views.limiting import limited
from portal.views.tokens import page
from portal.views.tokens.deliver import RECIPIENT_ALONE
from portal.views.tokens.find import visible_token
from portal.views.way_back import posted_from
from portal.views.zones import note_zone


@posted_from("token")
@limited(table.ANSWERS)
def approve(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Agree to a request, or to less of it."""
    token = _find_answerable(request, token_id)
    moves.APPROVE.require(token)
    form = ApproveForm(request.POST, token=token)
    if not form.is_valid():
        return page.page(request, token, status=422, approve_form=form)
    require_step_up(request)
    follow_up(approve_request(token.pk, actor=requester.actor(request), **form.cleaned_data))
    note_zone(request)
    return _to_the_next(request, token)


@posted_from("token")
@limited(table.ANSWERS)
def deny(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Refuse a request, and say why."""
    token = _find_answerable(request, token_id)
    moves.DENY.require(token)
    form = DenyForm(request.POST)
    if not form.is_valid():
        return page.page(request, token, status=422, deny_form=form)
    follow_up(deny_request(token.pk, actor=requester.actor(request), **form.cleaned_data))
    return _to_the_next(request, token)


@posted_from("token")
@limited(table.ANSWERS)
def undo(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Take an approval back, as long as nobody has collected the token."""
    token = _find_answerable(request, token_id)
    moves.UNDO_APPROVAL.require(token)
    follow_up(undo_approval(token.pk, actor=requester.actor(request)))
    return redirect("team", token.team.slug)


@posted_from("token")
@limited(table.ANSWERS)
def remind(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Mail those who may agree to a request once more."""
    token = visible_token(request, token_id)
    policy.require(policy.may_receive, requester.person(request), token)
    told = remind_approvers(token.pk, actor=requester.actor(request))
    follow_up(told.effects)
    if told.people:
        messages.success(request, f"Reminded: {', '.join(told.people)}.")
    else:
        messages.warning(request, "They were mailed within the last hour. Try again later.")
    return redirect("token", token.pk)


@posted_from("token")
def collect(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Have the token made for the browser that sends its public key."""
    token = visible_token(request, token_id)
    if not policy.may_receive(requester.person(request), token):
        raise PermissionDenied(RECIPIENT_ALONE)
    form = CollectForm(request.POST)
    if not form.is_valid():
        moves.COLLECT.require(token)
        return page.page(request, token, status=422, collect_form=form)
    require_step_up_for(request, token.service_account)
    try:
        collected = collect_token(token.pk, actor=requester.actor(request), **form.cleaned_data)
    except NotNowError as not_now:
        return page.page(request, token, status=409, collect_obstacle=str(not_now))
    follow_up(collected.effects)
    return redirect("token", token.pk)


def _to_the_next(request: HttpRequest, token: Token) -> HttpResponse:
    """The desk, where the next request stands; or to the key, for who has answered their own."""
    if token.owner == requester.person(request):
        return redirect("token", token.pk)
    desk = reverse("team", args=[token.team.slug], query={"answered": str(token.pk)})
    return redirect(f"{desk}#answered")


def _find_answerable(request: HttpRequest, token_id: uuid.UUID) -> Token:
    token = visible_token(request, token_id)
    policy.require(policy.may_approve, requester.person(request), token)
    return token
