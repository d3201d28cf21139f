"""Rows that nobody edits here, superuser or not: what AWS has, tokens, and what happened."""

from django.contrib import admin
from django.db import models
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest

from portal.models import AuditEvent, ServiceAccount, Token, Workspace


class PortalAdmin(admin.ModelAdmin):
    """A list that is filtered by what it offers, and by nothing else.

    Django would take any column of the row from the address, those too that no page shows: by what
    is listed and what is not, a password's hash could be found out letter by letter.
    """

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        offered = {one[0] if isinstance(one, tuple) else one for one in self.list_filter}
        asked = lookup.split(LOOKUP_SEP)[0]
        return asked in offered and super().lookup_allowed(lookup, value, request)


class LookOnly(PortalAdmin):
    """Rows to look at."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 (Django's)
        return False

    def has_change_permission(
        self,
        request: HttpRequest,  # noqa: ARG002 (Django's signature)
        obj: models.Model | None = None,  # noqa: ARG002 (Django's)
    ) -> bool:
        return False

    def has_delete_permission(
        self,
        request: HttpRequest,  # noqa: ARG002 (Django's signature)
        obj: models.Model | None = None,  # noqa: ARG002 (Django's)
    ) -> bool:
        return False


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


@admin.register(Workspace)
class WorkspaceAdmin(LookOnly):
    list_display = ["name", "aws_id", "status", "connection"]
    search_fields = ["name", "aws_id"]


@admin.register(ServiceAccount)
class ServiceAccountAdmin(LookOnly):
    list_display = ["name", "aws_id", "grafana_role", "workspace"]
    search_fields = ["name", "aws_id", "workspace__name"]
    list_select_related = ["workspace"]
