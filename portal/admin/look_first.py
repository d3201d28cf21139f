"""Before a save that takes access away: the page that names every token that loses by it.

The save is carried out and rolled back, so that what is shown is what would be, whatever the form.
"""

import uuid
from collections.abc import Callable

from django.contrib.messages import get_messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from portal import policy
from portal.models import Token
from portal.models.lookups import IS_OPEN

LOOKED = "_looked"
"""The field by which somebody says that they have seen the list."""
MOST_SHOWN = 200


def look_first(
    request: HttpRequest, save: Callable[[], HttpResponse], context: dict[str, object]
) -> HttpResponse | None:
    """The page that asks, where a save would take tokens or requests from somebody; else None."""
    if request.method != "POST" or LOOKED in request.POST:
        return None
    with transaction.atomic():
        before = _without_access()
        is_saved = save().status_code == 302
        lost = _without_access() - before if is_saved else set()
        transaction.set_rollback(True)
    list(get_messages(request))  # that it was saved, which it was not
    if not lost:
        return None
    tokens = Token.objects.for_pages().filter(pk__in=lost).order_by("team__slug", "name")
    fields = [(name, value) for name, values in request.POST.lists() for value in values]
    page = context | {
        "title": "This takes tokens away: look first",
        "tokens": tokens[:MOST_SHOWN],
        "count": len(lost),
        "fields": [one for one in fields if one[0] != "csrfmiddlewaretoken"],
        "looked": LOOKED,
        "address": request.get_full_path(),
    }
    return TemplateResponse(request, "admin/look_first.html", page)


def _without_access() -> set[uuid.UUID]:
    return set(policy.without_access().filter(IS_OPEN).values_list("pk", flat=True))
