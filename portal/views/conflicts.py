"""409: a token is in a state in which what was asked for can't be done (any more)."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from portal.flows.reissue import AlreadyReplacedError
from portal.life import WrongStateError
from portal.views import explain


class ConflictMiddleware:
    """Says for every view who did what when, instead of doing what was asked for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, WrongStateError):
            return None
        replaced = exception if isinstance(exception, AlreadyReplacedError) else None
        context = {
            "token": exception.token,
            "wanted": exception.done,
            "message": explain.message(exception.token),
            "replacement": replaced.replacement if replaced else None,
        }
        return render(request, "tokens/conflict.html", context, status=409)
