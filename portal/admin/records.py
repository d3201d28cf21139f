"""Rows that nobody edits here, superuser or not: what AWS has, tokens, and what happened."""

from collections.abc import Callable
from functools import cache
from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest

from portal.models import AuditEvent, ServiceAccount, Token, Workspace
from portal.text import isolated

LONGEST_SEARCH = 128
MOST_WORDS = 16
"""Each word of a search becomes a pattern for every column that is searched."""


class PortalAdmin(admin.ModelAdmin):
    """A list that is filtered by what it offers, and by nothing else.

    Django would take any column of the row from the address, those too that no page shows: by what
    is listed and what is not, a password's hash could be found out letter by letter.
    """

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        offered = {one[0] if isinstance(one, tuple) else one for one in self.list_filter}
        asked = lookup.split(LOOKUP_SEP)[0]
        is_storable = "\0" not in str(value)
        return asked in offered and is_storable and super().lookup_allowed(lookup, value, request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Nothing for a text that no row can hold, or that a database takes for too long."""
        if (
            len(search_term) > LONGEST_SEARCH
            or len(search_term.split()) > MOST_WORDS
            or "\0" in search_term
        ):
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)


@cache
def as_shown(name: str) -> Callable[[models.Model], str]:
    """A column of text in which nothing hides; some of it is AWS's, some a browser's."""

    @admin.display(description=name.replace("_", " "), ordering=name)
    def column(row: models.Model) -> str:
        return isolated(getattr(row, name))

    return column


class LookOnly(PortalAdmin):
    """Rows to look at."""

    hidden: tuple[str, ...] = ()
    """Columns that nobody sees here."""

    def get_fields(
        self,
        request: HttpRequest,  # noqa: ARG002 (Django's signature)
        obj: models.Model | None = None,  # noqa: ARG002 (Django's)
    ) -> list[Any]:
        return [
            as_shown(field.name)
            if isinstance(field, models.CharField | models.TextField) and not field.choices
            else field.name
            for field in self.model._meta.fields
            if field.name not in self.hidden
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> Any:
        return self.get_fields(request, obj)

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
    list_display = [as_shown("name"), "state", "owner", "team", "workspace", "expires_at"]
    list_filter = ["state"]
    search_fields = ["name"]
    hidden = ("public_key", "sealed_key")


@admin.register(AuditEvent)
class AuditEventAdmin(LookOnly):
    list_display = [
        *("seq", "at", "action", "outcome", "actor"),
        *(as_shown("token_name"), "aws_request_id"),
    ]
    list_filter = ["action"]
    ordering = ["-seq"]
    show_full_result_count = False


@admin.register(Workspace)
class WorkspaceAdmin(LookOnly):
    list_display = [as_shown("name"), "aws_id", "status", "connection"]
    search_fields = ["name", "aws_id"]


@admin.register(ServiceAccount)
class ServiceAccountAdmin(LookOnly):
    list_display = [as_shown("name"), "aws_id", "grafana_role", "workspace"]
    search_fields = ["name", "aws_id", "workspace__name"]
    list_select_related = ["workspace"]
