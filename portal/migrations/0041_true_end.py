from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from portal.migrations._online import AddIndexOnline

NOT_LIVE = (
    *("awaiting_approval", "awaiting_recipient", "queued", "issuing"),
    *("revoked", "expired", "failed", "denied", "cancelled"),
)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("portal", "0040_pages")]

    operations = [
        AddIndexOnline(
            model_name="token",
            index=models.Index(
                F("team"),
                Coalesce("revoke_at", "expires_at"),
                F("id"),
                F("state"),
                F("seconds_to_live"),
                name="token_live_by_true_end",
                condition=~Q(state__in=NOT_LIVE),
            ),
        ),
    ]
