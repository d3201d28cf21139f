"""Fields that several forms have."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from portal import sealing
from portal.logs import KEY_SHAPE
from portal.text import is_visible, unseen


class WholeNumberField(forms.CharField):
    """A whole number written in ASCII digits alone: ``1e3``, ``+5`` and ``٣`` are none.

    It is of seconds; ``wanted`` says how many there may be. Left empty, it is None.
    """

    def __init__(self, *, least: int, most: int, wanted: str = "", **kwargs: Any) -> None:
        self.least, self.most = least, most
        self.wanted = wanted or f"A lifetime is {least} to {most:,} seconds (30 days at most)."
        super().__init__(max_length=20, **kwargs)

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{1,19}", text):
            raise ValidationError("Give it as a whole number of seconds.")
        number = int(text)
        if not self.least <= number <= self.most:
            raise ValidationError(self.wanted)
        return number


class PublicKeyField(forms.CharField):
    """A browser's public key in base64; its clean value is the DER. Empty is empty."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return b""
        try:
            return sealing.decode_public_key(text)
        except sealing.InvalidPublicKeyError as error:
            raise ValidationError(f"{error} Reload the page and try again.") from None


class ReasonField(forms.CharField):
    """Why, in a few words: kept for ever, for many to read."""

    def __init__(self, *, required_message: str = "", **kwargs: Any) -> None:
        messages = {
            "required": required_message,
            "max_length": "A reason has at most 500 characters; this one has %(show_value)d.",
        }
        required = bool(required_message)
        super().__init__(max_length=500, required=required, error_messages=messages, **kwargs)

    def clean(self, value: Any) -> str:
        return legible(super().clean(value))


def legible(text: str) -> str:
    """A name or a reason as it is kept for ever, for many to read; raises ValidationError."""
    if character := unseen(text):
        raise ValidationError(f"{character} can't stand here: nobody sees it. Delete it.")
    if text and not is_visible(text):
        raise ValidationError("Nothing of this can be seen: write a letter, digit or sign as well.")
    if KEY_SHAPE.search(text):
        raise ValidationError("What begins with “glsa_” looks like a key: never put one here.")
    return text
