"""A token's row: the request, the queue, the sealed key and the record, in one place.

The row is the queue: a worker claims it by a conditional update, and every state says who moves it
next. docs/LIFE.md walks through all of them.
"""

import uuid
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from portal.amg import LONGEST_LIFETIME
from portal.models.catalog import ServiceAccount, Workspace
from portal.models.people import Team, User
from portal.models.queries import TokenManager
from portal.models.states import (
    AWAITING_PEOPLE,
    ENDED,
    HOLDING_PLACE,
    NOT_ACTIVE,
    NOT_LIVE,
    OPEN,
    WAITING_FOR_KEY,
    State,
)
from portal.text import isolated


class Token(models.Model):
    """A service-account token from its request to long after its end."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="tokens")
    # Who has seen the key, for good: the owner may change, what somebody has seen does not.
    recipient = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="received_tokens"
    )
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="tokens")
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="tokens")
    service_account = models.ForeignKey(
        ServiceAccount, on_delete=models.PROTECT, related_name="tokens"
    )

    # What was asked for.
    name = models.CharField(max_length=128)
    seconds_to_live = models.PositiveIntegerField()
    reason = models.CharField("what uses it", max_length=500, blank=True)
    change_reason = models.CharField(max_length=500, blank=True, db_default="")
    asked_by = models.CharField("who asked, if not the owner", max_length=254, blank=True)
    # While it waits for people there is no key pair yet: the recipient's browser makes it.
    public_key = models.BinaryField("public key of the recipient's browser (DER)", default=b"")
    public_key_sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    # Who agreed to it, where policy asks.
    approved_by = models.CharField(max_length=254, blank=True)
    approved_at = models.DateTimeField(null=True)
    approval_comment = models.CharField(max_length=500, blank=True, db_default="")
    seconds_asked = models.PositiveIntegerField("asked for, if less was approved", null=True)
    approved_account = models.CharField(
        "the account's name, as approved", max_length=255, blank=True, db_default=""
    )
    approved_role = models.CharField(
        "its Grafana role, as approved", max_length=20, blank=True, db_default=""
    )

    # What it takes the place of: the old token ends at once, or ``overlap_seconds`` after this
    # one's key was delivered. ``revoke_at`` stands on the old token, from that moment on.
    replaces = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="replacements"
    )
    lineage_name = models.CharField("name of the first of them", max_length=128, blank=True)
    overlap_seconds = models.PositiveIntegerField(null=True)
    revoke_at = models.DateTimeField(null=True)
    # Asked for on this one: the old one is held until Grafana has seen no use of it for so long.
    # On the old one: since when it goes once it is quiet, and by ``revoke_at`` in any case.
    quiet_seconds = models.PositiveIntegerField(null=True)
    quiet_from = models.DateTimeField(null=True)
    # Or it ends because somebody gave notice; then ``overlap_ends_at`` is when its overlap does.
    notice_ends_at = models.DateTimeField(null=True)
    overlap_ends_at = models.DateTimeField(null=True)

    # The queue. The hour for which a request is tried begins with ``queued_at``.
    queued_at = models.DateTimeField(db_default=Now())
    state = models.CharField(max_length=20, choices=State, default=State.QUEUED)
    state_at = models.DateTimeField(db_default=Now())
    attempt = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    waits_since = models.DateTimeField(null=True)
    rung_at = models.DateTimeField(null=True)
    cancel_requested = models.BooleanField(default=False)
    error_code = models.CharField("what AWS last said against it", max_length=80, blank=True)
    error_message = models.CharField(max_length=500, blank=True)

    # What is not known about AWS (the recovery rule).
    may_exist_at_aws = models.BooleanField(default=False)
    unresolved_since = models.DateTimeField(null=True)
    last_signature_at = models.DateTimeField(null=True)
    duplicate_answers = models.PositiveSmallIntegerField(default=0)
    orphan_id = models.CharField(
        "AWS's id of a token that is being deleted because nobody has its key",
        max_length=40,
        blank=True,
    )

    # The sealed key, from AWS's answer until the browser has confirmed it.
    sealed_key = models.BinaryField(null=True)
    sealed_at = models.DateTimeField(null=True)
    fingerprint = models.CharField("SHA-256 of the key", max_length=64, blank=True)

    # The token at AWS.
    aws_token_id = models.CharField(max_length=40, blank=True)
    aws_request_id = models.CharField(max_length=100, blank=True)
    smoke_test = models.CharField(
        "what came of trying the key", max_length=20, blank=True, db_default=""
    )
    issued_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    first_used_at = models.DateTimeField("first use that AWS told of", null=True)
    last_used_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField("when AWS said that it is gone", null=True)

    # How it ended.
    ended_by = models.CharField(max_length=254, blank=True)
    end_reason = models.CharField(max_length=500, blank=True)

    objects: ClassVar[TokenManager] = TokenManager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["owner", "-created_at"], name="token_by_owner"),
            models.Index(fields=["team", "state", "-created_at"], name="token_by_team"),
            models.Index(
                fields=["state", "not_before"],
                name="token_to_move",
                condition=Q(state__in=[State.QUEUED, State.ISSUING, State.SEALED, State.REVOKING]),
            ),
            models.Index(
                fields=["expires_at"],
                name="token_by_end",
                condition=Q(state__in=[State.ACTIVE, State.EXPIRED]),
            ),
            models.Index(fields=["fingerprint"], name="token_by_fingerprint"),
            models.Index(
                fields=["state", "state_at"],
                name="token_awaiting_people",
                condition=Q(state__in=AWAITING_PEOPLE),
            ),
            models.Index(
                fields=["delivered_at"],
                name="token_recipient_unnoted",
                condition=Q(recipient=None, delivered_at__isnull=False),
            ),
            models.Index(
                fields=["revoke_at"],
                name="token_by_overlap",
                condition=Q(state=State.ACTIVE, revoke_at__isnull=False),
            ),
            # What follows keeps pages and jobs as quick after years (docs/decisions/0020).
            models.Index(fields=["state", "expires_at"], name="token_by_state"),
            models.Index(fields=["owner", "name"], name="token_by_owner_and_name"),
            models.Index(
                fields=["service_account", "expires_at"],
                name="token_not_deleted",
                condition=Q(deleted_at=None, expires_at__isnull=False),
            ),
            models.Index(
                fields=["unresolved_since"],
                name="token_unresolved",
                condition=Q(unresolved_since__isnull=False),
            ),
            models.Index(
                fields=["state", "revoke_at"],
                name="token_overlap_by_state",
                condition=Q(revoke_at__isnull=False),
            ),
            models.Index(
                fields=["workspace"],
                name="token_in_quota",
                condition=Q(state__in=OPEN) | Q(may_exist_at_aws=True),
            ),
            models.Index(
                fields=["workspace"],
                name="token_expired_at_aws",
                condition=Q(state=State.EXPIRED, may_exist_at_aws=True),
            ),
            models.Index(
                fields=["team", "service_account", "owner"],
                name="token_open_of_team",
                condition=~Q(state__in=ENDED),
            ),
            models.Index(
                fields=["team", "expires_at", "id", "state", "seconds_to_live"],
                name="token_live_by_end",
                condition=~Q(state__in=NOT_LIVE),
            ),
            models.Index(
                F("team"),
                Coalesce("revoke_at", "expires_at"),
                F("id"),
                F("state"),
                F("seconds_to_live"),
                name="token_live_by_true_end",
                condition=~Q(state__in=NOT_LIVE),
            ),
            models.Index(
                F("owner"),
                Coalesce("revoke_at", "expires_at"),
                F("id"),
                name="token_live_of_owner",
                condition=~Q(state__in=NOT_LIVE),
            ),
            models.Index(
                fields=["team", "delivered_at"],
                name="token_never_used",
                condition=~Q(state__in=NOT_ACTIVE) & Q(last_used_at=None),
            ),
            models.Index(
                fields=["team", "-state_at", "-id"],
                name="token_ended_of_team",
                condition=~Q(state__in=OPEN),
            ),
            models.Index(
                fields=["state_at", "state"],
                name="token_ended",
                condition=~Q(state__in=OPEN),
            ),
        ]
        constraints = [
            # AMG lets one token of a name live in a workspace, so the name is our idempotency key:
            # no request may take another's token for its own.
            models.UniqueConstraint(
                fields=["workspace", "name"],
                condition=Q(state__in=OPEN) | Q(may_exist_at_aws=True),
                name="token_name_once",
            ),
            models.UniqueConstraint(
                fields=["workspace", "aws_token_id"],
                condition=~Q(aws_token_id=""),
                name="token_aws_id_once",
            ),
            models.CheckConstraint(
                condition=Q(seconds_to_live__gte=1, seconds_to_live__lte=LONGEST_LIFETIME),
                name="token_lifetime",
            ),
            models.CheckConstraint(
                condition=Q(sealed_key=None) | Q(state=State.SEALED),
                name="token_ciphertext_only_while_sealed",
            ),
            models.CheckConstraint(
                condition=~Q(state=State.ISSUING) | Q(lease_until__isnull=False),
                name="token_issuing_has_lease",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=WAITING_FOR_KEY) | ~Q(public_key=b""),
                name="token_has_somebody_to_seal_to",
            ),
        ]

    def __str__(self) -> str:
        return isolated(self.name)

    def change(self, **fields: Any) -> None:
        """Write these columns of a locked row; what the database computes is read when needed.

        The state is not for this: portal.life moves it.
        """
        for name, value in fields.items():
            setattr(self, name, value)
        self.save(update_fields=list(fields))
        for name, value in fields.items():
            if hasattr(value, "resolve_expression"):
                delattr(self, name)

    @property
    def ends_at(self) -> datetime | None:
        """When it ends: by itself, with its overlap, or because somebody gave notice."""
        return min(filter(None, (self.revoke_at, self.expires_at)), default=None)

    @property
    def is_in_overlap(self) -> bool:
        """Whether its successor's key was taken, and it works on for a while."""
        until = self.revoke_at if self.notice_ends_at is None else self.overlap_ends_at
        return self.state == State.ACTIVE and until is not None

    @property
    def is_under_notice(self) -> bool:
        """Whether somebody ends it with notice, and it can still be kept."""
        return self.state == State.ACTIVE and self.notice_ends_at is not None

    @property
    def first_name(self) -> str:
        """The name with which its line of replacements began."""
        return self.lineage_name or self.name

    @property
    def sealed_to(self) -> str:
        """Which browser gets the key, in the audit log's words."""
        return f"for the browser key {sha256(bytes(self.public_key)).hexdigest()}"

    @property
    def waits_for(self) -> str:
        """Which people the request waits for, in the audit log's words."""
        return self.get_state_display()

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def holds_place(self) -> bool:
        """Whether it is, or may still become, a token that somebody can use."""
        return self.state in HOLDING_PLACE

    @property
    def waits_for_key(self) -> bool:
        return self.state in WAITING_FOR_KEY
