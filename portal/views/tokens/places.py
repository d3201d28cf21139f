"""Where the key of a token lies, as people write it down. POST only; the forms stand on the token's
page, whose script asks for JSON so that a key which is shown stays there."""

import uuid

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse

from portal import policy, requester
from portal.flows.note_place import PlaceRefusedError, forget_place, note_place
from portal.forms import PlaceForm
from portal.limits import table
from portal.models import Token
from portal.tasks import follow_up
from portal.views.limiting import limited
from portal.views.tokens import page
from portal.views.tokens.find import visible_token
from portal.views.way_back import posted_from


@posted_from("token")
@limited(table.PLACES)
def note(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Write a place down."""
    token = visible_token(request, token_id)
    policy.require(policy.may_describe, requester.person(request), token)
    form = PlaceForm(request.POST)
    if form.is_valid():
        try:
            follow_up(
                note_place(token.pk, form.cleaned_data["place"], actor=requester.actor(request))
            )
        except PlaceRefusedError as refused:
            form.add_error("place", str(refused))
    if form.errors and requester.wants_json(request):
        return JsonResponse({"message": " ".join(map(str, form.errors["place"]))}, status=422)
    if form.errors:
        return page.page(request, token, status=422, place_form=form)
    return _noted(request, token)


@posted_from("token")
@limited(table.PLACES)
def forget(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Remove a place."""
    token = visible_token(request, token_id)
    policy.require(policy.may_describe, requester.person(request), token)
    form = PlaceForm(request.POST)
    if form.is_valid():  # else there is no such place
        place = form.cleaned_data["place"]
        follow_up(forget_place(token.pk, place, actor=requester.actor(request)))
    return _noted(request, token)


def _noted(request: HttpRequest, token: Token) -> HttpResponse:
    if requester.wants_json(request):
        return JsonResponse({"places": [one.text for one in token.places.filter(is_due=False)]})
    return redirect(f"{reverse('token', args=[token.pk])}#places")
