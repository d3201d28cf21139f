"""A token's row: the request, the queue, the sealed key and the record, in one place.

The row is the queue: a worker claims it by a conditional update, and every state says who moves it
next. docs/LIFE.md walks through all of them.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import connections, models
from django.db.models import Exists, ExpressionWrapper, F, OuterRef, Q
from django.db.models.functions import Coalesce, Now

from portal.models.catalog import LONGEST_LIFETIME, ServiceAccount, Workspace
from portal.models.people import Membership, Team, User
from portal.models.states import (
    AWAITING_PEOPLE,
    HOLDING_PLACE,
    LEASE,
    LIVE,
    OPEN,
    WAITING_FOR_KEY,
    State,
)


def owner_has_left() -> Q:
    """That a token's owner has left its team, or may not sign in any more."""
    return ~Q(
        Exists(
            Membership.objects.filter(
                user=OuterRef("owner"), team=OuterRef("team"), user__is_active=True
            )
        )
    )


class TokenQuerySet(models.QuerySet["Token"]):
    def for_pages(self) -> Self:
        """With everything that a page or an event names, in one query."""
        return self.select_related(
            "team", "owner", "workspace__connection", "service_account__workspace"
        )

    def open(self) -> Self:
        return self.filter(state__in=OPEN)

    def live(self) -> Self:
        return self.filter(state__in=LIVE)

    def holding_place(self) -> Self:
        """Tokens, and requests for one, that count against the limits of a grant."""
        return self.filter(state__in=HOLDING_PLACE)

    def counting_at_aws(self) -> Self:
        """Rows that fill AMG's quota of their workspace, or soon will.

        Expired tokens count until they are deleted (AMG user guide, "Service account quotas").
        """
        return self.filter(Q(state__in=OPEN) | Q(may_exist_at_aws=True))

    def owner_left(self) -> Self:
        """Live tokens whose owner may not sign in any more, or has left the token's team."""
        return self.live().filter(owner_has_left())

    def with_owner_left(self) -> Self:
        """With ``owner_has_left`` on each row: whether its owner has left the token's team."""
        return self.annotate(
            owner_has_left=ExpressionWrapper(owner_has_left(), models.BooleanField())
        )

    def holding_name(self, workspace_id: int, name: str) -> Self:
        """Rows whose token has, or may still have, this name at AWS (see ``token_name_once``)."""
        return self.filter(
            Q(state__in=OPEN) | Q(may_exist_at_aws=True), workspace_id=workspace_id, name=name
        )

    def lock(self, token_id: uuid.UUID) -> "Token":
        """The row, locked until the transaction ends; raises Token.DoesNotExist.

        SQLite needs no row lock: its transactions begin by taking the writer's lock.
        """
        return self.for_pages().select_for_update(of=("self",), no_key=True).get(pk=token_id)

    def due(self) -> Self:
        """Not told to wait, by the database's clock."""
        return self.filter(Q(not_before=None) | Q(not_before__lte=Now()))

    def unsettled(self) -> Self:
        """With a create of unknown outcome that no further attempt will look into."""
        return self.exclude(unresolved_since=None).exclude(
            state__in=(State.QUEUED, State.ISSUING, State.REVOKING)
        )

    def prunable(self) -> Self:
        """Ended by time, and still at AWS as far as we know."""
        return self.filter(
            state__in=(State.EXPIRED, State.REVOKED),
            deleted_at=None,
            expires_at__lt=Now() - timedelta(minutes=5),
        ).exclude(aws_token_id="")

    def ahead_of(self, token: "Token") -> Self:
        """Requests that wait for the same AWS account and region, and came earlier."""
        return self.filter(
            state=State.QUEUED,
            queued_at__lt=token.queued_at,
            workspace__connection=token.workspace.connection_id,
        )

    def database_now(self) -> datetime:
        """The database's clock: the one by which leases and attempts are timed."""
        with connections[self.db].cursor() as cursor:
            cursor.execute("SELECT CURRENT_TIMESTAMP")
            now: datetime | str = cursor.fetchone()[0]
        # SQLite answers text, in UTC.
        return datetime.fromisoformat(f"{now}+00:00") if isinstance(now, str) else now

    def claim(self, attempt: int) -> bool:
        """Take the row for attempt number ``attempt``; False when another worker has it.

        The claim is written before AWS is called, and assumes the worst: that the call will be made
        and its outcome never known. Only a known outcome takes that back (AMG_API, recovery rule).
        """
        now = Now()
        return (
            self.due()
            .filter(state=State.QUEUED, attempt=attempt - 1)
            .update(
                state=State.ISSUING,
                state_at=now,
                attempt=attempt,
                lease_until=now + LEASE,
                not_before=None,
                may_exist_at_aws=True,
                unresolved_since=Coalesce(F("unresolved_since"), now),
                last_signature_at=now + timedelta(seconds=settings.TASK_TIME_LIMIT),
            )
            == 1
        )

    def held(self, attempt: int) -> Self:
        """The rows that attempt number ``attempt`` still holds."""
        return self.filter(state=State.ISSUING, attempt=attempt)


class Token(models.Model):
    """A service-account token from its request to long after its end."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="tokens")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="tokens")
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="tokens")
    service_account = models.ForeignKey(
        ServiceAccount, on_delete=models.PROTECT, related_name="tokens"
    )

    # What was asked for.
    name = models.CharField(max_length=128)
    seconds_to_live = models.PositiveIntegerField()
    reason = models.CharField(max_length=500, blank=True)
    asked_by = models.CharField("who asked, if not the owner", max_length=254, blank=True)
    # While it waits for people there is no key pair yet: the recipient's browser makes it.
    public_key = models.BinaryField("public key of the recipient's browser (DER)", default=b"")
    public_key_sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    # Who agreed to it, where policy asks.
    approved_by = models.CharField(max_length=254, blank=True)
    approved_at = models.DateTimeField(null=True)

    # What it takes the place of: the old token ends at once, or ``overlap_seconds`` after this
    # one's key was delivered. ``revoke_at`` stands on the old token, from that moment on.
    replaces = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="replacements"
    )
    lineage_name = models.CharField("name of the first of them", max_length=128, blank=True)
    overlap_seconds = models.PositiveIntegerField(null=True)
    revoke_at = models.DateTimeField(null=True)

    # The queue. The hour for which a request is tried begins with ``queued_at``.
    queued_at = models.DateTimeField(db_default=Now())
    state = models.CharField(max_length=20, choices=State, default=State.QUEUED)
    state_at = models.DateTimeField(db_default=Now())
    attempt = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
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
    issued_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField("when AWS said that it is gone", null=True)

    # How it ended.
    ended_by = models.CharField(max_length=254, blank=True)
    end_reason = models.CharField(max_length=500, blank=True)

    objects = TokenQuerySet.as_manager()

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
                fields=["revoke_at"],
                name="token_by_overlap",
                condition=Q(state=State.ACTIVE, revoke_at__isnull=False),
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
        return self.name

    def change(self, **fields: Any) -> None:
        """Write these columns of a locked row, and read back what the database computed."""
        for name, value in fields.items():
            setattr(self, name, value)
        self.save(update_fields=list(fields))
        computed = [name for name, value in fields.items() if hasattr(value, "resolve_expression")]
        if computed:
            self.refresh_from_db(fields=computed)

    def move_to(self, state: State, **fields: Any) -> None:
        """Change a locked row's state, and the time it changed, together with other columns."""
        self.change(state=state, state_at=Now(), **fields)

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def waits_for_key(self) -> bool:
        return self.state in WAITING_FOR_KEY
