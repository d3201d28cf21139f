"""What AMG has, as the last sync saw it, and what teams may use of it."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from portal.amg import LONGEST_LIFETIME
from portal.models.people import Team
from portal.models.states import LIVE
from portal.text import isolated, shown

CHANGING = frozenset({"CREATING", "UPDATING", "UPGRADING", "VERSION_UPDATING"})
"""States of a workspace that pass within minutes; meanwhile AWS takes no change of it."""
LOST = frozenset({"DELETING", "DELETION_FAILED", "CREATION_FAILED"})
"""States of one with no Grafana, or soon none. In all others, unknown ones too, AWS decides."""


class ReadFromAws(models.Model):
    """What is read from AWS again and again; since when that has failed, and with what code.

    The request id is that of the first call that failed so. Not "read" is: what is known may be
    old, and what is new is not known.
    """

    unread_since = models.DateTimeField(null=True, editable=False)
    unread_code = models.CharField(max_length=80, blank=True, db_default="", editable=False)
    unread_request_id = models.CharField(max_length=100, blank=True, db_default="", editable=False)

    class Meta:
        abstract = True


class Connection(ReadFromAws):
    """One AWS account and region that the portal calls, and how it gets in.

    An empty region means the one of the environment; an empty role means the portal's own.
    """

    name = models.SlugField(max_length=64, unique=True)
    region = models.CharField(max_length=32, blank=True)
    role_arn = models.CharField(max_length=200, blank=True)
    external_id = models.CharField(max_length=200, blank=True)
    # AWS does not take our credentials, or our clock (portal.gateway).
    refused_since = models.DateTimeField(null=True, editable=False)
    refused_code = models.CharField(max_length=80, blank=True, db_default="", editable=False)

    def __str__(self) -> str:
        return self.name

    @property
    def client_settings(self) -> dict[str, str]:
        """What ``portal.grafana`` needs to call this connection."""
        return {
            "region": self.region,
            "role_arn": self.role_arn,
            "external_id": self.external_id,
        }


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    def present(self) -> "WorkspaceQuerySet":
        """Those that AMG listed at the last sync."""
        return self.filter(gone_at=None)

    def unread(self) -> "WorkspaceQuerySet":
        """Those that could not be read lately, alone or with their whole connection."""
        return self.present().filter(
            models.Q(unread_since__isnull=False) | models.Q(connection__unread_since__isnull=False)
        )


class Workspace(ReadFromAws):
    """An AMG workspace as the last sync saw it."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="workspaces")
    aws_id = models.CharField("id", max_length=12, unique=True)
    name = models.CharField(max_length=255)
    endpoint = models.CharField(max_length=2048, blank=True)
    status = models.CharField(max_length=40)
    grafana_version = models.CharField(max_length=255, blank=True)
    # When it was last looked at alone, because it was being changed.
    described_at = models.DateTimeField(null=True, editable=False, db_column="synced_at")
    gone_at = models.DateTimeField(null=True)
    quota_warned_at = models.DateTimeField(
        "when its leads were told that it is nearly full", null=True, editable=False
    )
    # An admin's standing permission to delete expired tokens that nobody here issued.
    foreign_pruned_since = models.DateTimeField(null=True, editable=False)
    foreign_pruned_by = models.CharField(max_length=254, blank=True, db_default="", editable=False)

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["name", "aws_id"]

    def __str__(self) -> str:
        return isolated(self.name)

    @property
    def address(self) -> str:
        """Where people and programs reach this Grafana, as a URL without a trailing slash.

        AMG gives the endpoint without a scheme; one that has its own keeps it. Empty where there is
        no endpoint, or one with a scheme that is no web address's.
        """
        endpoint = self.endpoint.rstrip("/")
        if "://" not in endpoint:
            return f"https://{endpoint}" if endpoint else ""
        return endpoint if endpoint.startswith(("https://", "http://")) else ""

    @property
    def is_changing(self) -> bool:
        """Whether AWS is changing it: requests are taken, and wait until that is done."""
        return self.status in CHANGING

    @property
    def obstacle(self) -> str:
        """Why no token can be made here now, in words for people; empty when AWS is to decide.

        Service accounts exist from Grafana 9 on (AMG user guide, "Service accounts").
        """
        if self.gone_at:
            return "This workspace no longer exists at AWS."
        if self.status in LOST:
            return f"This workspace can't be used at AWS (its status is {self.status})."
        major, _, _ = self.grafana_version.partition(".")
        if major.isdecimal() and int(major) < 9:
            return (
                f"This workspace runs Grafana {shown(self.grafana_version)}; tokens need version 9."
            )
        return ""


class ServiceAccountQuerySet(models.QuerySet["ServiceAccount"]):
    def present(self) -> "ServiceAccountQuerySet":
        """Those that AMG listed at the last sync, in workspaces that it listed too."""
        return self.filter(gone_at=None, workspace__gone_at=None)

    def to_list(self) -> "ServiceAccountQuerySet":
        """Those whose tokens AMG is to list: where it has any, or should, or had some."""
        is_there = models.Q(gone_at=None, workspace__gone_at=None)
        itself = self.model.objects.filter(pk=models.OuterRef("pk"))
        return self.filter(
            is_there
            | models.Exists(itself.filter(listed_tokens__isnull=False))
            | models.Exists(itself.filter(tokens__state__in=LIVE))
        )

    def unlisted_since(self, moment: models.Expression) -> "ServiceAccountQuerySet":
        """Those that were never listed, or only before a moment."""
        return self.filter(models.Q(listed_at=None) | models.Q(listed_at__lt=moment))


