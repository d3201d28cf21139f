"""Django's admin: teams, people and grants for admins; tokens and events to look at.

What the access file names it wins back at its next application.
"""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from portal.models import (
    AuditEvent,
    Connection,
    Grant,
    Membership,
    ServiceAccount,
    Team,
    Token,
    User,
    Workspace,
)

admin.site.site_header = "Grafana tokens: administration"
admin.site.site_title = "Grafana tokens"
admin.site.site_url = "/tokens/"
# Django's own sign-in neither limits attempts nor records them: everybody comes by the front door.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]  # as it says


class LookOnly(admin.ModelAdmin):
    """Rows that nobody edits here, superuser or not."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 (Django's)
        return False

    def has_change_permission(
        self,
        request: HttpRequest,  # noqa: ARG002 (Django's signature)
        obj: models.Model | None = None,  # noqa: ARG002
    ) -> bool:
        return False

    def has_delete_permission(
        self,
        request: HttpRequest,  # noqa: ARG002 (Django's signature)
        obj: models.Model | None = None,  # noqa: ARG002
    ) -> bool:
        return False


class MembershipInline(admin.TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ["user"]


class GrantInline(admin.TabularInline):
    model = Grant
    extra = 0


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    """No password here: people set their own by mail."""

    list_display = ["email", "name", "is_active", "is_admin", "is_auditor"]
    search_fields = ["email", "name"]
    fields = ["email", "name", "is_active", "is_admin", "is_auditor"]

    def get_readonly_fields(
        self,
        request: HttpRequest,  # noqa: ARG002 (Django's signature)
        obj: models.Model | None = None,
    ) -> list[str]:
        """An address stays: who could change it could have a password reset sent to themselves."""
        return ["email"] if obj else []

    def has_delete_permission(
        self,
        request: HttpRequest,  # noqa: ARG002 (Django's signature)
        obj: models.Model | None = None,  # noqa: ARG002
    ) -> bool:
        """People are closed, not deleted: their tokens and their history stay."""
        return False


@admin.register(Team)
class TeamAdmin(admin.ModelAdmin):
    list_display = ["slug", "name", "closed_at"]
    search_fields = ["slug", "name"]
    inlines = [MembershipInline, GrantInline]


@admin.register(Token)
class TokenAdmin(LookOnly):
    list_display = ["name", "state", "owner", "team", "workspace", "expires_at"]
    list_filter = ["state"]
    search_fields = ["name"]
    exclude = ["public_key", "sealed_key"]


@admin.register(AuditEvent)
class AuditEventAdmin(LookOnly):
    list_display = ["seq", "at", "action", "outcome", "actor", "token_name", "aws_request_id"]
    list_filter = ["action"]
    ordering = ["-seq"]
    show_full_result_count = False


admin.site.register(Connection, LookOnly)
admin.site.register(Workspace, LookOnly)
admin.site.register(ServiceAccount, LookOnly)
