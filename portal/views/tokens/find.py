"""The token that an address names, for whoever may see it."""

import uuid
from collections.abc import Callable

from django.http import Http404, HttpRequest

from portal import policy, requester
from portal.models import Token
from portal.views.refusals import HiddenError


def visible_token(request: HttpRequest, token_id: uuid.UUID) -> Token:
    """The token, if the person may see its record; otherwise the page does not exist."""
    return _visible(request, Token.objects.for_page, token_id)


def visible_token_bare(request: HttpRequest, token_id: uuid.UUID) -> Token:
    """The same without what pages name beside it: for what is asked often and says little."""
    return _visible(request, Token.objects.bare, token_id)


def _visible(
    request: HttpRequest, found: Callable[[uuid.UUID], Token], token_id: uuid.UUID
) -> Token:
    try:
        token = found(token_id)
    except Token.DoesNotExist:
        raise Http404 from None
    if not policy.may_see(requester.person(request), token):
        raise HiddenError
    return token
