import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Now

KINDS = (
    *("approval_asked", "approved", "denied", "lapsed", "reissued", "handed_over"),
    *("handover_asked", "handover_declined", "handover_lapsed", "replaced"),
    *("revoked", "unclaimed", "approval_undone", "key_found"),
    *("expires_in_7_days", "expires_in_1_day"),
)
ANSWERS = ("accepted", "declined", "withdrawn", "lapsed", "overtaken")


def person(related_name: str) -> models.ForeignKey:
    return models.ForeignKey(
        on_delete=django.db.models.deletion.PROTECT,
        related_name=related_name,
        to=settings.AUTH_USER_MODEL,
    )


class Migration(migrations.Migration):
    dependencies = [("portal", "0051_history")]

    operations = [
        migrations.AlterField(
            model_name="notice",
            name="kind",
            field=models.CharField(
                choices=[(kind, kind.replace("_", " ").title()) for kind in KINDS], max_length=20
            ),
        ),
        migrations.CreateModel(
            name="Handover",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("renews", models.BooleanField()),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                (
                    "answer",
                    models.CharField(
                        blank=True,
                        choices=[(answer, answer.title()) for answer in ANSWERS],
                        max_length=10,
                    ),
                ),
                ("answered_at", models.DateTimeField(null=True)),
                ("giver", person("handovers_given")),
                ("heir", person("handovers_offered")),
                (
                    "token",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="handovers",
                        to="portal.token",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(answered_at=None),
                        fields=("token",),
                        name="handover_unanswered_once",
                    )
                ],
            },
        ),
    ]
