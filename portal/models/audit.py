"""The audit log's rows: metadata only, by their columns."""

from django.db import models


class Action(models.TextChoices):
    """Everything that the audit log can say. The set is closed: a new word is a migration."""

    TOKEN_REQUESTED = "token.requested"
    TOKEN_APPROVED = "token.approved"
    TOKEN_DENIED = "token.denied"
    TOKEN_CANCELLED = "token.cancelled"
    TOKEN_ISSUED = "token.issued"
    TOKEN_DELIVERED = "token.delivered"
    TOKEN_FAILED = "token.failed"
    TOKEN_COLLECTED = "token.collected"
    TOKEN_REVOKE_REQUESTED = "token.revoke_requested"
    TOKEN_REVOKED = "token.revoked"
    TOKEN_REISSUED = "token.reissued"
    TOKEN_EXPIRED = "token.expired"
    TOKEN_PRUNED = "token.pruned"
    TOKEN_UNCLAIMED = "token.unclaimed"
    TOKEN_ORPHAN_REMOVED = "token.orphan_removed"
    TOKEN_DRIFT_FOUND = "token.drift_found"
    TOKEN_EXPIRY_NOTIFIED = "token.expiry_notified"
    ACCESS_CHANGED = "access.changed"
    CATALOG_SYNCED = "catalog.synced"
    AUDIT_EXPORTED = "audit.exported"
    AUDIT_VERIFIED = "audit.verified"
    SIGNIN_SUCCEEDED = "signin.succeeded"
    SIGNIN_FAILED = "signin.failed"
    PERSON_INVITED = "person.invited"
    SIGNIN_FACTOR_CHANGED = "signin.factor_changed"
    SESSION_ENDED = "session.ended"
    LIMIT_EXCEEDED = "limit.exceeded"
    SETTINGS_CHANGED = "settings.changed"
    TOKEN_ADOPTED = "token.adopted"
    HISTORY_PRUNED = "history.pruned"
    HISTORY_RESTORED = "history.restored"
    ACCESS_REVIEWED = "access.reviewed"


class Outcome(models.TextChoices):
    """How what was done came out."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"


class AuditEvent(models.Model):
    """One thing that happened.

    Actor and objects stand as labels beside plain ids: no foreign key, so that no deletion
    elsewhere ever has to touch an event. There is no column that could hold a key, and no
    free-form one. Rows are written by portal.audit alone, and the database refuses to change or
    delete them (portal.appendonly).
    """

    seq = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField("when, by the database's clock")
    action = models.CharField(max_length=24, choices=Action)
    outcome = models.CharField(max_length=10, choices=Outcome)

    actor_id = models.BigIntegerField(null=True)
    actor = models.CharField("who", max_length=254, blank=True)
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)

    team_id = models.BigIntegerField(null=True)
    team = models.CharField("team's slug", max_length=64, blank=True)
    token_id = models.UUIDField(null=True)
    token_name = models.CharField(max_length=128, blank=True)
    owner_id = models.BigIntegerField(null=True)
    owner = models.CharField("whose token", max_length=254, blank=True)
    workspace = models.CharField("workspace's AWS id", max_length=12, blank=True)
    workspace_name = models.CharField(max_length=255, blank=True)
    service_account = models.CharField("service account's AWS id", max_length=20, blank=True)
    service_account_name = models.CharField(max_length=255, blank=True)
    grafana_role = models.CharField(max_length=20, blank=True)
    seconds_to_live = models.PositiveIntegerField(null=True)
    attempt = models.PositiveIntegerField(null=True)
    aws_token_id = models.CharField(max_length=40, blank=True)
    aws_request_id = models.CharField(max_length=100, blank=True)
    fingerprint = models.CharField("SHA-256 of the key", max_length=64, blank=True)
    error_code = models.CharField(max_length=80, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    subject = models.CharField("what changed", max_length=300, blank=True)
    count = models.PositiveIntegerField(null=True)

    # The chain (portal/audit/verify.py): ``text`` says all of the above once more, as it is hashed.
    format = models.PositiveSmallIntegerField("how the text is written")
    key_id = models.CharField("which key the hash is keyed with", max_length=16)
    text = models.TextField("the JSON text that is hashed and exported")
    prev_hash = models.CharField("hash of the event before", max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["seq"]
        indexes = [
            models.Index(fields=["at", "seq"], name="audit_by_time"),
            models.Index(fields=["action", "seq"], name="audit_by_action"),
            models.Index(fields=["actor", "seq"], name="audit_by_actor"),
            models.Index(fields=["actor", "action", "seq"], name="audit_by_actor_action"),
            models.Index(fields=["team", "seq"], name="audit_by_team"),
            models.Index(fields=["token_id", "seq"], name="audit_by_token"),
            models.Index(fields=["workspace", "seq"], name="audit_by_workspace"),
            # What the search of portal.reading asks for. The operators let LIKE find a beginning.
            models.Index(
                fields=["token_name", "seq"],
                opclasses=["varchar_pattern_ops", "int8_ops"],
                name="audit_by_name",
            ),
            models.Index(fields=["owner", "seq"], name="audit_by_owner"),
            # An account's id is its own in its workspace alone.
            models.Index(fields=["service_account", "workspace", "seq"], name="audit_by_account"),
            # Whole, not without the empty ones: SQLite would not use them for a parameter.
            models.Index(fields=["aws_token_id"], name="audit_by_aws_token"),
            models.Index(fields=["aws_request_id"], name="audit_by_aws_request"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.action}"


class AuditHead(models.Model):
    """The last event's number and hash: one row, locked by whoever writes the next event."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    seq = models.BigIntegerField()
    hash = models.CharField(max_length=64)
    # Portal versions before it leave it as it is.
    key_id = models.CharField("key of the last event", max_length=16, blank=True, db_default="")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="audit_head_is_one")]

    def __str__(self) -> str:
        return f"{self.seq} {self.hash}"
