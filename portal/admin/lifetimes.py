"""How long, in Django's admin: as everywhere, ``7d`` and not 604800."""

from typing import Any

from django import forms
from django.db import models

from portal.amg import LONGEST_LIFETIME
from portal.forms.fields import LifetimeField
from portal.lifetimes import written


class StoredLifetimeField(LifetimeField):
    """A column of seconds, shown and read as people write it."""

    widget = forms.TextInput(attrs={"size": 12, "autocomplete": "off", "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        return written(value) if isinstance(value, int) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.clean(data) != initial)
        except forms.ValidationError:
            return True


def lifetime_field(column: models.Field) -> StoredLifetimeField | None:
    """The field for a grant's column of seconds; None for any other."""
    if column.name not in ("max_ttl", "default_ttl", "max_overlap"):
        return None
    return StoredLifetimeField(
        least=0 if column.name == "max_overlap" else 1,
        most=LONGEST_LIFETIME,
        label=str(column.verbose_name).replace(" in seconds", "").capitalize(),
        required=not column.blank,
        initial=column.get_default(),
        help_text="30m, 8h, 7d",
    )
