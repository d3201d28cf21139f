"""This machine's disk, and what the processes say of themselves."""

import shutil
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Min

from portal.doctor.report import Report
from portal.models import Heartbeat, State, Token

LITTLE, TOO_LITTLE = 500 * 1024**2, 50 * 1024**2
"""Bytes."""
SILENT = timedelta(seconds=60)
LONGEST_QUEUED = timedelta(seconds=120)


def disk_check(report: Report) -> None:
    manifest = settings.STATIC_ROOT / "staticfiles.json"
    if not manifest.exists():
        report.fail(
            f"the static files are not in {settings.STATIC_ROOT}",
            "Run manage.py collectstatic --no-input with the same PORTAL_STATIC_ROOT.",
        )
    places = {Path(settings.STATIC_ROOT), Path("/tmp"), Path("/dev/shm")}  # noqa: S108 (asked for their room)
    if settings.EMBEDDED:
        places.add(settings.DATA_DIR)
    if settings.AUDIT_HEAD_FILE:
        places.add(Path(settings.AUDIT_HEAD_FILE).parent)
    found = {_free(place): place for place in places if place.exists()}
    if not found:
        return
    free, place = min(found.items())
    says = f"{free // 1024**2} MB are free in {place}"
    if free < TOO_LITTLE:
        report.fail(says, "Make room.")
    elif free < LITTLE and place != Path("/dev/shm"):  # noqa: S108 (often small by design)
        report.warn(says, "Make room.")
    else:
        report.ok(says)


def _free(place: Path) -> int:
    return shutil.disk_usage(place).free


def heartbeats_check(report: Report) -> None:
    heard = dict(Heartbeat.objects.values_list("kind", "at"))
    now = Token.objects.database_now()
    for kind, unit in (("worker", "portal-worker"), ("scheduler", "portal-scheduler")):
        at = heard.get(kind)
        if at is None:
            report.warn(
                f"no {kind} was ever heard of", f"Start it (systemctl start {unit}), and wait 30 s."
            )
        elif now - at > SILENT:
            report.fail(
                f"no {kind} was heard of for {int((now - at).total_seconds())} seconds",
                f"See its log: journalctl -u {unit}. A worker is heard of by the broker alone.",
            )
        else:
            report.ok(f"a {kind} was heard of {int((now - at).total_seconds())} seconds ago")
    oldest = Token.objects.filter(state=State.QUEUED).aggregate(at=Min("queued_at"))["at"]
    if oldest and now - oldest > LONGEST_QUEUED:
        report.warn(
            f"a request waits since {oldest:%Y-%m-%d %H:%M} UTC",
            "See its page for what it waits for.",
        )
