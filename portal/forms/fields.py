"""Fields that several forms have."""

from datetime import UTC, tzinfo
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from portal import lifetimes, sealing
from portal.lifetimes import in_words
from portal.logs import KEY_SHAPE
from portal.models import LONGEST_PLACE
from portal.moments import UnknownZoneError, zone
from portal.text import is_visible, unseen

OTHER_NAMES = {"lifetime": "seconds_to_live", "overlap": "overlap_seconds"}
"""By which lifetimes may be sent as text."""


class LifetimeField(forms.CharField):
    """How long something is to live (``30m``, ``Fri 18:00``; see portal.lifetimes), or how long an
    overlap is to be; its clean value is seconds. A number alone is seconds. Left empty, it is None.

    ``wanted`` says how long it may be.
    """

    place: tzinfo | None = UTC
    """The reader's zone; None when their browser names one that nobody here knows."""

    def __init__(self, *, least: int, most: int, wanted: str = "", **kwargs: Any) -> None:
        self.least, self.most = least, most
        self.wanted = wanted or f"A lifetime is {in_words(least)} to {in_words(most)}."
        super().__init__(max_length=60, **kwargs)

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:
            return None
        if self.place is None and lifetimes.is_until(text):
            raise ValidationError("Your browser names no zone that is known here: write how long.")
        try:
            seconds = lifetimes.read(text, self.place or UTC)
        except lifetimes.NoLifetimeError as error:
            raise ValidationError(str(error)) from None
        if not self.least <= seconds <= self.most:
            raise ValidationError(self.wanted)
        return seconds


class FormWithLifetimes(forms.Form):
    """A form whose lifetimes are of the reader's zone, and may be sent by their other names."""

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(_by_first_names(data), **kwargs)
        for field in self.fields.values():
            if isinstance(field, LifetimeField):
                field.place = self._place()

    def _place(self) -> tzinfo | None:
        try:
            return zone(str(self.data.get("time_zone", "")).strip())
        except UnknownZoneError:
            return None


def _by_first_names(data: Any) -> Any:
    if not data:
        return data
    named = data.copy()
    for other, first in OTHER_NAMES.items():
        if data.get(other) and not data.get(first):
            named[first] = data[other]
    return named


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


class PlaceField(forms.CharField):
    """Where a key lies, in a few words: never the key."""

    def __init__(self, **kwargs: Any) -> None:
        messages = {
            "required": "Write where the key lies, such as “GitHub acme/dash”.",
            "max_length": "A place has at most 80 characters; this one has %(show_value)d.",
        }
        super().__init__(max_length=LONGEST_PLACE, error_messages=messages, **kwargs)

    def clean(self, value: Any) -> str:
        text = legible(super().clean(value))
        if "glsa_" in text.casefold():
            raise ValidationError(
                "What has “glsa_” in it looks like a key: write the place alone, never the key."
            )
        return text


def legible(text: str) -> str:
    """A name or a reason as it is kept for ever, for many to read; raises ValidationError."""
    if character := unseen(text):
        raise ValidationError(f"{character} can't stand here: nobody sees it. Delete it.")
    if text and not is_visible(text):
        raise ValidationError("Nothing of this can be seen: write a letter, digit or sign as well.")
    if KEY_SHAPE.search(text):
        raise ValidationError("What begins with “glsa_” looks like a key: never put one here.")
    return text
