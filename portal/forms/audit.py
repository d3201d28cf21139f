"""The filter form of the audit log. Its fields are the names that stand in a URL, so the address of
a filtered page is its saved link.

A plain form rather than django-filter: half of the fields mean something else than a column (free
text, times written by people), and what an index can answer is decided in ``portal.reading``.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode

from portal import moments
from portal.forms.selects import MOST_OFFERED, Choices, LongSelect, PlainSelect
from portal.logs import KEY_SHAPE, mask
from portal.models import Action, Outcome, Team, Workspace
from portal.reading.filters import MOST_PEOPLE, Filter, people_like
from portal.text import shown

_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{64}")

EVERY = Q()


class MomentField(forms.CharField):
    """A moment as people write it (``portal.moments``), in the zone ``place``; ``is_end`` is for
    ends of ranges."""

    place: tzinfo = UTC

    def __init__(self, *, is_end: bool = False, **kwargs: Any) -> None:
        self.is_end = is_end
        super().__init__(max_length=40, required=False, **kwargs)

    def clean(self, value: Any) -> datetime | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return moments.read(text, self.place, is_end=self.is_end)
        except moments.NoMomentError as error:
            raise ValidationError(str(error)) from None


class OfferingField(forms.ChoiceField):
    """A choice among what is offered. What an address names beyond that is kept and shown; it is
    an error where the set is closed, and may be something that is gone where it is not.
    """

    widget = PlainSelect

    def __init__(self, closed: Iterable[str] = (), **kwargs: Any) -> None:
        self.closed = list(closed)
        super().__init__(required=False, **kwargs)

    def offer(self, offered: Choices, asked: str) -> None:
        widget = cast(forms.Widget, self.widget)
        if isinstance(widget, LongSelect):
            widget.may_be_cut(offered)
            offered = offered[:MOST_OFFERED]
        gone = [(asked, asked)] if asked and asked not in dict(offered) else []
        self.choices = [("", "any"), *offered, *gone]

    def validate(self, value: str) -> None:
        if value and self.closed and value not in self.closed:
            raise ValidationError("There is no such thing: choose one of the list.")
        if len(value) > 64:
            raise ValidationError("This is longer than any id.")
        if "\0" in value:
            raise ValidationError("No id holds U+0000 null.")


def team_choices(like: Q = EVERY) -> Choices:
    """So many that the last may say that there are more."""
    return [(one.slug, one.name) for one in Team.objects.filter(like)[: MOST_OFFERED + 1]]


def workspace_choices(like: Q = EVERY) -> Choices:
    """Likewise."""
    found = Workspace.objects.filter(like)[: MOST_OFFERED + 1]
    return [(one.aws_id, f"{one} · {one.aws_id}") for one in found]


class AuditFilterForm(forms.Form):
    """All fields are optional, and what they say holds together."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=128,
        help_text="The first letters of a token name, as they are written; a person by name or "
        "address; or a whole id: of a token, workspace, AWS token, AWS request or event.",
    )
    actor = forms.CharField(
        label="Who did it",
        required=False,
        max_length=254,
        help_text="An e-mail address, “portal” or “unknown”.",
    )
    team = OfferingField(label="Team", widget=LongSelect(options="audit-teams"))
    workspace = OfferingField(label="Workspace", widget=LongSelect(options="audit-workspaces"))
    service_account = forms.CharField(
        label="Service account",
        required=False,
        max_length=255,
        help_text="Its name, or its id in Grafana.",
    )
    role = OfferingField(("ADMIN", "EDITOR", "VIEWER"), label="Role")
    action = OfferingField(Action.values, label="What happened")
    outcome = OfferingField(Outcome.values, label="Outcome")
    as_of = MomentField(
        label="As of",
        help_text="The tokens that were alive then, instead of events: 2026-11-23T14:30, 12h.",
    )
    since = MomentField(
        label="Since", help_text="2026-11-23, 2026-11-23T14:30, yesterday, 12h or 7d."
    )
    until = MomentField(label="Until", is_end=True, help_text="A date includes its day.")
    time_zone = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    place: tzinfo = UTC
    """The zone in which times are taken."""

    unknown_zone = ""

    def __init__(self, data: Mapping[str, str]) -> None:
        asked = {name: data.get(name, "") for name in self.base_fields}
        self.was_a_key = bool(KEY_SHAPE.search(asked["q"]))
        super().__init__(asked | {"q": mask(asked["q"])})
        self._take_times_in(asked["time_zone"].strip())
        offers: dict[str, Choices] = {"team": team_choices(), "workspace": workspace_choices()}
        for name, field in self.fields.items():
            if name == "time_zone":
                continue
            field.widget.attrs["autocomplete"] = "off"
            if isinstance(field, OfferingField):
                offered = offers.get(name) or [(value, value) for value in field.closed]
                field.offer(offered, asked[name].strip())
            else:
                field.widget.attrs |= {"spellcheck": "false", "autocapitalize": "none"}
        for name in ("actor", "service_account"):
            # What is in it comes when somebody opens the filters: see suggestions.py.
            self.fields[name].widget.attrs["list"] = f"{name}-suggestions"

    def _take_times_in(self, name: str) -> None:
        """Read times as clocks of this zone show them; of one that nobody knows, as UTC's do."""
        try:
            self.place = moments.zone(name)
        except moments.UnknownZoneError:
            self.place, self.unknown_zone = UTC, name
        said = "UTC" if self.place is UTC else name
        for moment in ("as_of", "since", "until"):
            field = cast(MomentField, self.fields[moment])
            field.place = self.place
            field.help_text = format_html(
                "{} In the time of <span data-zone>{}</span>.", field.help_text, said
            )

    def clean_time_zone(self) -> str:
        if self.unknown_zone:
            raise ValidationError(
                f"This portal knows no time zone “{shown(self.unknown_zone)}”. Send it again to "
                "have times taken as UTC, or write their offset (2026-11-23T14:30+09:00)."
            )
        return str(self.cleaned_data["time_zone"])

    def clean_q(self) -> str:
        text: str = self.cleaned_data["q"]
        if self.was_a_key:
            raise ValidationError(
                "That was a key, and what is searched for stands in the address, where others may "
                "read it. Revoke this token; “Find by key” finds it without sending the key."
            )
        if _FINGERPRINT.fullmatch(text):
            raise ValidationError(
                "A SHA-256 of a key has no place in an address: use “Find by key”."
            )
        if text and len(people_like(text)) > MOST_PEOPLE:
            raise ValidationError(f"This fits more than {MOST_PEOPLE} people: write more of it.")
        return text

    def clean_actor(self) -> str:
        return str(self.cleaned_data["actor"]).lower()

    def clean_as_of(self) -> datetime | None:
        asked: datetime | None = self.cleaned_data["as_of"]
        if asked and asked > timezone.now():
            raise ValidationError("Nobody knows yet what will be alive then.")
        return asked

    def clean(self) -> dict[str, Any]:
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if since and until and until <= since:
            self.add_error("until", "This is not after “Since”.")
        return self.cleaned_data

    @property
    def wanted(self) -> Filter:
        """What a valid form asks for."""
        asked = {name: said for name, said in self.cleaned_data.items() if name != "time_zone"}
        return Filter(**asked)

    @property
    def query(self) -> str:
        """What was typed, as the query of a URL: an address that keeps ``7d`` meaning 7 days.

        The zone is part of it where it says how a time is meant.
        """
        said = {name: value for name, value in self.data.items() if value}
        if not {"since", "until", "as_of"} & said.keys():
            said.pop("time_zone", None)
        return urlencode(said)

    def more(self) -> list[forms.BoundField]:
        """Every field to see but the free text."""
        return [field for field in self.visible_fields() if field.name != "q"]

    def uses_more(self) -> bool:
        """Whether a field but the free text says something, or says it wrongly."""
        says = any(field.value() or field.errors for field in self.more())
        return says or bool(self.unknown_zone)
