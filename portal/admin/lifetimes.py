"""How long, in Django's admin: as everywhere, ``7d`` and not 604800."""

from typing import Any

from django import forms

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
