"""What every template is given."""

from django.conf import settings
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.utils.functional import SimpleLazyObject


def every_page(request: HttpRequest) -> dict[str, object]:
    """The token of a page's forms, masked anew for each page and not for each form; and how the
    people who run this portal are reached."""
    return {
        "csrf_token": SimpleLazyObject(lambda: get_token(request)),
        "contact": settings.CONTACT,
    }
