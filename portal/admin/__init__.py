"""Django's admin, for admins: teams, people, grants and connections; all else to look at."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin

from portal.admin import access, records

__all__ = ["access", "records"]

admin.site.site_header = "Token portal: administration"
admin.site.site_title = "Token portal"
admin.site.site_url = "/tokens/"
# Django's own sign-in neither limits attempts nor records them: everybody comes by the front door.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]  # as it says
