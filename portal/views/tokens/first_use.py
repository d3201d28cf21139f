"""The page of a key that was just taken asks whether something uses it by now."""

import uuid

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_POST

from portal import policy, requester
from portal.flows.look_for_use import look_for_use, waits_for_first_use
from portal.requester import answers_json
from portal.tasks import follow_up
from portal.views.tokens.find import visible_token_bare


@answers_json
@require_POST
def look(request: HttpRequest, token_id: uuid.UUID) -> JsonResponse:
    """Have AMG's list read soon; says whether there is anything still to wait for."""
    token = visible_token_bare(request, token_id)
    policy.require(policy.may_receive, requester.person(request), token)
    follow_up(look_for_use(token))
    return JsonResponse({"waits": waits_for_first_use(token)})
