# Additive: columns that may be empty, and words for mails that older versions do not send.

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0060_places"),
    ]

    operations = [
        migrations.AddField(
            model_name="token",
            name="notice_ends_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="token",
            name="overlap_ends_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="notice",
            name="kind",
            field=models.CharField(
                choices=[
                    ("approval_asked", "Approval Asked"),
                    ("approved", "Approved"),
                    ("denied", "Denied"),
                    ("lapsed", "Lapsed"),
                    ("reissued", "Reissued"),
                    ("handed_over", "Handed Over"),
                    ("handover_asked", "Handover Asked"),
                    ("handover_declined", "Handover Declined"),
                    ("handover_lapsed", "Handover Lapsed"),
                    ("replaced", "Replaced"),
                    ("revoked", "Revoked"),
                    ("unclaimed", "Unclaimed"),
                    ("approval_undone", "Approval Undone"),
                    ("key_found", "Key Found"),
                    ("ends_with_notice", "Ends With Notice"),
                    ("kept", "Kept"),
                    ("expires_in_7_days", "Expires In 7 Days"),
                    ("expires_in_1_day", "Expires In 1 Day"),
                ],
                max_length=20,
            ),
        ),
    ]
