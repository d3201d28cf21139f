"""Django's admin, for admins: teams, people, grants and connections; all else to look at."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal.admin import access, records

__all__ = ["access", "records"]

admin.site.site_header = "Token portal: administration"
admin.site.site_title = "Token portal"
admin.site.site_url = "/tokens/"


@secure_admin_login  # type: ignore[untyped-decorator]  # of a library without types
@login_not_required  # it sends the anonymous to the front door itself
def to_the_index(request: HttpRequest, extra_context: object = None) -> HttpResponse:  # noqa: ARG001
    """Django's own sign-in neither limits tries nor records them, and not even an admin may use it
    to try other people's passwords: everybody comes by the front door."""
    return redirect("admin:index")


admin.site.login = to_the_index  # type: ignore[method-assign]  # as it says
