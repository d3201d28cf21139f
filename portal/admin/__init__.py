"""Django's admin, for admins: teams, people, grants and connections; all else to look at."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.contrib.admin.options import TO_FIELD_VAR
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal.admin import access, connections, records

__all__ = ["access", "connections", "records"]

admin.site.site_header = "Token portal: administration"
admin.site.site_title = "Token portal"
admin.site.site_url = "/tokens/"


@secure_admin_login  # type: ignore[untyped-decorator]  # of a library without types
@login_not_required  # it sends the anonymous to the front door itself
def to_the_index(
    request: HttpRequest,  # noqa: ARG001 (Django's signature)
    extra_context: object = None,  # noqa: ARG001 (Django's)
) -> HttpResponse:
    """Django's own sign-in neither limits tries nor records them, and not even an admin may use it
    to try other people's passwords: everybody comes by the front door."""
    return redirect("admin:index")


guarded = admin.site.admin_view


def with_a_field(view: Callable[..., HttpResponse], cacheable: bool = False) -> Any:
    """Django looks a row up by the column that ``_to_field`` names, and fails where that is empty;
    of libraries' rows too, which nobody sees here."""
    page = guarded(view, cacheable)

    @wraps(page)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.POST.get(TO_FIELD_VAR, request.GET.get(TO_FIELD_VAR)) == "":
            raise Http404
        found: HttpResponse = page(request, *args, **kwargs)
        return found

    return answer


admin.site.admin_view = with_a_field  # type: ignore[method-assign, assignment]  # before any address is made
admin.site.login = to_the_index  # type: ignore[method-assign]  # as it says
