"""The ways into AWS accounts, edited by an admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from portal.access import words
from portal.access.connections import TROUBLE_WITH
from portal.admin.access import AccessAdmin
from portal.models import Connection


class ConnectionForm(forms.ModelForm):
    """The same rules as in the access file."""

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        for field, trouble_with in TROUBLE_WITH.items():
            if (text := said.get(field)) and (why := trouble_with(text)):
                self.add_error(field, f"{why[0].upper()}{why[1:]}.")
        return said


@admin.register(Connection)
class ConnectionAdmin(AccessAdmin):
    form = ConnectionForm
    list_display = ["name", "region", "role_arn"]
    fixed = ("name",)

    def save_model(
        self, request: HttpRequest, obj: Connection, form: forms.ModelForm, change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        if form.changed_data:
            said = words.connection(obj.name, form.changed_data if change else [])
            self.record(request, [said])
