"""Watches that the head of the audit log is the last lock of every transaction."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

HEAD = re.compile(r"^(SELECT|UPDATE)\b.*\bportal_audithead\b", re.DOTALL)
LOCKING = re.compile(r"^(INSERT INTO|UPDATE|DELETE FROM)\b|\bFOR (NO KEY )?UPDATE\b")
THE_LOG = re.compile(r'"?portal_audit(event|head)"?')


@contextmanager
def watched() -> Iterator[list[str]]:
    """Statements that lock something after the head was locked, in the same transaction of a flow.

    For tests inside a transaction of the test's own: a flow's is a savepoint there.
    """
    outer = len(connection.savepoint_ids)
    found: list[str] = []
    held_in = ""

    def watch(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        nonlocal held_in
        flow = next(iter(connection.savepoint_ids[outer:]), "")
        if flow and HEAD.search(sql):
            held_in = flow
        elif flow and flow == held_in and LOCKING.search(sql) and not THE_LOG.search(sql):
            found.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        yield found
