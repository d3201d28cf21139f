"""An audit log of any length, chained with the product's own key, written as fast as the database
takes it."""

import random
import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction

from portal import appendonly
from portal.audit import chain, keys
from portal.audit.chain import TOLD, Head, Link
from portal.audit.verify import FORMAT, GENESIS, key_id
from portal.models import AuditEvent, AuditHead, Team, User

PEOPLE, TEAMS, WORKSPACES, ACCOUNTS = 1000, 50, 10, 40
LIFE = (
    *("token.requested", "token.issued", "token.delivered"),
    *("token.revoke_requested", "token.revoked"),
)
FAILED = 0.02
"""Requests that failed, of all: with an event of their own in place of ``token.issued``."""
SPAN = timedelta(days=365)
"""However long the log is, it tells of one year."""
BATCH_SIZE = 5000

_BUSY = list(accumulate(1 / rank for rank in range(1, PEOPLE + 1)))
"""Zipf's law, as pipelines and people share the work: person 0 does an eighth of it, the next half
as much, the last a thousandth of that. So the shares are the same in a log of any length."""

_FIELDS = AuditEvent._meta.concrete_fields
_VARYING = ("seq", "at", "action", "aws_request_id", *Link._fields)
_PLACES = [[field.name for field in _FIELDS].index(name) for name in _VARYING]


def person(number: int) -> str:
    return f"person{number:03}@example.com"


def team(number: int) -> str:
    return f"team-{number:02}"


def token_name(number: int) -> str:
    return f"{('ci', 'deploy', 'backup', 'alerts')[number % 4]}-{number // 4:07}"


def fill(size: int) -> None:
    """Migrate, and write ``size`` events, with the tables beside them that pages read."""
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    User.objects.bulk_create([User(email=person(one), password="!") for one in range(PEOPLE)])
    User.objects.create_user("auditor@example.com", None, is_auditor=True)
    Team.objects.bulk_create([Team(slug=team(one), name=team(one)) for one in range(TEAMS)])
    indexes = AuditEvent._meta.indexes
    # An index is built faster than it is kept.
    with connection.schema_editor() as editor:
        for index in indexes:
            editor.remove_index(AuditEvent, index)
    if connection.vendor == "postgresql":
        _copy(size)
    else:
        _insert(size)
    last = AuditEvent.objects.order_by("-seq").values("seq", "hash")[0]
    AuditHead.objects.update(**last)
    with connection.schema_editor() as editor:
        for index in indexes:
            editor.add_index(AuditEvent, index)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


Cells = list[str]
"""A row as texts, which both databases take for what their columns are."""


def _rows(size: int, null: Any) -> Iterator[Cells]:
    """The columns of each event, in the table's order; ``null`` stands where one says nothing."""
    chance = random.Random(size)
    key = keys.current()
    head = Head(0, GENESIS)
    began, step = datetime.now(UTC) - SPAN, SPAN / size
    for first in range(0, size, len(LIFE)):
        said = _life(first // len(LIFE), chance)
        failed = chance.random() < FAILED
        # What the events of a life have in common is written once.
        body, cells = _in_common(said, null)
        for number in range(first, min(first + len(LIFE), size)):
            action = LIFE[number - first] if said["token"] else "signin.succeeded"
            request = f"{chance.getrandbits(128):032x}" if said["token"] else ""
            at = began + number * step
            its_body, row = body, cells.copy()
            if failed and action == "token.issued":
                action = "token.failed"
                told = said | {"outcome": "failed", "error_code": "Throttling"}
                its_body, row = _in_common(told, null)
            its_body = its_body.replace("ACTION", action, 1).replace("REQUEST", request, 1)
            link = chain.link(key, head, at, its_body)
            head = Head(number + 1, link.hash)
            written = (str(head.seq), str(at.replace(tzinfo=None)), action, request, *link)
            for place, cell in zip(_PLACES, written, strict=True):
                row[place] = cell
            yield row


def _in_common(said: Mapping[str, object], null: Any) -> tuple[str, Cells]:
    """A body with the words ACTION and REQUEST where those go, and the cells of a row."""
    body = chain.body({**said, "action": "ACTION", "aws_request_id": "REQUEST"})
    values = {**said, "format": FORMAT, "key_id": key_id(keys.current())}
    values["token_id"] = said["token"] and str(said["token"]).replace("-", "")
    cells = (values.get(field.name) for field in _FIELDS)
    return body, [null if cell is None else str(cell) for cell in cells]


def _life(number: int, chance: random.Random) -> dict[str, object]:
    """What the events of one token, or of some sign-ins, have in common."""
    [who] = chance.choices(range(PEOPLE), cum_weights=_BUSY)
    said: dict[str, object] = dict.fromkeys(TOLD, "")
    said |= {"outcome": "succeeded", "actor": person(who), "actor_id": who + 1}
    said |= {"address": f"192.0.2.{who % 256}", "user_agent": "Mozilla/5.0 (X11; Linux x86_64)"}
    said |= {"count": None, "attempt": None, "seconds_to_live": None, "team_id": None}
    said |= {"owner_id": None, "token": None}
    if number % 7 == 6:
        return said
    workspace, account = chance.randrange(WORKSPACES), chance.randrange(ACCOUNTS)
    return said | {
        "team": team(who % TEAMS),
        "team_id": who % TEAMS + 1,
        "token": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "token_name": token_name(number),
        "owner": person(who),
        "owner_id": who + 1,
        "workspace": f"g-{workspace:010x}",
        "workspace_name": f"workspace {workspace}",
        "service_account": str(account),
        "service_account_name": f"account {account}",
        "grafana_role": ("VIEWER", "EDITOR", "ADMIN")[account % 3],
        "seconds_to_live": 86_400,
        "attempt": 1,
        "aws_token_id": str(number),
        "fingerprint": f"{number:064x}",
    }


def _copy(size: int) -> None:
    """PostgreSQL's COPY, as text: nothing here needs escaping but what is missing.

    Into a table that the same transaction has emptied: then rows need no log (with
    ``wal_level=minimal``), and are written as old ones at once.
    """
    names = ", ".join(f'"{field.column}"' for field in _FIELDS)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '1GB'")  # the indexes to come, as well
        cursor.execute("ALTER TABLE portal_auditevent DISABLE TRIGGER ALL")
        cursor.execute("TRUNCATE portal_auditevent")
        with cursor.copy(f"COPY portal_auditevent ({names}) FROM STDIN (FREEZE)") as copy:
            rows = _rows(size, r"\N")
            while some := list(islice(rows, BATCH_SIZE)):
                copy.write("".join("\t".join(row) + "\n" for row in some))
    appendonly.put_up()


def _insert(size: int) -> None:
    names = ", ".join(f'"{field.column}"' for field in _FIELDS)
    marks = ", ".join("?" * len(_FIELDS))
    appendonly.take_down(plan=["many events"])  # each would move the head
    database: sqlite3.Connection = connection.connection
    database.execute("BEGIN")
    database.executemany(
        f"INSERT INTO portal_auditevent ({names}) VALUES ({marks})", _rows(size, None)
    )
    database.execute("COMMIT")
    appendonly.put_up()
