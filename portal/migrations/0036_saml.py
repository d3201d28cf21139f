from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0034_factors"),
    ]

    operations = [
        migrations.CreateModel(
            name="SpentAssertion",
            fields=[
                (
                    "digest",
                    models.CharField(
                        max_length=64,
                        primary_key=True,
                        serialize=False,
                        verbose_name="SHA-256 of issuer and ID",
                    ),
                ),
                ("until", models.DateTimeField(verbose_name="when its time is over")),
            ],
            options={
                "indexes": [models.Index(fields=["until"], name="spent_assertion_by_end")],
            },
        ),
    ]
