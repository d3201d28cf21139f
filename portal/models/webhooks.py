"""Webhooks of teams, and the messages that go to them: an outbox of its own.

A receiver that is away holds up all of its messages, so the pause stands with the webhook. What it
refuses by itself waits alone.
"""

import uuid
from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Now

from portal.models.people import Team, User

TEST = "webhook.test"
"""The kind of a message that tells of nothing."""
LEASE = timedelta(seconds=60)
"""How long a worker holds a webhook: longer than a task may run (30 s)."""
FAILS_FOR_LONG = timedelta(minutes=10)
"""From then on the team's desk says so, and monitors are told."""
LONGEST_NAME = 80


class WebhookKind(models.TextChoices):
    """What a webhook may tell of, by the names that its messages have."""

    ISSUED = "token.issued", "A token was issued"
    REVOKED = "token.revoked", "A token was revoked"
    REISSUED = "token.reissued", "A token was renewed or replaced"
    APPROVAL_WANTED = "token.approval_wanted", "A request waits for approval"
    ENDS_SOON = "token.ends_soon", "A token ends soon"
    DRIFT_FOUND = "token.drift_found", "AMG's own list differs from the portal's"
    UNCLAIMED = "token.unclaimed", "Nobody took a key in time"


class WebhookFormat(models.TextChoices):
    """How its messages are written."""

    STANDARD = "standard", "Plain JSON (Standard Webhooks)"
    SLACK = "slack", "Slack"
    TEAMS = "teams", "Microsoft Teams"


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def heard(self) -> Self:
        """Those of teams that are open."""
        return self.filter(team__closed_at=None)

    def due(self) -> Self:
        """With a message that may go now, and held by no worker, by the database's clock."""
        waiting = WebhookDelivery.objects.filter(webhook=OuterRef("pk")).due()
        return self.heard().filter(_CALLABLE, Exists(waiting))

    def failing_for_long(self) -> Self:
        """Those of open teams that have failed with every call for a while."""
        return self.heard().filter(failing_since__lt=Now() - FAILS_FOR_LONG)

    def in_trouble(self) -> Self:
        """Those of open teams whose receiver fails, or refuses a message that waits, with how many
        wait; who has failed longest comes first."""
        waiting = WebhookDelivery.objects.filter(webhook=OuterRef("pk")).waiting().order_by()
        refused = waiting.filter(tries__gt=0).exclude(trouble="")
        fails = Q(failing_since__isnull=False) & ~Q(trouble="")
        number = waiting.values("webhook").annotate(number=Count("pk")).values("number")
        rows = (
            self.heard()
            .filter(fails | Exists(refused))
            .annotate(waits=Coalesce(Subquery(number), 0))
        )
        return rows.order_by(F("failing_since").asc(nulls_last=True), "pk")

    def failing_of_the_team(self) -> Exists:
        """Whether one of a team's has failed with every call for a while: part of a question for
        teams."""
        return Exists(self.filter(team=OuterRef("pk"), failing_since__lt=Now() - FAILS_FOR_LONG))

    def claim(self, pk: int) -> bool:
        """Take a webhook for calling; False when another worker has it, or it has to wait."""
        free = self.filter(_CALLABLE, pk=pk, team__in=Team.objects.filter(closed_at=None))
        return free.update(lease_until=Now() + LEASE, called_at=Now()) == 1


_CALLABLE = (Q(lease_until=None) | Q(lease_until__lte=Now())) & (
    Q(not_before=None) | Q(not_before__lte=Now())
)


class Webhook(models.Model):
    """Where a team is told of what happens.

    ``address`` and the secrets are locked (portal.webhooks); ``host`` is what of the address may be
    shown. ``after_event`` is the last event of the audit log when it was made: it hears of what
    comes after. ``secret_before`` signs too until ``before_until``.
    """

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="webhooks")
    name = models.CharField(max_length=LONGEST_NAME)
    host = models.CharField(max_length=260)
    address = models.TextField("URL, locked")
    format = models.CharField(max_length=10, choices=WebhookFormat)
    kinds = models.JSONField("what it tells of", default=list)
    after_event = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.CharField(max_length=254)

    secret = models.TextField("signing secret, locked")
    secret_before = models.TextField("the one before, locked", blank=True)
    before_until = models.DateTimeField(null=True)
    # Who has just made the secret, and reads it on its page until they have stored it.
    shown_to = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    shown_until = models.DateTimeField(null=True)

    not_before = models.DateTimeField(null=True)
    rung_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    called_at = models.DateTimeField(null=True)
    tries = models.PositiveIntegerField("calls in a row that failed", default=0)
    failing_since = models.DateTimeField(null=True)
    trouble = models.CharField("what was wrong with the last", max_length=200, blank=True)
    taken_at = models.DateTimeField("when it last took a message", null=True)

    objects = WebhookQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return f"{self.name} of {self.team_id} to {self.host}"

    @property
    def told(self) -> list[str]:
        """What it tells of, in words."""
        return [str(kind.label) for kind in WebhookKind if kind.value in self.kinds]


class DeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def waiting(self) -> Self:
        """Neither taken nor given up."""
        return self.filter(taken_at=None, dropped_at=None)

    def due(self) -> Self:
        """And not told to wait, by the database's clock."""
        return self.waiting().filter(Q(not_before=None) | Q(not_before__lte=Now()))


def new_message_id() -> str:
    """What a receiver knows a message by, however often it comes."""
    return f"msg_{uuid.uuid4().hex}"


class WebhookDelivery(models.Model):
    """One message to one receiver, and how it went.

    ``about`` says what it tells of, so that nothing is told twice; ``begun_at`` is when its day of
    tries began.
    """

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    kind = models.CharField(max_length=32)
    about = models.CharField(max_length=80)
    message_id = models.CharField(max_length=40, unique=True, default=new_message_id)
    token_id = models.UUIDField(null=True)
    body = models.TextField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    begun_at = models.DateTimeField(db_default=Now(), editable=False)
    not_before = models.DateTimeField(null=True)
    tries = models.PositiveIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField("HTTP status of the last answer", null=True)
    trouble = models.CharField("what was wrong with the last try", max_length=200, blank=True)
    taken_at = models.DateTimeField(null=True)
    dropped_at = models.DateTimeField("when it was given up", null=True)
    again_by = models.CharField("who had it sent again", max_length=254, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(
                fields=["webhook", "id"],
                name="webhook_message_to_send",
                condition=Q(taken_at=None, dropped_at=None),
            ),
            models.Index(fields=["created_at"], name="webhook_message_by_age"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["webhook", "about"], name="webhook_tells_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.message_id} to {self.webhook_id}"

    @property
    def is_waiting(self) -> bool:
        return self.taken_at is None and self.dropped_at is None

    @property
    def next_try(self) -> datetime | None:
        """Not before this moment; None is at once."""
        return max(filter(None, (self.not_before, self.webhook.not_before)), default=None)

    @property
    def is_test(self) -> bool:
        return self.kind == TEST
