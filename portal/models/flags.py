"""What stands out about a token, asked of the database: a desk may have thousands."""

from collections import Counter
from datetime import timedelta

from django.db import models
from django.db.models import BooleanField, Case, Count, F, Q, Value, When
from django.db.models.functions import Now

from portal.models.people import User
from portal.models.queries import TokenQuerySet, has_left
from portal.models.states import LIVE, State
from portal.models.tokens import Token

DAY = timedelta(days=1)
WEEK = timedelta(days=7)


class Flag(models.TextChoices):
    """Why somebody should look at a token."""

    ENDS_SOON = "ends-soon", "ends soon"
    NEVER_USED = "never-used", "never used"
    OWNER_LEFT = "owner-left", "owner left"
    RECIPIENT_LEFT = "recipient-left", "key known to somebody who left"
    NOT_COLLECTED = "not-collected", "not collected"
    REFUSED = "refused", "not deleted by AWS"

    @property
    def column(self) -> str:
        """The attribute of a flagged row that says whether this stands out about it."""
        return f"is_{self.name.lower()}"

    @property
    def explanation(self) -> str:
        """What the flag means, for people."""
        return _EXPLANATIONS[self]

    @property
    def condition(self) -> Q:
        """The rows that it stands out about; times by the database's clock."""
        match self:
            case Flag.ENDS_SOON:
                # As the mails do: what lives for an hour is no news when it ends within one.
                long = Q(seconds_to_live__gt=WEEK.total_seconds(), expires_at__lt=Now() + WEEK)
                short = Q(seconds_to_live__gt=DAY.total_seconds(), expires_at__lt=Now() + DAY)
                return Q(state=State.ACTIVE) & (long | short)
            case Flag.NEVER_USED:
                # Grafana reports a use late.
                return Q(state=State.ACTIVE, last_used_at=None, delivered_at__lt=Now() - DAY)
            case Flag.OWNER_LEFT:
                return has_left("owner")
            case Flag.RECIPIENT_LEFT:
                return has_left("recipient") & ~Q(recipient=F("owner"))
            case Flag.NOT_COLLECTED:
                return Q(state__in=(State.SEALED, State.AWAITING_RECIPIENT))
            case Flag.REFUSED:
                return Q(state=State.REVOKING) & ~Q(error_code="")


_EXPLANATIONS = {
    Flag.ENDS_SOON: "Ends within 7 days; within 1 day if it was made for a week or less.",
    Flag.NEVER_USED: "Delivered more than a day ago, and AWS has reported no use.",
    Flag.OWNER_LEFT: "Its owner is no longer in this team, or may no longer sign in.",
    Flag.RECIPIENT_LEFT: "It has another owner now, but whoever took its key has left: renew it.",
    Flag.NOT_COLLECTED: "Nobody has taken its key yet.",
    Flag.REFUSED: "It was revoked, and AWS has not deleted it: its key may still work.",
}


def flagged(tokens: TokenQuerySet) -> TokenQuerySet:
    """The rows, each saying of every flag whether it stands out (``Flag.column``)."""
    return tokens.annotate(
        **{
            flag.column: Case(
                When(flag.condition, then=Value(True)),
                default=Value(False),
                output_field=BooleanField(),
            )
            for flag in Flag
        }
    )


def flags_of(token: Token) -> list[Flag]:
    """What stands out about a row of ``flagged``."""
    return [flag for flag in Flag if getattr(token, flag.column)]


def count_flags(tokens: TokenQuerySet) -> dict[Flag, int]:
    """How many of the rows each flag stands out about, in one query."""
    counts = tokens.aggregate(**{flag.column: Count("pk", filter=flag.condition) for flag in Flag})
    return {flag: counts[flag.column] for flag in Flag}


def live_first(tokens: TokenQuerySet) -> TokenQuerySet:
    """What exists at AWS before what only waits to, and what ends first before the rest."""
    exists = Case(When(state__in=LIVE, then=Value(0)), default=Value(1))
    return tokens.order_by(exists, F("expires_at").asc(nulls_last=True), "pk")


def left_behind(tokens: TokenQuerySet) -> list[tuple[User, int]]:
    """The people who left the team of these rows, each with how many of the rows are theirs, or
    have a key that they have seen."""
    counts = Counter[int]()
    for flag, person in ((Flag.OWNER_LEFT, "owner"), (Flag.RECIPIENT_LEFT, "recipient")):
        left = tokens.filter(flag.condition).order_by().values_list(person)
        counts.update(dict(left.annotate(Count("pk"))))
    people = User.objects.filter(pk__in=counts).order_by("email") if counts else []
    return [(person, counts[person.pk]) for person in people]
