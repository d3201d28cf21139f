# Additive: columns that may be empty or have a default of the database, and two small tables.

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0064_webhooks"),
    ]

    operations = [
        migrations.CreateModel(
            name="LostMail",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=24)),
                ("recipient", models.CharField(max_length=254)),
                ("about", models.CharField(blank=True, max_length=128)),
                ("error", models.CharField(max_length=80)),
                ("tries", models.PositiveIntegerField()),
                ("written_at", models.DateTimeField()),
                (
                    "lost_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.AddField(
            model_name="team",
            name="notice_days",
            field=models.CharField(blank=True, db_default="", editable=False, max_length=40),
        ),
        migrations.AddField(
            model_name="token",
            name="quiet_from",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="token",
            name="quiet_seconds",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="token",
            name="smoke_test",
            field=models.CharField(
                blank=True, db_default="", max_length=20, verbose_name="what came of trying the key"
            ),
        ),
        migrations.AddField(
            model_name="workspace",
            name="foreign_pruned_by",
            field=models.CharField(blank=True, db_default="", editable=False, max_length=254),
        ),
        migrations.AddField(
            model_name="workspace",
            name="foreign_pruned_since",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.CreateModel(
            name="UnwantedMail",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "topic",
                    models.CharField(
                        choices=[
                            ("digest", "Digest"),
                            ("nearly_full", "Nearly Full"),
                            ("ends_of_team", "Ends Of Team"),
                            ("ends_early", "Ends Early"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="unwanted_mails",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("person", "topic"), name="unwanted_mail_once")
                ],
            },
        ),
    ]
