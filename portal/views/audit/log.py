"""The log itself: a page of events, its charts, one event, and a token's story."""

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from portal import policy, requester
from portal.converters import whole_number
from portal.forms.audit import AuditFilterForm
from portal.models import AuditEvent, Token
from portal.reading.charts import charts as read_charts
from portal.reading.events import page, story
from portal.views.audit import as_of
from portal.views.audit.drawing import draw
from portal.views.audit.table import rows

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def auditors_only(view: View[P]) -> View[P]:
    """403 for everybody else: that there is an audit log is no secret, what it says is."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not policy.may_audit(requester.person(request)):
            raise PermissionDenied(
                "Only auditors and admins can open the audit log. Ask an admin of this portal."
            )
        return view(request, *args, **kwargs)

    return guarded


@gzip_page
@require_safe
@auditors_only
def index(request: HttpRequest) -> HttpResponse:
    """A page of events, newest first; 422 with the message beside its field for a bad filter."""
    form = AuditFilterForm(request.GET)
    if not form.is_valid():
        return render(request, "audit/index.html", {"form": form}, status=422)
    if form.wanted.as_of is not None:
        return render(request, "audit/index.html", as_of.context(form))
    found = page(form.wanted, before=_cursor(request, "before"), after=_cursor(request, "after"))
    return render(
        request,
        "audit/index.html",
        {
            "form": form,
            "page": found,
            # Who asks for sign-ins wants to see each of them.
            "rows": rows(found.events, folded=not form.wanted.action),
            "query": form.query,
        },
    )


@gzip_page
@require_safe
@auditors_only
def charts(request: HttpRequest) -> HttpResponse:
    """The charts of a filter, which the log's page puts above its table."""
    form = AuditFilterForm(request.GET)
    if not form.is_valid():
        return render(request, "audit/index.html", {"form": form}, status=422)
    context = {
        "charts": draw(read_charts(form.wanted, form.place)),
        "form": form,
        "query": form.query,
    }
    return render(request, "audit/charts.html", context)


@require_safe
@auditors_only
def event(request: HttpRequest, seq: int) -> HttpResponse:
    """Everything that is known of one event."""
    found = get_object_or_404(AuditEvent, pk=seq)
    token_id = found.token_id
    has_token = token_id is not None and Token.objects.filter(pk=token_id).exists()
    return render(request, "audit/event.html", {"event": found, "has_token": has_token})


@require_safe
@auditors_only
def token_story(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Everything the log says of a token from its request to its end, its replacements included."""
    events = story(token_id)
    if not events:
        raise Http404
    told = {event.token_id: event.token_name for event in events}
    token = Token.objects.for_pages().filter(pk=token_id).first()
    return render(
        request,
        "audit/story.html",
        {
            "events": events,
            "token": token,
            "token_id": token_id,
            "name": told.get(token_id) or (token.name if token else ""),
            "several": len(told) > 1,
        },
    )


def _cursor(request: HttpRequest, name: str) -> int | None:
    """The number of the event next to the wanted page; None when none is asked for."""
    text = request.GET.get(name, "")
    if not text:
        return None
    number = whole_number(text)
    if number is None:
        raise Http404
    return number
