"""A process of the portal begins: what must hold before it serves or moves anything."""

import logging
import sys
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.db import OperationalError, ProgrammingError, connection

from portal import appendonly, unwise
from portal.unwise import Finding

log = logging.getLogger(__name__)


def begin() -> None:
    """End the process with one line where the log could be changed, demo people could come in, or a
    new installation is set up in a way that nobody should run it.

    A database that does not answer yet is waited for by whoever needs it, not here. No connection
    is left open: whoever starts may fork next.
    """
    demo_people = [] if settings.EMBEDDED else _demo_people()
    appendonly.require()
    if demo_people:
        sys.exit(
            f"portal: this database has demo people ({', '.join(demo_people)}), whose password may "
            "be known, and production has none: close their accounts, or use another database."
        )
    _ask_for_wise_settings()


def _ask_for_wise_settings() -> None:
    found = _unwise()
    try:
        is_new = bool(found) and _is_new()
    finally:
        connection.close()
    if is_new:
        sys.exit(f"portal: {_told(found)}")
    for finding in found:
        told = {"setting": finding.setting, "why": finding.why, "remedy": finding.remedy}
        log.warning("setting.unwise", extra=told)


def check(*, databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """The system check that ``migrate`` asks: an empty database is not begun with such settings."""
    found = _unwise()
    if not databases or not found or not _is_new():
        return []
    return [checks.Error(f"portal: {_told(found)}", id="portal.E001")]


def _unwise() -> list[Finding]:
    return [finding for finding in unwise.findings() if not finding.is_permitted]


def _told(found: list[Finding]) -> str:
    others = ", ".join(dict.fromkeys(finding.setting for finding in found[1:]))
    return f"{found[0]}" + (f" (and see {others})" if others else "")


def _is_new() -> bool:
    """Whether nobody is known here yet, in production.

    An installation that people use goes on with the settings that it has (docs/decisions/0027).
    """
    if settings.EMBEDDED:
        return False
    people = get_user_model().objects
    try:
        has_table = people.model._meta.db_table in connection.introspection.table_names()
        return not has_table or not people.exists()
    except (OperationalError, ProgrammingError):  # away: nobody knows, and nothing is served
        return False


def _demo_people() -> list[str]:
    """The addresses of the demo people who may sign in."""
    # Asked for, not imported: the web process imports this before Django has its models.
    people = get_user_model().objects.filter(is_demo=True, is_active=True).order_by("email")
    try:
        return list(people.values_list("email", flat=True))
    except (OperationalError, ProgrammingError):  # away, or not migrated yet
        return []
    finally:
        connection.close()
