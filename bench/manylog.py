"""An audit log of any length, chained with the product's own key, written as fast as the database
takes it."""

import random
import sqlite3
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management import call_command
from django.db import connection

from portal.audit import chain, keys
from portal.audit.chain import TOLD, Head
from portal.audit.verify import FORMAT, GENESIS, key_id
from portal.models import AuditEvent, AuditHead, Team, User

PEOPLE, TEAMS, WORKSPACES, ACCOUNTS = 1000, 50, 10, 40
LIFE = (
    *("token.requested", "token.issued", "token.delivered"),
    *("token.revoke_requested", "token.revoked"),
)
SPAN = timedelta(days=365)
"""However long the log is, it tells of one year."""
ROWS_AT_A_TIME = 5000


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


def _rows(size: int) -> Iterator[list[Any]]:
    """The columns of each event, in the table's order."""
    chance = random.Random(size)
    key = keys.current()
    head = Head(0, GENESIS)
    began, step = datetime.now(UTC) - SPAN, SPAN / size
    names = [field.attname for field in AuditEvent._meta.concrete_fields]
    said: dict[str, object] = {}
    for number in range(size):
        if number % len(LIFE) == 0:
            said = _life(number // len(LIFE), chance)
        told = said | {
            "action": LIFE[number % len(LIFE)] if said["token"] else "signin.succeeded",
            "aws_request_id": str(uuid.UUID(int=chance.getrandbits(128))) if said["token"] else "",
        }
        if said["token"] and number % len(LIFE) == 1 and chance.random() < 0.02:
            told |= {"action": "token.failed", "outcome": "failed", "error_code": "Throttling"}
        at = began + number * step
        link = chain.link(key, head, at, chain.body(told))
        head = Head(number + 1, link.hash)
        told |= {"seq": head.seq, "at": at, "format": FORMAT, "key_id": key_id(key)}
        told |= {"token_id": told["token"], **link._asdict()}
        yield [told[name] for name in names]


def _life(number: int, chance: random.Random) -> dict[str, object]:
    """What the events of one token, or of some sign-ins, have in common."""
    who = int(PEOPLE * chance.random() ** 2)  # some do much more than others
    said: dict[str, object] = dict.fromkeys(TOLD, "")
    said |= {"outcome": "succeeded", "actor": person(who), "actor_id": who + 1}
    said |= {"address": f"192.0.2.{who % 256}", "user_agent": "Mozilla/5.0 (X11; Linux x86_64)"}
    said |= {"count": None, "attempt": None, "seconds_to_live": None, "team_id": None}
    said |= {"owner_id": None, "token": None}
    if number % 7 == 6:
        return said
    workspace, account = chance.randrange(WORKSPACES), chance.randrange(ACCOUNTS)
    token_id = uuid.UUID(int=chance.getrandbits(128), version=4)
    return said | {
        "team": team(who % TEAMS),
        "team_id": who % TEAMS + 1,
        "token": str(token_id),
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
    """PostgreSQL's COPY, as text: nothing here needs escaping but what is missing."""
    names = ", ".join(f'"{field.column}"' for field in AuditEvent._meta.concrete_fields)
    with connection.cursor() as cursor:
        # Whatever is lost with the machine is filled again.
        cursor.execute("SET synchronous_commit = off")
        cursor.execute("SET maintenance_work_mem = '1GB'")
        with cursor.copy(f"COPY portal_auditevent ({names}) FROM STDIN") as copy:
            lines: list[str] = []
            for row in _rows(size):
                cells = (r"\N" if cell is None else str(cell) for cell in row)
                lines.append("\t".join(cells))
                if len(lines) == ROWS_AT_A_TIME:
                    copy.write("\n".join(lines) + "\n")
                    lines.clear()
            if lines:
                copy.write("\n".join(lines) + "\n")


def _insert(size: int) -> None:
    fields = AuditEvent._meta.concrete_fields
    token = next(at for at, field in enumerate(fields) if field.name == "token_id")
    moment = next(at for at, field in enumerate(fields) if field.name == "at")

    def stored() -> Iterator[list[Any]]:
        for row in _rows(size):
            row[token] = row[token] and row[token].replace("-", "")
            row[moment] = str(row[moment].replace(tzinfo=None))
            yield row

    names = ", ".join(f'"{field.column}"' for field in fields)
    marks = ", ".join("?" * len(fields))
    connection.ensure_connection()
    database: sqlite3.Connection = connection.connection
    database.execute("BEGIN")
    database.executemany(f"INSERT INTO portal_auditevent ({names}) VALUES ({marks})", stored())
    database.execute("COMMIT")
