"""The database refuses to change or delete an event, on SQLite and on PostgreSQL."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.utils import ProgrammingError

from portal import appendonly, audit
from portal.audit import SYSTEM
from portal.audit.head import HeadMissingError
from portal.flows.verify_audit import verify_audit
from portal.models import Action, AuditEvent, AuditHead
from tests.audit import tampering
from tests.audit.conftest import EVENTS

pytestmark = pytest.mark.django_db

ROLE = Path(settings.BASE_DIR) / "deploy" / "postgresql_runtime_role.sql"
IS_POSTGRESQL = connection.vendor == "postgresql"
UPDATE = "UPDATE portal_auditevent SET actor = 'nobody' WHERE seq = 5"
DELETE = "DELETE FROM portal_auditevent WHERE seq = 5"
REPLACE = (
    "INSERT INTO portal_auditevent SELECT * FROM portal_auditevent WHERE seq = 5"
    " ON CONFLICT (seq) DO UPDATE SET actor = 'nobody'"
    if IS_POSTGRESQL
    else "INSERT OR REPLACE INTO portal_auditevent SELECT * FROM portal_auditevent WHERE seq = 5"
)
REFUSED = [
    *(UPDATE, DELETE, REPLACE),
    *("UPDATE portal_auditevent SET seq = 0 WHERE false", "DELETE FROM portal_auditevent"),
    *(f"TRUNCATE portal_auditevent {how}" for how in ("", "CASCADE") if IS_POSTGRESQL),
]


def run(sql: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.parametrize("sql", REFUSED)
def test_no_statement_changes_an_event(log: list[AuditEvent], sql: str) -> None:
    before = list(AuditEvent.objects.values())
    if "false" in sql and not IS_POSTGRESQL:
        run(sql)  # SQLite asks row by row, and there is none
    else:
        with pytest.raises(IntegrityError, match="the audit log is append-only"):
            run(sql)
    assert list(AuditEvent.objects.values()) == before


def test_a_replacement_is_refused_by_a_careless_connection_too(log: list[AuditEvent]) -> None:
    """SQLite lets INSERT OR REPLACE past the delete trigger where recursive_triggers is off."""
    if not IS_POSTGRESQL:
        run("PRAGMA recursive_triggers = OFF")
    with pytest.raises(IntegrityError, match="append-only"):
        run(REPLACE)


def test_the_models_own_ways_are_refused(log: list[AuditEvent]) -> None:
    event = log[4]
    event.actor = "nobody"
    ways: list[Callable[[], object]] = [
        event.save,
        event.delete,
        AuditEvent.objects.all().delete,
        lambda: AuditEvent.objects.update(actor="nobody"),
        lambda: AuditEvent.objects.bulk_update([event], ["actor"]),
    ]
    for way in ways:
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            way()


# -- That the triggers stand --------------------------------------------------------------------


@pytest.mark.parametrize("name", appendonly.TRIGGERS[connection.vendor])
def test_each_missing_trigger_is_named_and_put_up_again(log: list[AuditEvent], name: str) -> None:
    table = appendonly.TRIGGERS[connection.vendor][name]
    run(f"DROP TRIGGER {name}{f' ON {table}' if IS_POSTGRESQL else ''}")
    assert appendonly.missing(connection) == [name]
    appendonly.take_down(plan=[])
    assert appendonly.missing(connection) == [name], "without a migration none is taken down"
    appendonly.put_up()
    assert appendonly.missing(connection) == []
    with pytest.raises(IntegrityError):
        run(DELETE)


def test_the_system_check_warns_without_them(log: list[AuditEvent]) -> None:
    assert appendonly.check(databases=["default"]) == []
    tampering.take_down_triggers()
    [problem] = appendonly.check(databases=["default"])
    assert (problem.id, problem.msg[:30]) == ("portal.W001", "The audit log can be changed: ")
    assert appendonly.check() == [], "without a database to ask, nothing is said"


@pytest.mark.django_db(transaction=True)
def test_no_process_starts_without_them() -> None:
    appendonly.require()
    tampering.take_down_triggers()
    with pytest.raises(SystemExit, match=r"portal: The audit log can be changed: .* migrate"):
        appendonly.require()
    call_command("migrate", verbosity=0)
    appendonly.require()


def test_a_log_that_has_lost_its_head_takes_no_event(log: list[AuditEvent]) -> None:
    """Only an empty log is given one: a log with events has lost its own, and says so."""
    AuditHead.objects.all().delete()
    appendonly.put_up()
    with (
        pytest.raises(HeadMissingError, match=r"run manage\.py verify_audit"),
        transaction.atomic(),
    ):
        audit.record(Action.SIGNIN_SUCCEEDED, actor=SYSTEM)
    assert AuditEvent.objects.count() == EVENTS


if IS_POSTGRESQL:

    @pytest.mark.parametrize("state", ["DISABLE", "ENABLE REPLICA", "ENABLE"])
    def test_a_trigger_that_may_rest_counts_as_missing(log: list[AuditEvent], state: str) -> None:
        run(f"ALTER TABLE portal_auditevent {state} TRIGGER {appendonly.NAME}")
        assert appendonly.missing(connection) == [appendonly.NAME]
        appendonly.put_up()
        run("SET LOCAL session_replication_role = replica")
        with pytest.raises(IntegrityError, match="append-only"):
            run(DELETE)

    def test_the_runtime_role_records_and_can_do_nothing_else_to_the_log(
        log: list[AuditEvent],
    ) -> None:
        run("CREATE ROLE portal_runtime")
        run(ROLE.read_text())
        run("SET LOCAL ROLE portal_runtime")
        with transaction.atomic():
            audit.record(Action.SIGNIN_SUCCEEDED, actor=SYSTEM)
        assert verify_audit(actor=SYSTEM).intact
        assert appendonly.missing(connection) == []
        for sql in (
            *REFUSED,
            f"DROP TRIGGER {appendonly.NAME} ON portal_auditevent",
            f"ALTER TABLE portal_auditevent DISABLE TRIGGER {appendonly.NAME}",
            "DELETE FROM portal_audithead",
            "DROP TABLE portal_auditevent",
            "SET session_replication_role = replica",
        ):
            with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
                run(sql)

else:

    @pytest.mark.parametrize("recursive", ["OFF", "ON"])
    def test_a_replacement_by_the_rows_own_number_is_refused_too(
        log: list[AuditEvent], recursive: str
    ) -> None:
        """SQLite numbers rows by itself, and replaces by that number what has another ``seq``."""
        run(f"PRAGMA recursive_triggers = {recursive}")
        columns = ", ".join(f'"{field.column}"' for field in AuditEvent._meta.concrete_fields)
        said = columns.replace('"seq"', "99")
        with pytest.raises(IntegrityError, match="append-only"):
            run(
                f"INSERT OR REPLACE INTO portal_auditevent (rowid, {columns})"
                f" SELECT rowid, {said} FROM portal_auditevent WHERE seq = 5"
            )
        assert AuditEvent.objects.count() == EVENTS

    @pytest.mark.django_db(transaction=True)
    def test_a_rebuilt_table_gets_its_triggers_back_after_the_migration() -> None:
        """Django alters tables on SQLite by making them anew, and drops triggers without a word."""
        appendonly.take_down(plan=["a migration"])
        with connection.schema_editor() as editor:
            editor._remake_table(AuditEvent)  # type: ignore[attr-defined]  # SQLite's alone has it
            editor._remake_table(AuditHead)  # type: ignore[attr-defined]
        assert appendonly.missing(connection) == list(appendonly.TRIGGERS["sqlite"])
        call_command("migrate", verbosity=0)
        assert appendonly.missing(connection) == []
