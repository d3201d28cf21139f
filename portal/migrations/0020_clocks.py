from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("portal", "0018_audit_keys")]

    operations = [
        migrations.CreateModel(
            "Clock",
            [
                ("whose", models.CharField(max_length=80, primary_key=True, serialize=False)),
                (
                    "ahead",
                    models.FloatField(
                        "seconds that it is ahead of AWS's; negative where it is behind"
                    ),
                ),
                ("at", models.DateTimeField()),
                ("off_since", models.DateTimeField(null=True)),
                ("rests_until", models.DateTimeField(null=True)),
            ],
        ),
        # AMG lists as alive what has ended here. No change of the column.
        migrations.AlterField(
            "listedtoken",
            "drift",
            models.CharField(
                blank=True,
                choices=[
                    ("foreign", "not issued here"),
                    ("vanished", "gone from AMG"),
                    ("ended", "ended here, alive at AMG"),
                ],
                max_length=8,
            ),
        ),
    ]
