"""Pages for what went wrong before a view could answer: what happened, and what to do next."""

import sys
from datetime import timedelta

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone

from portal import requester
from portal.limits import LimitExceededError, table
from portal.models import User
from portal.outage import is_outage
from portal.requester import wants_json
from portal.views import limiting, outage
from portal.views.too_old import too_old


def _answer(request: HttpRequest, status: int, title: str, message: str) -> HttpResponse:
    if wants_json(request):
        return JsonResponse({"message": message}, status=status)
    return render(request, "error.html", {"title": title, "message": message}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 400, "The portal could not read that request", "Go back and try again.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What the view says, or else what holds for Django's admin and for tokens."""
    if str(exception):
        why = str(exception)
    elif request.resolver_match and request.resolver_match.app_name == "admin":
        why = "This part of the administration is not open to you: ask an admin of this portal."
    else:
        why = "You can see this, but only its owner, a lead of its team or an admin may do that."
    return _answer(request, 403, "You may not do this", why)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(
        request,
        404,
        "Nothing here",
        "This page does not exist, or belongs to a team that you are not in. Check the address, or "
        "ask whoever sent you here.",
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Django asks for this page while it handles the exception, wherever that was raised."""
    error = sys.exception()
    if error is not None and is_outage(error):
        return outage.unavailable(request, error)
    return _answer(
        request,
        500,
        "Something broke on our side",
        "Nothing you asked for is lost: look at “My tokens”, or try again in a moment.",
    )


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """django-allauth asks for this page where it limits how often somebody may try: by minutes."""
    now = timezone.now()
    user = request.user if isinstance(request.user, User) else None
    return limiting.answer(
        request,
        LimitExceededError(
            table.ACCOUNT,
            f"{user.pk if user else requester.address(request)}",
            now=now,
            retry_at=now + timedelta(minutes=1),
            person=user,
            address=None if user else requester.address(request),
        ),
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    if wants_json(request):
        return JsonResponse({"message": "The form token is missing or too old."}, status=403)
    return too_old(request, reason)


def not_allowed(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """405 in our design, for an address that does not take this method."""
    page = _answer(
        request,
        405,
        "There is no page at this address",
        "It was opened in a way that it is not made for, and nothing has happened. Begin at the "
        "page that its button stands on.",
    )
    page.headers["Allow"] = response.headers.get("Allow", "")
    return page
