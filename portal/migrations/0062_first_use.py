# Additive: a column that may be empty.

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0061_notice"),
    ]

    operations = [
        migrations.AddField(
            model_name="token",
            name="first_used_at",
            field=models.DateTimeField(null=True, verbose_name="first use that AWS told of"),
        ),
    ]
