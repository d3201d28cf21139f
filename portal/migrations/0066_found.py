# An index alone, built while the portal works: findings of the inventory come a page at a time.

from django.db import migrations, models

from portal.migrations._online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("portal", "0065_mails"),
    ]

    operations = [
        AddIndexOnline(
            model_name="listedtoken",
            index=models.Index(
                fields=["-found_at", "-id"],
                condition=models.Q(("found_at__isnull", False)),
                name="listed_by_found",
            ),
        ),
    ]
