"""The form of a team's webhook."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from portal.forms.fields import legible
from portal.logs import KEY_SHAPE
from portal.models import WebhookFormat, WebhookKind
from portal.models.webhooks import LONGEST_NAME
from portal.webhooks import places


class WebhookForm(forms.Form):
    """Where to, what for, and how it is written. Unless it ``needs_address``, that may be left
    empty: it stays as it is."""

    url = forms.CharField(
        required=False, error_messages={"required": "Write the address that the receiver has."}
    )
    name = forms.CharField(
        required=False,
        max_length=LONGEST_NAME,
        error_messages={
            "max_length": "A name has at most 80 characters; this one has %(show_value)d."
        },
    )
    format = forms.ChoiceField(
        choices=WebhookFormat.choices,
        required=False,
        error_messages={"invalid_choice": "Choose one of the formats."},
    )
    events = forms.MultipleChoiceField(
        choices=WebhookKind.choices,
        error_messages={
            "required": "Choose at least one thing to be told of.",
            "invalid_choice": "Choose from the list.",
        },
    )

    def __init__(self, data: Any = None, *, needs_address: bool, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.fields["url"].required = needs_address

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        if KEY_SHAPE.search(url):
            raise ValidationError("This has a Grafana key in it: never put one into an address.")
        if url:
            try:
                places.parse(url, settings.WEBHOOK_NETWORKS)
            except places.WrongPlaceError as wrong:
                raise ValidationError(str(wrong)) from None
        return url

    def clean_name(self) -> str:
        return legible(self.cleaned_data["name"])

    def clean_format(self) -> str:
        return self.cleaned_data["format"] or WebhookFormat.STANDARD
