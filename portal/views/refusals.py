"""Refusals that monitors count: who asks for what is not theirs shows in logs and metrics."""

from typing import Any

from django.http import Http404, HttpRequest

_HIDDEN = "portal.hidden"
_KINDS = {403: "forbidden", 429: "limited"}


class HiddenError(Http404):
    """It is there, and not for this person, who reads what everybody reads where nothing is."""


def note(request: HttpRequest, exception: Exception) -> None:
    """Remember of a request that its 404 hides something."""
    if isinstance(exception, HiddenError):
        request.META[_HIDDEN] = "1"


def kind_of(request: HttpRequest, response: Any) -> str:
    """``forbidden`` (403), ``hidden`` (404 on what others have), ``limited`` (429), or empty."""
    if response.status_code == 404:
        return "hidden" if _HIDDEN in request.META else ""
    return _KINDS.get(response.status_code, "")
