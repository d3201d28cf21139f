"""A token's end with notice, and its being kept. POST only; the forms stand on the token's page."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal import policy, requester
from portal.flows.give_notice import NoticeRefusedError, give_notice
from portal.flows.give_notice import keep as keep_token
from portal.forms import NoticeForm
from portal.limits import table
from portal.tasks import follow_up
from portal.views.limiting import limited
from portal.views.tokens import page
from portal.views.tokens.find import visible_token
from portal.views.way_back import posted_from


@posted_from("token")
@limited(table.ENDS)
def give(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """End a token with notice."""
    token = visible_token(request, token_id)
    policy.require(policy.may_revoke, requester.person(request), token)
    form = NoticeForm(request.POST)
    if form.is_valid():
        actor, said = requester.actor(request), form.cleaned_data
        try:
            follow_up(give_notice(token.pk, said["notice"], actor=actor, reason=said["reason"]))
        except NoticeRefusedError as refused:
            form.add_error("notice", str(refused))
    if form.errors:
        return page.page(request, token, status=422, notice_form=form)
    return redirect("token", token.pk)


@posted_from("token")
@limited(table.ENDS)
def keep(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Keep a token that was to end."""
    token = visible_token(request, token_id)
    follow_up(keep_token(token.pk, actor=requester.actor(request)))
    return redirect("token", token.pk)
