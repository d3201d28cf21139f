# Two columns with a default of the database: old code neither reads nor writes them.

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0066_found"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="theme",
            field=models.CharField(db_default="", default="", editable=False, max_length=8),
        ),
        migrations.AddField(
            model_name="user",
            name="chosen_zone",
            field=models.CharField(db_default="", default="", editable=False, max_length=64),
        ),
    ]
