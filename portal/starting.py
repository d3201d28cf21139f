"""What becomes of settings that nobody should run with, when a process starts or migrates."""

import logging
import sys
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.db import OperationalError, ProgrammingError, connection

from portal import unwise
from portal.unwise import Finding

log = logging.getLogger(__name__)


def exit_unless_in_use() -> None:
    """End the process with one line where such settings meet a database that nobody uses yet.

    An installation that people use goes on, and its log names them (docs/decisions/0027). So does
    one whose database is away: its pages say so until it is back.
    """
    found = _not_permitted()
    grave = [finding for finding in found if finding.stops_the_new]
    if grave and not settings.EMBEDDED and not _has_people(when_away=True):
        sys.exit(f"portal: {_told(grave)}")
    for finding in found:
        told = {"setting": finding.setting, "why": finding.why, "remedy": finding.remedy}
        log.warning("setting.unwise", extra=told)


def check(*, databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """The system check that ``migrate`` asks: an empty database is not begun with such settings."""
    grave = [finding for finding in _not_permitted() if finding.stops_the_new]
    if not databases or not grave or settings.EMBEDDED or _has_people(when_away=False):
        return []
    return [checks.Error(f"portal: {_told(grave)}", id="portal.E001")]


def _not_permitted() -> list[Finding]:
    return [finding for finding in unwise.findings() if not finding.is_permitted]


def _told(found: list[Finding]) -> str:
    others = ", ".join(dict.fromkeys(finding.setting for finding in found[1:]))
    return f"{found[0]}" + (f" (and see {others})" if others else "")


def _has_people(*, when_away: bool) -> bool:
    people = get_user_model().objects
    try:
        has_table = people.model._meta.db_table in connection.introspection.table_names()
        return has_table and people.exists()
    except (OperationalError, ProgrammingError):  # away
        return when_away
