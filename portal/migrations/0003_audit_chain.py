"""Chains the audit log. What was written before is numbered without gaps and chained as it stands.

The text is written as format 1 was on this day: later changes of portal/audit must not change it.
The triggers that refuse any change go up after the migrations (portal/appendonly.py).
"""

import hmac
import json
from datetime import UTC

from django.conf import settings
from django.db import migrations, models

LABELS = (
    *("action", "outcome", "actor", "actor_id", "team", "team_id", "token", "token_name"),
    *("owner", "owner_id", "workspace", "workspace_name"),
    *("service_account", "service_account_name", "grafana_role"),
    *("seconds_to_live", "attempt", "aws_token_id", "aws_request_id", "fingerprint"),
    *("error_code", "reason", "subject", "count", "address", "user_agent"),
)


def chain_what_is_there(apps, schema_editor):
    events = apps.get_model("portal", "AuditEvent").objects.using(schema_editor.connection.alias)
    key = settings.AUDIT_KEY.encode()
    key_id = hmac.digest(key, b"key_id", "sha256").hex()[:16]
    seq, before, last = 0, 0, "0" * 64
    # Numbers only ever become smaller, and in order: none is taken when it is given.
    while page := list(events.filter(seq__gt=before).order_by("seq")[:2000]):
        for event in page:
            seq, before = seq + 1, event.seq
            text = {"seq": seq, "format": 1, "key_id": key_id}
            text["at"] = f"{event.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
            for name in LABELS:
                text[name] = getattr(event, "token_id" if name == "token" else name)
            text["token"] = text["token"] and str(text["token"])
            said = json.dumps(text, separators=(",", ":"))
            own = hmac.digest(key, (last + said).encode(), "sha256").hex()
            events.filter(seq=event.seq).update(
                seq=seq, format=1, key_id=key_id, text=said, prev_hash=last, hash=own
            )
            last = own
    heads = apps.get_model("portal", "AuditHead").objects.using(schema_editor.connection.alias)
    heads.create(id=1, seq=seq, hash=last)


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0002_token_orphan_id"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditHead",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                ("seq", models.BigIntegerField()),
                ("hash", models.CharField(max_length=64)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="audit_head_is_one")
                ],
            },
        ),
        migrations.CreateModel(
            name="FailedSignIns",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("who", models.CharField(blank=True, max_length=254)),
                ("address", models.CharField(blank=True, max_length=45)),
                ("since", models.DateTimeField()),
                ("count", models.PositiveIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("who", "address"), name="failed_sign_ins_once")
                ],
            },
        ),
        migrations.RemoveIndex(model_name="auditevent", name="audit_by_actor"),
        migrations.RemoveIndex(model_name="auditevent", name="audit_by_team"),
        migrations.AlterField(
            model_name="auditevent",
            name="seq",
            field=models.BigIntegerField(primary_key=True, serialize=False),
        ),
        migrations.AlterField(
            model_name="auditevent",
            name="at",
            field=models.DateTimeField(verbose_name="when, by the database's clock"),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="format",
            field=models.PositiveSmallIntegerField(
                default=0, verbose_name="how the text is written"
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="auditevent",
            name="key_id",
            field=models.CharField(
                default="", max_length=16, verbose_name="which key the hash is keyed with"
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="auditevent",
            name="text",
            field=models.TextField(
                default="", verbose_name="the JSON text that is hashed and exported"
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="auditevent",
            name="prev_hash",
            field=models.CharField(
                default="", max_length=64, verbose_name="hash of the event before"
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="auditevent",
            name="hash",
            field=models.CharField(default="", max_length=64),
            preserve_default=False,
        ),
        migrations.RunPython(chain_what_is_there),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["at", "seq"], name="audit_by_time"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["action", "seq"], name="audit_by_action"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["actor", "seq"], name="audit_by_actor"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["actor", "action", "seq"], name="audit_by_actor_action"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["team", "seq"], name="audit_by_team"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["workspace", "seq"], name="audit_by_workspace"),
        ),
    ]
