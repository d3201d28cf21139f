"""How people answer a request: a lead agrees or refuses, the recipient collects. POST only."""

import uuid

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal import policy, wakeup
from portal.flows.approve import approve as approve_request
from portal.flows.approve import deny as deny_request
from portal.flows.collect import NotNowError
from portal.flows.collect import collect as collect_token
from portal.forms import ApproveForm, CollectForm, DenyForm
from portal.models import State, Token
from portal.policy import NotPermittedError, WrongStateError
from portal.tasks import enqueue_issue
from portal.views import edge, record, tokens
from portal.views.actions import conflict
from portal.views.delivery import RECIPIENT_ALONE
from portal.views.ways import posted_from


@posted_from("token")
def approve(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Agree to a request, or to less of it."""
    token = _find_answerable(request, token_id)
    if token.state != State.AWAITING_APPROVAL:
        return conflict(request, WrongStateError(token), "approved")
    form = ApproveForm(request.POST, token=token)
    if not form.is_valid():
        return record.page(request, token, status=422, approve_form=form)
    try:
        approve_request(
            token.pk,
            actor=edge.actor(request),
            seconds_to_live=form.cleaned_data["seconds_to_live"],
            reason=form.cleaned_data["reason"],
        )
    except NotPermittedError:
        raise PermissionDenied from None
    except WrongStateError as wrong:
        return conflict(request, wrong, "approved")
    wakeup.ring(token.pk)
    return redirect("token", token.pk)


@posted_from("token")
def deny(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Refuse a request, and say why."""
    token = _find_answerable(request, token_id)
    if token.state != State.AWAITING_APPROVAL:
        return conflict(request, WrongStateError(token), "denied")
    form = DenyForm(request.POST)
    if not form.is_valid():
        return record.page(request, token, status=422, deny_form=form)
    try:
        deny_request(token.pk, actor=edge.actor(request), reason=form.cleaned_data["reason"])
    except NotPermittedError:
        raise PermissionDenied from None
    except WrongStateError as wrong:
        return conflict(request, wrong, "denied")
    wakeup.ring(token.pk)
    return redirect("token", token.pk)


@posted_from("token")
def collect(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Have the token made for the browser that sends its public key."""
    token = tokens.find(request, token_id)
    if not policy.may_receive(edge.person(request), token):
        raise PermissionDenied(RECIPIENT_ALONE)
    form = CollectForm(request.POST)
    if not form.is_valid():
        if token.state != State.AWAITING_RECIPIENT:
            return conflict(request, WrongStateError(token), "collected")
        return record.page(request, token, status=422, collect_form=form)
    try:
        state = collect_token(token.pk, form.cleaned_data["public_key"], actor=edge.actor(request))
    except NotPermittedError:
        raise PermissionDenied from None
    except WrongStateError as wrong:
        return conflict(request, wrong, "collected")
    except NotNowError as not_now:
        return record.page(request, token, status=409, collect_obstacle=str(not_now))
    if state == State.QUEUED:
        enqueue_issue(token.pk)
    wakeup.ring(token.pk)
    return redirect("token", token.pk)


def _find_answerable(request: HttpRequest, token_id: uuid.UUID) -> Token:
    token = tokens.find(request, token_id)
    if not policy.may_approve(edge.person(request), token):
        raise PermissionDenied
    return token
