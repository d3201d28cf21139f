import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0020_clocks"),
    ]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="named_role",
            field=models.CharField(
                choices=[
                    ("role", "what the role says"),
                    ("member", "member"),
                    ("nobody", "nothing"),
                ],
                db_default="role",
                default="role",
                editable=False,
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="admin_by_group",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name="user",
            name="auditor_by_group",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name="user",
            name="is_named",
            field=models.BooleanField(db_default=True, default=True, editable=False),
        ),
        migrations.AddField(
            model_name="failedsignins",
            name="code",
            field=models.CharField(blank=True, db_default="", default="", max_length=80),
        ),
        migrations.CreateModel(
            name="PersonGroup",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("group", models.CharField(max_length=200)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="idp_groups",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("user", "group"), name="person_group_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="ProviderSession",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("session_key", models.CharField(max_length=40, unique=True)),
                ("provider", models.CharField(max_length=255)),
                ("subject", models.CharField(max_length=255)),
                (
                    "sid",
                    models.CharField(
                        blank=True, max_length=255, verbose_name="the provider's session"
                    ),
                ),
                (
                    "id_token",
                    models.TextField(blank=True, verbose_name="shown to the provider at sign-out"),
                ),
                ("end_session_url", models.TextField(blank=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["subject"], name="provider_session_by_subject"),
                    models.Index(fields=["sid"], name="provider_session_by_sid"),
                    models.Index(fields=["created_at"], name="provider_session_by_age"),
                ],
            },
        ),
    ]
