# Additive: two tables of their own.

import django.db.models.deletion
import django.db.models.functions.datetime
import portal.models.webhooks
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0063_nothing_unseen"),
    ]

    operations = [
        migrations.CreateModel(
            name="Webhook",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("host", models.CharField(max_length=260)),
                ("address", models.TextField(verbose_name="URL, locked")),
                (
                    "format",
                    models.CharField(
                        choices=[
                            ("standard", "Plain JSON (Standard Webhooks)"),
                            ("slack", "Slack"),
                            ("teams", "Microsoft Teams"),
                        ],
                        max_length=10,
                    ),
                ),
                ("kinds", models.JSONField(default=list, verbose_name="what it tells of")),
                ("after_event", models.BigIntegerField()),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("created_by", models.CharField(max_length=254)),
                ("secret", models.TextField(verbose_name="signing secret, locked")),
                (
                    "secret_before",
                    models.TextField(blank=True, verbose_name="the one before, locked"),
                ),
                ("before_until", models.DateTimeField(null=True)),
                ("shown_until", models.DateTimeField(null=True)),
                ("not_before", models.DateTimeField(null=True)),
                ("rung_at", models.DateTimeField(null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                ("called_at", models.DateTimeField(null=True)),
                (
                    "tries",
                    models.PositiveIntegerField(
                        default=0, verbose_name="calls in a row that failed"
                    ),
                ),
                ("failing_since", models.DateTimeField(null=True)),
                (
                    "trouble",
                    models.CharField(
                        blank=True, max_length=200, verbose_name="what was wrong with the last"
                    ),
                ),
                (
                    "taken_at",
                    models.DateTimeField(null=True, verbose_name="when it last took a message"),
                ),
                (
                    "shown_to",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="webhooks",
                        to="portal.team",
                    ),
                ),
            ],
            options={
                "ordering": ["name", "pk"],
            },
        ),
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=32)),
                ("about", models.CharField(max_length=80)),
                (
                    "message_id",
                    models.CharField(
                        default=portal.models.webhooks.new_message_id, max_length=40, unique=True
                    ),
                ),
                ("token_id", models.UUIDField(null=True)),
                ("body", models.TextField()),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "begun_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("not_before", models.DateTimeField(null=True)),
                ("tries", models.PositiveIntegerField(default=0)),
                ("tried_at", models.DateTimeField(null=True)),
                (
                    "status",
                    models.PositiveSmallIntegerField(
                        null=True, verbose_name="HTTP status of the last answer"
                    ),
                ),
                (
                    "trouble",
                    models.CharField(
                        blank=True, max_length=200, verbose_name="what was wrong with the last try"
                    ),
                ),
                ("taken_at", models.DateTimeField(null=True)),
                (
                    "dropped_at",
                    models.DateTimeField(null=True, verbose_name="when it was given up"),
                ),
                (
                    "again_by",
                    models.CharField(
                        blank=True, max_length=254, verbose_name="who had it sent again"
                    ),
                ),
                (
                    "webhook",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="portal.webhook",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("dropped_at", None), ("taken_at", None)),
                        fields=["webhook", "id"],
                        name="webhook_message_to_send",
                    ),
                    models.Index(fields=["created_at"], name="webhook_message_by_age"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("webhook", "about"), name="webhook_tells_once")
                ],
            },
        ),
    ]
