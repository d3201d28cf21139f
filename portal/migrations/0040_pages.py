from django.db import migrations, models

KINDS = (
    *("approval_asked", "approved", "denied", "lapsed", "reissued", "handed_over", "replaced"),
    *("revoked", "unclaimed", "approval_undone", "key_found"),
    *("expires_in_7_days", "expires_in_1_day"),
)


class Migration(migrations.Migration):
    dependencies = [("portal", "0036_saml")]

    operations = [
        migrations.AlterField(
            model_name="token",
            name="reason",
            field=models.CharField(blank=True, max_length=500, verbose_name="what uses it"),
        ),
        migrations.AddField(
            model_name="token",
            name="change_reason",
            field=models.CharField(blank=True, db_default="", max_length=500),
        ),
        migrations.AddField(
            model_name="token",
            name="approval_comment",
            field=models.CharField(blank=True, db_default="", max_length=500),
        ),
        migrations.AddField(
            model_name="token",
            name="seconds_asked",
            field=models.PositiveIntegerField(
                null=True, verbose_name="asked for, if less was approved"
            ),
        ),
        migrations.AlterField(
            model_name="notice",
            name="kind",
            field=models.CharField(
                choices=[(kind, kind.replace("_", " ").title()) for kind in KINDS], max_length=20
            ),
        ),
    ]
