"""Which tokens were alive at a moment, whose they were and what they could do, by the audit log.

The log is asked and not the tokens' rows: an owner or an account's role may have changed since, and
what the log says can be proved.
"""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from portal.amg import LONGEST_LIFETIME
from portal.models import Action, AuditEvent
from portal.moments import shifted
from portal.reading.filters import Filter
from portal.text import shown

MADE = (Action.TOKEN_ISSUED, "token.adopted")
"""Events from which on a token exists; who takes over what others have made says so."""
OVER = (Action.TOKEN_REVOKED, Action.TOKEN_EXPIRED, Action.TOKEN_PRUNED)
"""Events after which it does not."""
AT_ONCE = 2000
"""Tokens whose events are asked for together."""


@dataclass(frozen=True, slots=True)
class Held:
    """A token as it was at the moment: its latest event until then, and who had taken its key."""

    event: AuditEvent
    recipient: str
    made_at: datetime
    ends_at: datetime | None

    @property
    def is_ending(self) -> bool:
        """Whether its end was asked for, and its key may have worked still."""
        return self.event.action in (Action.TOKEN_REVOKE_REQUESTED, Action.TOKEN_UNCLAIMED)


def alive(moment: datetime, wanted: Filter) -> list[Held]:
    """Those that existed at AWS then and that the filter's place, people and text fit, by role."""
    made = _made(moment, wanted)
    found: list[Held] = []
    ids = list(made)
    for start in range(0, len(ids), AT_ONCE):
        found += _held(moment, {one: made[one] for one in ids[start : start + AT_ONCE]})
    fitting = (one for one in found if _fits(one, wanted))
    return sorted(fitting, key=lambda one: (one.event.grafana_role, one.event.token_name))


def events_of(held: Iterable[Held], moment: datetime) -> Q:
    """Everything that the log had said of these tokens by then: it proves what is listed."""
    return Q(token_id__in=[one.event.token_id for one in held], at__lte=moment)


def _made(moment: datetime, wanted: Filter) -> dict[uuid.UUID, AuditEvent]:
    """What was made by then and can have lived so long; the place is the same for good."""
    place = Q()
    for column in ("team", "workspace"):
        if value := getattr(wanted, column):
            place &= Q(**{column: value})
    place &= wanted.of_account()
    # AWS lets no token live longer. By their numbers, which an index has beside the action.
    since = shifted(moment, -timedelta(seconds=LONGEST_LIFETIME))
    bounds = Filter(since=since, until=moment).bounds().condition()
    issued = Q(bounds, action=Action.TOKEN_ISSUED, at__gt=since)
    adopted = Q(action__in=MADE[1:])
    rows = AuditEvent.objects.filter((issued | adopted) & place, at__lte=moment).order_by("seq")
    return {
        event.token_id: event
        for event in rows
        if event.token_id and ((end := _end(event)) is None or end > moment)
    }


def _end(made: AuditEvent) -> datetime | None:
    if made.seconds_to_live is None or made.action != Action.TOKEN_ISSUED:
        return None
    return shifted(made.at, timedelta(seconds=made.seconds_to_live))


def _held(moment: datetime, made: dict[uuid.UUID, AuditEvent]) -> Iterator[Held]:
    told = AuditEvent.objects.filter(token_id__in=list(made), at__lte=moment).order_by("seq")
    latest: dict[uuid.UUID, AuditEvent] = {}
    recipients: dict[uuid.UUID, str] = {}
    over: set[uuid.UUID] = set()
    for event in told.iterator():
        if event.token_id is None:
            continue
        latest[event.token_id] = event
        if event.action in OVER:
            over.add(event.token_id)
        elif event.action == Action.TOKEN_DELIVERED:
            recipients[event.token_id] = event.actor
    for token_id, event in latest.items():
        if token_id not in over:
            begin = made[token_id]
            yield Held(event, recipients.get(token_id, ""), begin.at, _end(begin))


def _fits(held: Held, wanted: Filter) -> bool:
    event = held.event
    people = (event.owner, held.recipient)
    if wanted.role and event.grafana_role != wanted.role:
        return False
    if wanted.actor and wanted.actor not in people:
        return False
    text = wanted.q.casefold()
    said = (*people, event.token_name, str(event.token_id), shown(event.service_account_name))
    return not text or any(text in one.casefold() for one in said)
