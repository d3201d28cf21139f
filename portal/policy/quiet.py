"""What a replaced token waits for that is held until nothing uses it any more."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.models import State, Token

SHORTEST = 3_600
"""Seconds. Grafana writes a use down late; less would take silence for quiet."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """It ends once Grafana has told of no use for ``wanted``, not before ``earliest``, and by
    ``latest`` in any case. ``listed_at`` is when AMG's list was last read."""

    wanted: timedelta
    earliest: datetime
    latest: datetime | None
    last_used_at: datetime | None
    listed_at: datetime | None

    @property
    def tells_nothing(self) -> bool:
        """Whether Grafana has told of no use at all: then its silence says nothing either, and the
        token is held until ``latest``."""
        return self.last_used_at is None

    @property
    def ends_at(self) -> datetime | None:
        """When it ends, if it is not used again; None where that can't be known."""
        if self.last_used_at is None:
            return self.latest
        quiet = max(self.last_used_at + self.wanted, self.earliest)
        return min(quiet, self.latest) if self.latest else quiet

    def is_reached(self, now: datetime) -> bool:
        """Whether it is quiet, as far as AMG's list goes that was read last."""
        if self.last_used_at is None or self.listed_at is None or now < self.earliest:
            return False
        return self.listed_at >= self.last_used_at + self.wanted


def quiet_of(token: Token) -> Quiet | None:
    """What it waits for; None where it is not held."""
    if token.state != State.ACTIVE or token.quiet_from is None:
        return None
    successors = Token.objects.filter(replaces=token, quiet_seconds__isnull=False)
    wanted = successors.order_by("-delivered_at").values_list("quiet_seconds", flat=True).first()
    if wanted is None:
        return None
    return Quiet(
        timedelta(seconds=wanted),
        token.quiet_from,
        token.revoke_at,
        token.last_used_at,
        token.service_account.listed_at,
    )
