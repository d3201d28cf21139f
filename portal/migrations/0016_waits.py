from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("portal", "0015_limits")]

    operations = [
        # The column is as old as the table, and nothing was ever written to it.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField("workspace", "synced_at", "described_at"),
                migrations.AlterField(
                    "workspace",
                    "described_at",
                    models.DateTimeField(db_column="synced_at", editable=False, null=True),
                ),
            ]
        ),
        migrations.AddField(
            "connection",
            "refused_code",
            models.CharField(blank=True, db_default="", editable=False, max_length=80),
        ),
        migrations.AddField(
            "connection", "refused_since", models.DateTimeField(editable=False, null=True)
        ),
        migrations.AddField("token", "waits_since", models.DateTimeField(null=True)),
    ]
