# An index alone, built while the portal works: My tokens by what ends next, and by last use.

from django.db import migrations, models
from django.db.models.functions import Coalesce

from portal.migrations._online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("portal", "0067_display"),
    ]

    operations = [
        AddIndexOnline(
            model_name="token",
            index=models.Index(
                models.F("owner"),
                Coalesce("revoke_at", "expires_at"),
                models.F("id"),
                condition=models.Q(
                    (
                        "state__in",
                        (
                            "awaiting_approval",
                            "awaiting_recipient",
                            "queued",
                            "issuing",
                            "revoked",
                            "expired",
                            "failed",
                            "denied",
                            "cancelled",
                        ),
                    ),
                    _negated=True,
                ),
                name="token_live_of_owner",
            ),
        ),
    ]