class ServiceAccount(models.Model):
    """A Grafana service account of a workspace, as the last sync saw it."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="service_accounts"
    )
    aws_id = models.CharField("id", max_length=20)
    name = models.CharField(max_length=255)
    grafana_role = models.CharField(max_length=20)
    is_disabled = models.BooleanField(default=False)
    gone_at = models.DateTimeField(null=True)
    list_asked_at = models.DateTimeField("when its tokens were last to be listed", null=True)
    listed_at = models.DateTimeField("when its tokens were last listed", null=True)
    list_wanted_at = models.DateTimeField("when somebody asked to have them listed", null=True)

    objects = ServiceAccountQuerySet.as_manager()

    class Meta:
        ordering = ["name", "aws_id"]
        # There may be 50,000: those that are late are found without the others.
        indexes = [
            models.Index(fields=["listed_at"], name="service_account_listed"),
            models.Index(fields=["list_asked_at"], name="service_account_asked"),
            models.Index(
                fields=["list_wanted_at"],
                name="service_account_wanted",
                condition=models.Q(list_wanted_at__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "aws_id"], name="service_account_once")
        ]

    def __str__(self) -> str:
        return isolated(self.name)

    @property
    def obstacle(self) -> str:
        """Why no token can be made for it now, in words for people; empty when one can."""
        if self.gone_at:
            return "This service account no longer exists in Grafana."
        if self.is_disabled:
            return "This service account is disabled in Grafana: a token for it would not work."
        return self.workspace.obstacle


class Approval(models.TextChoices):
    """When a lead must approve a request."""

    NEVER = "never", "never"
    ADMIN_ROLE = "admin-role", "for service accounts with the Grafana role ADMIN"
    ALWAYS = "always", "always"


class Grant(models.Model):
    """That a team may request tokens, where, and within which limits.

    A grant without a workspace covers every workspace; one without a service account covers every
    account of its workspace. Lifetimes are in seconds. A suspended grant grants nothing until an
    admin has confirmed it: AMG has changed what it was given for.
    """

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="grants")
    workspace = models.ForeignKey(Workspace, null=True, blank=True, on_delete=models.CASCADE)
    service_account = models.ForeignKey(
        ServiceAccount, null=True, blank=True, on_delete=models.CASCADE
    )
    max_ttl = models.PositiveIntegerField(
        "longest lifetime in seconds",
        default=LONGEST_LIFETIME,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_LIFETIME)],
    )
    default_ttl = models.PositiveIntegerField(
        "suggested lifetime in seconds",
        default=7 * 86_400,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_LIFETIME)],
    )
    approval = models.CharField(max_length=12, choices=Approval, default=Approval.NEVER)
    reason_required = models.BooleanField(default=False)
    self_approval = models.BooleanField(default=False)
    max_live = models.PositiveIntegerField("live tokens of the team", null=True, blank=True)
    max_live_per_person = models.PositiveIntegerField(
        "live tokens of each person", null=True, blank=True
    )
    max_overlap = models.PositiveIntegerField(
        "longest overlap of a rotation in seconds",
        default=7 * 86_400,
        db_default=7 * 86_400,
        validators=[MaxValueValidator(LONGEST_LIFETIME)],
    )
    # An access file's grant for several accounts is a row for each, and its limits are for all.
    pool = models.CharField(
        "grants of the team that share their limits", max_length=8, blank=True, editable=False
    )
    suspended_at = models.DateTimeField(null=True, editable=False)
    suspended_reason = models.CharField(max_length=600, blank=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="grant_account_has_workspace",
                condition=models.Q(service_account=None) | models.Q(workspace__isnull=False),
            ),
            models.CheckConstraint(
                name="grant_default_within_max",
                condition=models.Q(default_ttl__lte=models.F("max_ttl")),
            ),
            models.UniqueConstraint(
                fields=["team"],
                condition=models.Q(workspace=None),
                name="grant_once_for_everything",
            ),
            models.UniqueConstraint(
                fields=["team", "workspace"],
                condition=models.Q(service_account=None),
                name="grant_once_for_workspace",
            ),
            models.UniqueConstraint(
                fields=["team", "service_account"], name="grant_once_for_service_account"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.team} may request tokens for {self.where}"

    def clean(self) -> None:
        """For Django's admin: what the access file can't say in the first place."""
        account = self.service_account
        if account is not None and account.workspace_id != self.workspace_id:
            raise ValidationError(
                {"service_account": "This service account belongs to another workspace."}
            )
        if self.default_ttl and self.max_ttl and self.default_ttl > self.max_ttl:
            raise ValidationError({"default_ttl": "This is longer than the longest lifetime."})

    @property
    def counted_with(self) -> str:
        """What its live tokens are counted under: grants with the same share their limits."""
        return f"{self.team_id}/{self.pool}" if self.pool else str(self.pk)

    @property
    def where(self) -> str:
        """What it is for, in words."""
        if self.workspace is None:
            return "every workspace"
        account = shown(self.service_account.name) if self.service_account else "every account"
        return f"{shown(self.workspace.name)} / {account}"
