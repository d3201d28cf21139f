"""What must hold before a process of the portal serves or moves anything."""

import sys

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, ProgrammingError

from portal import appendonly, outage, schema, starting
from portal.audit.recording import name_key
from portal.audit.succession import WrongKeyError
from portal.models import User


def exit_unless_sound() -> None:
    """End the process with one line where the database is not as this version needs it, the log
    could be changed, AUDIT_KEY is not the log's, demo people could come in, or a new installation
    has settings that nobody should run with.

    A database that does not answer yet is waited for by whoever needs it, not here. No connection
    is left open: whoever starts may fork next.
    """
    try:
        _require_schema()
        demo_people = [] if settings.EMBEDDED else _demo_people()
        appendonly.require()
        if demo_people:
            sys.exit(
                f"portal: this database has demo people ({', '.join(demo_people)}), whose password "
                "may be known, and production has none: close their accounts, or use another "
                "database."
            )
        starting.exit_unless_in_use()
        _take_up_key()
    finally:
        appendonly.close()


def _require_schema() -> None:
    """Otherwise every request and every turn would end in an error that says little."""
    try:
        migrations, rights = schema.missing_migrations(), schema.missing_rights()
    except (DatabaseError, InterfaceError) as error:
        if outage.is_outage(error):
            return
        sys.exit(outage.of_a_command(error) or f"portal: the database can't be used: {error}")
    if migrations:
        sys.exit(
            f"portal: the database lacks {len(migrations)} migrations of this version "
            f"({schema.few(migrations)}): run manage.py migrate as the tables' owner."
        )
    if rights:
        sys.exit(
            f"portal: this role lacks rights in the database ({schema.few(rights)}): run "
            "deploy/postgresql_runtime_role.sql as the tables' owner."
        )


def _demo_people() -> list[str]:
    """The addresses of the demo people who may sign in."""
    people = User.objects.filter(is_demo=True, is_active=True).order_by("email")
    try:
        return list(people.values_list("email", flat=True))
    except (OperationalError, ProgrammingError):  # away, or not migrated yet
        return []


def _take_up_key() -> None:
    try:
        name_key()
    except WrongKeyError as error:
        sys.exit(f"portal: {error}")
    except (
        DatabaseError,
        InterfaceError,
    ):  # away, full, or not migrated yet: the next event does it
        pass
