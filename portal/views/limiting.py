"""Limits as people meet them: a page or JSON with status 429 that says when to try again."""

from collections.abc import Callable, Collection
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from portal import limits, requester
from portal.flows.refuse import refuse
from portal.limits import Limit, LimitExceededError

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def limited(limit: Limit, methods: Collection[str] = ("POST",)) -> Callable[[View[P]], View[P]]:
    """Mark a view that a signed-in person may call by these methods as often as ``limit`` says."""

    def mark(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if request.method in methods:
                person = requester.person(request)
                limits.take(limit, str(person.pk), person=person)
            return view(request, *args, **kwargs)

        return guarded

    return mark


def answer(
    request: HttpRequest,
    exceeded: LimitExceededError,
    *,
    page: Callable[[], HttpResponse] | None = None,
) -> HttpResponse:
    """429 with ``Retry-After``, on ``page`` where what was typed is to be kept; as JSON for
    programs. The audit log is told."""
    refuse(exceeded, address=requester.address(request), user_agent=requester.user_agent(request))
    if requester.wants_json(request):
        told = {
            "message": str(exceeded),
            "retry_after": exceeded.seconds,
            "retry_at": exceeded.retry_at.isoformat(timespec="seconds"),
        }
        response: HttpResponse = JsonResponse(told)
    elif page is not None:
        response = page()
    else:
        context = {"title": "Too many tries", "message": str(exceeded)}
        response = render(request, "error.html", context)
    response.status_code = 429
    response.headers["Retry-After"] = str(exceeded.seconds)
    return response
