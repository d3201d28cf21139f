"""A token gets another owner, who is asked first. POST only; the forms stand on its page."""

import uuid

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from portal import policy, requester
from portal.flows.answer_handover import accept as accept_offer
from portal.flows.answer_handover import decline as decline_offer
from portal.flows.answer_handover import withdraw as withdraw_offer
from portal.flows.hand_over import HandOverRefusedError
from portal.flows.hand_over import hand_over as hand_token_over
from portal.flows.renew import renew
from portal.flows.request import RequestRefusedError
from portal.forms import DeclineForm, HandOverForm
from portal.forms.selects import found, typed
from portal.life import WrongStateError
from portal.limits import LimitExceededError, table
from portal.models import Handover, Token
from portal.requester import answers_json
from portal.tasks import follow_up
from portal.text import isolated
from portal.views.accounts.step_up import require_step_up_for
from portal.views.limiting import limited
from portal.views.tokens import page
from portal.views.tokens.find import visible_token
from portal.views.way_back import posted_from


@posted_from("token")
@limited(table.HANDOVERS)
def hand_over(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Ask somebody else of the team to own the token; make them its owner where ``keys`` is not
    sent, as by programs and by pages of before."""
    token = visible_token(request, token_id)
    policy.require(policy.may_hand_over, requester.person(request), token)
    form = HandOverForm(request.POST)
    if form.is_valid():
        wish = form.cleaned_data
        try:
            given = hand_token_over(
                token.pk,
                to=wish["person"],
                actor=requester.actor(request),
                asks=bool(wish["keys"]),
                renews=wish["keys"] == "renew",
                reason=wish["reason"],
            )
        except HandOverRefusedError as refusal:
            form.add_error("person", str(refusal))
        else:
            follow_up(given.effects)
            if given.at_once and wish["keys"] == "renew":
                return _renewed(request, token, wish["reason"])
            return redirect("token", token.pk)
    return page.page(request, token, status=422, hand_over_form=form)


@posted_from("token")
@limited(table.ANSWERS)
def accept(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Own the token from now on, with a new key if that is what who offered it wished for."""
    token = visible_token(request, token_id)
    offer = _offer(request, token, "accepted")
    if offer.renews:
        require_step_up_for(request, token.service_account)
    try:
        accepted = accept_offer(token.pk, actor=requester.actor(request))
    except HandOverRefusedError as refusal:
        return page.page(request, token, status=422, offer_obstacle=str(refusal))
    follow_up(accepted.effects)
    if accepted.renews:
        return _renewed(request, token, offer.reason)
    messages.success(request, f"{isolated(token.name)} is yours now.")
    return redirect("token", token.pk)


@posted_from("token")
@limited(table.ANSWERS)
def decline(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Leave it with its owner."""
    token = visible_token(request, token_id)
    _offer(request, token, "declined")
    form = DeclineForm(request.POST)
    if not form.is_valid():
        return page.page(request, token, status=422, decline_form=form)
    reason = form.cleaned_data["reason"]
    follow_up(decline_offer(token.pk, actor=requester.actor(request), reason=reason))
    messages.success(request, "Declined: who offered it is told.")
    return redirect("token", token.pk)


@posted_from("token")
@limited(table.HANDOVERS)
def withdraw(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Take back what was offered, as long as it is not accepted."""
    token = visible_token(request, token_id)
    follow_up(withdraw_offer(token.pk, actor=requester.actor(request)))
    return redirect("token", token.pk)


def _offer(request: HttpRequest, token: Token, done: str) -> Handover:
    """What the person is asked. Raises WrongStateError or PermissionDenied."""
    offer = policy.offered(token)
    if offer is None:
        raise WrongStateError(token, done)
    policy.require(policy.may_answer_offer, requester.person(request), offer)
    return offer


def _renewed(request: HttpRequest, token: Token, reason: str) -> HttpResponse:
    """The page of the new token, which its owner collects; its owner has changed already, so what
    stands against a new key is said and stops nothing."""
    try:
        renewed = renew(token.pk, actor=requester.actor(request), reason=reason)
    except (RequestRefusedError, LimitExceededError, PermissionDenied) as refusal:
        why = str(refusal) or "Its owner has to ask for that."
        messages.warning(
            request, f"{isolated(token.name)} has a new owner, and keeps its key: {why}"
        )
        return redirect("token", token.pk)
    except WrongStateError as late:
        messages.warning(
            request, f"{isolated(token.name)} has a new owner, and can't be {late.done} any more."
        )
        return redirect("token", token.pk)
    follow_up(renewed.effects)
    return redirect("token", renewed.token.pk)


@answers_json
@require_safe
def possible_owners(request: HttpRequest, token_id: uuid.UUID) -> JsonResponse:
    """Who may become its owner, by a part of address or name: for a list that is cut."""
    token = visible_token(request, token_id)
    if not policy.may_hand_over(requester.person(request), token):
        raise PermissionDenied
    people = policy.possible_owners_like(token, typed(request))
    return JsonResponse(found([(one.email, one.email) for one in people]))
