"""Selects, long ones too: a page offers the first of what there is, and the rest is typed for."""

from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

MOST_OFFERED = 100
"""Choices on a page. Of more, its script asks for those that fit what is typed (combobox.js)."""

LONGEST_TYPED = 255

Choices = list[tuple[str, str]]


class PlainSelect(forms.Select):
    """Writes its options itself. Django renders a template for each: a hundred of them took as long
    as the table of events below.
    """

    def render(
        self,
        name: str,
        value: Any,
        attrs: dict[str, Any] | None = None,
        renderer: Any = None,  # noqa: ARG002 (Django's signature)
    ) -> SafeString:
        chosen = self.format_value(value)
        options = format_html_join(
            "",
            '<option value="{}"{}>{}</option>',
            (
                (offered, " selected" if str(offered) in chosen else "", label)
                for offered, label in self.choices
            ),
        )
        return format_html(
            '<select name="{}"{}>{}</select>',
            name,
            flatatt(self.build_attrs(self.attrs, attrs)),
            options,
        )


class LongSelect(PlainSelect):
    """A select that may have more choices than a page shows; ``options`` names the address at which
    its page's script asks for others, or is given later."""

    def __init__(self, options: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.options_url = options
        self.attrs["data-combobox"] = True

    def may_be_cut(self, offered: Choices) -> None:
        """Say where the others are found, if there are more than MOST_OFFERED."""
        if len(offered) > MOST_OFFERED:
            self.attrs["data-options-url"] = resolve_url(self.options_url)


def typed(request: HttpRequest) -> str:
    """What a page's script asks choices for: what somebody has typed, as far as it is of use."""
    return request.GET.get("q", "").replace("\0", "").strip()[:LONGEST_TYPED]


def found(choices: Choices) -> dict[str, Any]:
    """What a page's script is answered that asks for choices: at most MOST_OFFERED of these."""
    shown = [{"value": value, "label": label, "reason": ""} for value, label in choices]
    return {"options": shown[:MOST_OFFERED], "is_cut": len(shown) > MOST_OFFERED}
