from django.db import migrations, models
from django.db.models import Q

from portal.migrations._online import AddIndexOnline

OPEN = (
    *("awaiting_approval", "awaiting_recipient", "queued", "issuing"),
    *("sealed", "active", "revoking"),
)
ENDED = ("revoked", "expired", "failed", "denied", "cancelled")
NOT_LIVE = ("awaiting_approval", "awaiting_recipient", "queued", "issuing", *ENDED)
NOT_ACTIVE = (
    *("awaiting_approval", "awaiting_recipient", "queued", "issuing"),
    *("sealed", "revoking", *ENDED),
)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("portal", "0016_waits")]

    operations = [
        AddIndexOnline(model_name=model, index=models.Index(fields=fields, name=name))
        for model, name, fields in (
            ("serviceaccount", "service_account_listed", ["listed_at"]),
            ("serviceaccount", "service_account_asked", ["list_asked_at"]),
            ("listedtoken", "listed_by_name", ["service_account", "name"]),
        )
    ] + [
        AddIndexOnline(model_name="token", index=index)
        for index in (
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
                condition=Q(state="expired", may_exist_at_aws=True),
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
                fields=["state_at", "state"], name="token_ended", condition=~Q(state__in=OPEN)
            ),
        )
    ]
