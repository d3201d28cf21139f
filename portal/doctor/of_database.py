"""The database: who we are there, what is missing, and whose clock is wrong."""

from datetime import UTC, datetime

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from portal import appendonly, outage, schema
from portal.audit.head import read_head
from portal.audit.succession import WrongKeyError, subject_at_start
from portal.doctor.report import Report
from portal.models import Token

OLDEST = 140000
"""PostgreSQL 14, the oldest that Django 5.2 takes."""
CLOCK_OFF, CLOCK_WRONG = 2.0, 30.0
"""Seconds. AWS refuses signatures that are 5 minutes off."""
LONGEST_LAG = 30.0
"""Seconds that a standby may be behind."""

GRANT = "Run deploy/postgresql_runtime_role.sql as the tables' owner."
_TOO_MUCH = ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER")
_LAG = """
    SELECT coalesce(application_name, ''), coalesce(state, ''), extract(epoch FROM replay_lag)
    FROM pg_stat_replication
"""


def check(report: Report) -> None:
    """Tries it, and what follows from it being there."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError) as error:
        said = outage.of_a_command(error) or str(error)
        report.fail(
            said.removeprefix("portal: "),
            "Check DATABASE_URL, and that the server runs and lets this host and user in.",
        )
        return
    _check_version(report)
    if not _check_schema(report):
        return
    if connection.vendor == "postgresql":
        _check_rights(report)
        _check_replication(report)
    _check_triggers(report)
    _check_writes(report)
    _check_key(report)
    _check_clock(report)


def _check_version(report: Report) -> None:
    if connection.vendor != "postgresql":
        report.ok(f"SQLite at {connection.settings_dict['NAME']}")
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int, current_user")
        number, user = cursor.fetchone()
    version = f"PostgreSQL {number // 10000}.{number % 10000}, as {user}"
    if number < OLDEST:
        report.fail(f"{version} is too old", "Upgrade it to PostgreSQL 14 or newer.")
        return
    report.ok(version)
    if connection.settings_dict["OPTIONS"].get("sslmode") not in ("verify-full", "verify-ca"):
        host = connection.settings_dict["HOST"]
        if host and not host.startswith("/") and host not in ("localhost", "127.0.0.1", "::1"):
            report.warn(
                "the connection does not prove who the server is",
                "Add ?sslmode=verify-full&sslrootcert=system to DATABASE_URL.",
            )


def _check_schema(report: Report) -> bool:
    missing = schema.missing_migrations()
    if missing:
        report.fail(
            f"{len(missing)} migrations are missing ({schema.few(missing)})",
            "Run manage.py migrate as the tables' owner, then the file with the role's rights.",
        )
        return False
    report.ok("all migrations are applied")
    return True


def _check_rights(report: Report) -> None:
    missing = schema.missing_rights()
    if missing:
        report.fail(f"this role lacks {schema.few(missing)}", GRANT)
    else:
        report.ok("this role may do what the processes do")
    excess = [right for right in _TOO_MUCH if _may("portal_auditevent", right)]
    if excess and not settings.EMBEDDED:
        report.warn(
            f"this role may {', '.join(excess)} the audit log's table",
            "Connect as portal_runtime, which does not own the tables (docs/OPERATIONS.md).",
        )


def _may(table: str, right: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(has_table_privilege(to_regclass(%s), %s), false)", [table, right]
        )
        [may] = cursor.fetchone()
    return bool(may)


def _check_replication(report: Report) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_LAG)
        standbys = cursor.fetchall()
    if not standbys:
        report.ok("no standby is connected")
    for name, state, lag in standbys:
        called = name or "a standby"
        if not state:
            report.warn(
                f"{called} is connected, and this role may not see how far behind it is",
                "GRANT pg_read_all_stats TO portal_runtime;",
            )
        elif lag is not None and float(lag) > LONGEST_LAG:
            report.warn(
                f"{called} is {float(lag):.0f} seconds behind",
                "A failover now would lose that: see the standby's disk and network.",
            )
        else:
            report.ok(f"{called} follows ({state})")


def _check_triggers(report: Report) -> None:
    missing = appendonly.missing(connection)
    if missing:
        report.fail(
            f"the audit log can be changed: {', '.join(missing)} is not there",
            "Run manage.py migrate as the tables' owner, then manage.py verify_audit.",
        )
    else:
        report.ok("the triggers of the audit log stand")


def _check_writes(report: Report) -> None:
    if outage.database_takes_writes():
        report.ok("it takes writes")
    else:
        report.fail(
            "it takes no writes: it is full, a standby, or read-only",
            "Make room, or let DATABASE_URL lead to the primary.",
        )


def _check_key(report: Report) -> None:
    try:
        subject_at_start(read_head()[0])
    except WrongKeyError as error:
        report.fail(
            str(error), "AUDIT_KEY is the same on all hosts: take the others' (docs/AUDIT.md)."
        )
    else:
        report.ok("AUDIT_KEY is the log's")


def _check_clock(report: Report) -> None:
    ahead = (Token.objects.database_now() - datetime.now(UTC)).total_seconds()
    says = f"its clock differs from this host's by {abs(ahead):.1f} seconds"
    if abs(ahead) > CLOCK_WRONG:
        report.fail(says, "Set both by NTP: systemctl status chronyd (or systemd-timesyncd).")
    elif abs(ahead) > CLOCK_OFF:
        report.warn(says, "Set both by NTP.")
    else:
        report.ok(says)
