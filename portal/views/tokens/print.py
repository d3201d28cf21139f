"""The print of a token's key as JSON, for programs that hold secrets against tokens."""

import uuid

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from portal import prints
from portal.requester import answers_json
from portal.views.tokens.find import visible_token_bare


@answers_json
@require_safe
def as_json(request: HttpRequest, token_id: uuid.UUID) -> JsonResponse:
    """Three words; empty before there is a key, and where none was made here."""
    token = visible_token_bare(request, token_id)
    return JsonResponse({"name": token.name, "print": prints.of(token.fingerprint)})
