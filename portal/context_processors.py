"""What every template is given."""

from django.conf import settings
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.utils.functional import SimpleLazyObject


def csrf_token(request: HttpRequest) -> dict[str, object]:
    """The token of a page's forms, for templates: masked anew for each page, not for each form."""
    return {"csrf_token": SimpleLazyObject(lambda: get_token(request))}


def contact(request: HttpRequest) -> dict[str, object]:  # noqa: ARG001 (Django's signature)
    """How the people who run this portal are reached."""
    return {"contact": settings.CONTACT}
