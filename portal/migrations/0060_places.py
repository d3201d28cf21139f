# Additive: a table that older versions know nothing of.

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0052_handover"),
    ]

    operations = [
        migrations.CreateModel(
            name="TokenPlace",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("text", models.CharField(max_length=80)),
                (
                    "at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        verbose_name="when it was written down",
                    ),
                ),
                (
                    "is_due",
                    models.BooleanField(
                        db_default=False,
                        verbose_name="known from the token that this one replaces, and still to get the new key",
                    ),
                ),
                (
                    "by",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="portal.team",
                    ),
                ),
                (
                    "token",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="places",
                        to="portal.token",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [
                    models.Index(fields=["team", "-id"], name="place_by_team"),
                    models.Index(fields=["by", "-id"], name="place_by_person"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("token", "text"), name="place_once")
                ],
            },
        ),
    ]
