"""The filter form of the audit log. Its fields are the names that stand in a URL, so the address of
a filtered page is its saved link.

A plain form rather than django-filter: half of the fields mean something else than a column (free
text, times written by people), and what an index can answer is decided in ``portal.reading``.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.http import urlencode

from portal.forms.selects import MOST_OFFERED, Choices, LongSelect, PlainSelect
from portal.logs import KEY_SHAPE, mask
from portal.models import Action, Outcome, Team, Workspace
from portal.reading.filters import MOST_PEOPLE, Filter, people_like

_AGO = re.compile(r"([0-9]{1,4})([hd])")
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{64}")

EVERY = Q()


class MomentField(forms.CharField):
    """A moment as people write it: a date, a date with a time, or how long ago (``7d``, ``12h``).

    Without an offset it is in UTC. ``whole_day`` is for ends: a date alone includes its day.
    """

    def __init__(self, *, whole_day: bool = False, **kwargs: Any) -> None:
        self.whole_day = whole_day
        super().__init__(max_length=40, required=False, **kwargs)

    def clean(self, value: Any) -> datetime | None:
        text = super().clean(value)
        if not text:
            return None
        if ago := _AGO.fullmatch(text):
            unit = timedelta(hours=1) if ago[2] == "h" else timedelta(days=1)
            return timezone.now() - int(ago[1]) * unit
        try:
            if day := parse_date(text):
                begin = datetime.combine(day, time(), UTC)
                return begin + timedelta(days=1) if self.whole_day else begin
            # A “+” that nobody has escaped arrives as a space.
            if moment := parse_datetime(re.sub(r" (?=\d\d:?\d\d$)", "+", text)):
                return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise ValidationError(
            "Write a date (2026-11-23), a date and a time in UTC (2026-11-23T14:30), or how long "
            "ago (12h, 7d)."
        )


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


def team_choices(like: Q = EVERY) -> Choices:
    """So many that the last may say that there are more."""
    return [(one.slug, one.name) for one in Team.objects.filter(like)[: MOST_OFFERED + 1]]


def workspace_choices(like: Q = EVERY) -> Choices:
    """Likewise."""
    found = Workspace.objects.filter(like)[: MOST_OFFERED + 1]
    return [(one.aws_id, f"{one.name} · {one.aws_id}") for one in found]


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
        max_length=20,
        help_text="Its id in Grafana; unique in its workspace.",
    )
    action = OfferingField(Action.values, label="What happened")
    outcome = OfferingField(Outcome.values, label="Outcome")
    since = MomentField(label="Since", help_text="2026-11-23, 2026-11-23T14:30 (UTC), 12h or 7d.")
    until = MomentField(
        label="Until", whole_day=True, help_text="Likewise; a date includes its day."
    )

    def __init__(self, data: Mapping[str, str]) -> None:
        asked = {name: data.get(name, "") for name in self.base_fields}
        self.was_a_key = bool(KEY_SHAPE.search(asked["q"]))
        super().__init__(asked | {"q": mask(asked["q"])})
        offers: dict[str, Choices] = {"team": team_choices(), "workspace": workspace_choices()}
        for name, field in self.fields.items():
            field.widget.attrs["autocomplete"] = "off"
            if isinstance(field, OfferingField):
                offered = offers.get(name) or [(value, value) for value in field.closed]
                field.offer(offered, asked[name].strip())
            else:
                field.widget.attrs |= {"spellcheck": "false", "autocapitalize": "none"}
        for name in ("actor", "service_account"):
            # What is in it comes when somebody opens the filters: see suggestions.py.
            self.fields[name].widget.attrs["list"] = f"{name}-suggestions"

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

    def clean(self) -> dict[str, Any]:
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if since and until and until <= since:
            self.add_error("until", "This is not after “Since”.")
        return self.cleaned_data

    @property
    def wanted(self) -> Filter:
        """What a valid form asks for."""
        return Filter(**self.cleaned_data)

    @property
    def query(self) -> str:
        """What was typed, as the query of a URL: an address that keeps ``7d`` meaning 7 days."""
        return urlencode({name: value for name, value in self.data.items() if value})

    def more(self) -> list[forms.BoundField]:
        """Every field but the free text."""
        return [field for field in self if field.name != "q"]

    def uses_more(self) -> bool:
        """Whether a field but the free text says something, or says it wrongly."""
        return any(field.value() or field.errors for field in self.more())
