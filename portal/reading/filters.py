"""What an auditor asks the log for, and how that becomes conditions that an index answers.

Free text means one of a few things that each have an index of their own, so that a search costs
about the same however long the log is: there is no search for text inside a name (docs/AUDIT.md).
"""

import re
import uuid
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import Q
from django.utils.http import urlencode

from portal.amg import is_workspace_id
from portal.mailbox import spellings
from portal.models import AuditEvent, ServiceAccount, User
from portal.moments import shifted

MOST_PEOPLE = 200
"""A free text that fits more people than this says nothing about whom it means."""

DISORDER = timedelta(minutes=5)
"""How much older than its predecessor an event may be. Times ascend like numbers but where a clock
was set, and before there was a chain: those times say when a transaction began."""

FEW_PEOPLE = 5
"""So many are asked for one by one."""

_EVENT_NUMBER = re.compile(r"#?([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Alternative:
    """One of the things that a free text may mean. Its index has the matching events in their
    order, or (``is_ordered`` is false) in another."""

    condition: Q
    is_ordered: bool = True


@dataclass(frozen=True, slots=True)
class Bounds:
    """The numbers just outside a range of events; None where it is open."""

    above: int | None = None
    below: int | None = None

    def narrowed(self, *, above: int | None = None, below: int | None = None) -> "Bounds":
        """Within these as well."""
        return Bounds(
            max((seq for seq in (self.above, above) if seq is not None), default=None),
            min((seq for seq in (self.below, below) if seq is not None), default=None),
        )

    def condition(self) -> Q:
        found = Q()
        if self.above is not None:
            found &= Q(seq__gt=self.above)
        if self.below is not None:
            found &= Q(seq__lt=self.below)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which events; what is empty does not matter. ``until`` itself is not included."""

    q: str = ""
    actor: str = ""
    team: str = ""
    workspace: str = ""
    service_account: str = ""
    action: str = ""
    outcome: str = ""
    role: str = ""
    as_of: datetime | None = None
    """Tokens that were alive then instead of events: see portal.reading.as_of."""
    since: datetime | None = None
    until: datetime | None = None

    def __str__(self) -> str:
        """As the query of a URL; empty for the whole log."""
        return urlencode(self.terms())

    def terms(self) -> dict[str, str]:
        """What is asked for by name, with times in UTC; empty for the whole log."""
        asked = ((one.name, getattr(self, one.name)) for one in fields(self))
        return {
            name: _in_utc(value) if isinstance(value, datetime) else value
            for name, value in asked
            if value
        }

    def condition(self) -> Q:
        """Exactly what is asked for, as one condition."""
        found = Q()
        for alternative in self.alternatives():
            found |= alternative.condition
        return found & self.without_text()

    def without_text(self, *, moment: str = "at") -> Q:
        """All of it but the free text; ``moment`` is what events call their time."""
        found = Q()
        for column in ("actor", "team", "workspace", "action", "outcome"):
            if value := getattr(self, column):
                found &= Q(**{column: value})
        if self.role:
            found &= Q(grafana_role=self.role)
        found &= self.of_account()
        if self.since:
            found &= Q(**{f"{moment}__gte": self.since})
        if self.until:
            found &= Q(**{f"{moment}__lt": self.until})
        return found

    def of_account(self) -> Q:
        """An account by its id, or by its name: then it is looked up by the ids that have it."""
        text = self.service_account
        if not text:
            return Q()
        if text.isascii() and text.isdigit():
            return Q(service_account=text)
        named = ServiceAccount.objects.filter(name__iexact=text)
        ids = set(named.values_list("aws_id", flat=True)[:MOST_PEOPLE])
        return Q(service_account__in=ids, service_account_name__iexact=text)

    def alternatives(self) -> list[Alternative]:
        """What the free text may mean; without one, everything."""
        text = self.q
        if not text:
            return [Alternative(Q())]
        if token_id := _token_id(text):
            return [Alternative(Q(token_id=token_id))]
        found = [
            Alternative(_begins("token_name", text), is_ordered=False),
            Alternative(Q(aws_request_id=text)),
            Alternative(Q(aws_token_id=text)),
        ]
        if number := _EVENT_NUMBER.fullmatch(text):
            found.append(Alternative(Q(seq=int(number[1]))))
        if is_workspace_id(text):
            found.append(Alternative(Q(workspace=text)))
        people = people_like(text)
        for column in ("actor", "owner"):
            if len(people) <= FEW_PEOPLE:
                found += [Alternative(Q(**{column: address})) for address in people]
            else:
                found.append(Alternative(Q(**{f"{column}__in": people}), is_ordered=False))
        return found

    def bounds(self) -> Bounds:
        """Between which numbers the events of the time range lie, give or take DISORDER.

        It narrows any other index to the range, so that a week of last year is found as fast as
        this one. It takes nothing away from ``condition`` unless a clock was set by more.
        """
        above, below = None, None
        if self.since:
            earlier = AuditEvent.objects.filter(at__lt=shifted(self.since, -DISORDER))
            above = earlier.order_by("-at", "-seq").values_list("seq", flat=True).first()
        if self.until:
            later = AuditEvent.objects.filter(at__gt=shifted(self.until, DISORDER))
            below = later.order_by("at", "seq").values_list("seq", flat=True).first()
        return Bounds(above, below)


def _in_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def people_like(text: str) -> list[str]:
    """The addresses of people whose address or name holds the text, at most one more than
    MOST_PEOPLE; and the text itself where it is an address, for somebody who is gone."""
    people = User.objects.filter(Q(email__icontains=text) | Q(name__icontains=text))
    found = set(people.order_by("email").values_list("email", flat=True)[: MOST_PEOPLE + 1])
    if "@" in text:
        found.update(spellings(text))
    return sorted(found)


def _token_id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if len(text) == 36 else None
    except ValueError:
        return None


def _begins(column: str, text: str) -> Q:
    """Begins with exactly this text, letter case included, by an index of either database.

    PostgreSQL's LIKE uses an index of pattern operators; SQLite's ignores letter case and uses
    none, but SQLite's text is ordered by its bytes, so a range says the same.
    """
    if connection.vendor == "postgresql":
        return Q(**{f"{column}__startswith": text})
    return Q(**{f"{column}__gte": text, f"{column}__lt": f"{text}\U0010ffff"})
