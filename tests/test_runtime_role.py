"""What the role of the processes may do in PostgreSQL: each table is granted by its name."""

import base64
import re
import shutil
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest
from django.apps import apps

from portal import schema
from tests.person import KeyPair
from tests.product import ROOT, run_python
from tests.servers import Postgres

ROLE = ROOT / "deploy" / "postgresql_runtime_role.sql"
MIGRATE = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""
RECORD = """
import django
django.setup()
from django.db import transaction
from portal import audit
from portal.audit import SYSTEM
from portal.models import Action
with transaction.atomic():
    audit.record(Action.SIGNIN_SUCCEEDED, actor=SYSTEM)
"""
VERIFY = """
import django
django.setup()
from portal.audit import SYSTEM
from portal.flows.verify_audit import verify_audit
print(verify_audit(actor=SYSTEM).intact)
"""
LIKE_THE_LAST = """
    SELECT (jsonb_populate_record(event, jsonb_build_object(
        'seq', event.seq + 1, 'prev_hash', event.hash, 'hash', repeat('e', 64)))).*
    FROM portal_auditevent AS event ORDER BY seq DESC LIMIT 1
"""
DENIED = psycopg.errors.InsufficientPrivilege
OUT_OF_PLACE = psycopg.errors.IntegrityConstraintViolation
REFUSED = {
    "UPDATE portal_auditevent SET actor = 'nobody'": DENIED,
    "DELETE FROM portal_auditevent": DENIED,
    "TRUNCATE portal_auditevent": DENIED,
    f"INSERT INTO portal_auditevent {LIKE_THE_LAST}": OUT_OF_PLACE,
    "UPDATE portal_audithead SET seq = seq + 1": OUT_OF_PLACE,
    "UPDATE portal_audithead SET hash = repeat('e', 64)": OUT_OF_PLACE,
    "DELETE FROM portal_audithead": DENIED,
    "INSERT INTO portal_audithead (id, seq, hash) VALUES (2, 0, '')": DENIED,
    "TRUNCATE portal_audithead": DENIED,
    "INSERT INTO django_migrations (app, name, applied) VALUES ('portal', '9999', now())": DENIED,
    "UPDATE django_migrations SET name = 'x'": DENIED,
    "DELETE FROM django_migrations": DENIED,
    "DELETE FROM django_content_type": DENIED,
    "TRUNCATE portal_token": DENIED,
    "SELECT * FROM a_later_table": DENIED,
    "SELECT nextval('a_later_table_id_seq')": DENIED,
    "CREATE TABLE anything (id integer)": DENIED,
    "ALTER TABLE portal_auditevent DISABLE TRIGGER ALL": DENIED,
    "ALTER TABLE portal_audithead DISABLE TRIGGER ALL": DENIED,
    "DROP TRIGGER portal_audit_event_follows ON portal_auditevent": DENIED,
    "DROP TRIGGER portal_audit_head_is_last ON portal_audithead": DENIED,
    "CREATE TRIGGER other BEFORE INSERT ON portal_auditevent"
    " FOR EACH ROW EXECUTE FUNCTION portal_audit_refuse()": DENIED,
    "CREATE OR REPLACE FUNCTION portal_audit_follow() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN NULL; END'": DENIED,
    "SET session_replication_role = replica": DENIED,
    "SET ROLE portal_owner": DENIED,
}


class Database:
    """A database of the portal with its two roles, and no process on it."""

    def __init__(self, server: Postgres, directory: Path) -> None:
        self._directory = directory
        as_role = f"postgres://{{}}@127.0.0.1:{server.port}/tokens"
        self.owner, self.runtime = as_role.format("portal_owner"), as_role.format("portal_runtime")
        with psycopg.connect(server.url, autocommit=True) as database:
            for statement in (
                "CREATE ROLE portal_owner LOGIN",
                "CREATE ROLE portal_runtime LOGIN",
                "CREATE DATABASE tokens OWNER portal_owner",
            ):
                database.execute(statement)
        self.python(MIGRATE, self.owner)
        # As an installation of before was left: everything granted, and what is to come, too.
        with psycopg.connect(self.owner) as database:
            database.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO portal_runtime")
            database.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO portal_runtime")
            database.execute("GRANT ALL (name) ON django_migrations TO portal_runtime")
            for what in ("TABLES", "SEQUENCES"):
                database.execute(
                    f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON {what}"
                    " TO portal_runtime"
                )
            database.execute(ROLE.read_bytes())
            database.execute("CREATE TABLE a_later_table (id bigserial)")
        self.python(RECORD, self.runtime)

    def python(self, code: str, url: str) -> str:
        done = run_python(
            code,
            DATABASE_URL=url,
            PORTAL_EMBEDDED="1",
            PORTAL_DATA_DIR=str(self._directory),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    # Not pytest's own directory, which PostgreSQL's user can't reach.
    directory = Path(tempfile.mkdtemp(prefix="portal-role-"))
    server = Postgres(directory)
    server.start()
    yield Database(server, directory)
    server.stop()
    shutil.rmtree(directory, ignore_errors=True)


def test_every_table_is_granted_by_its_name_or_nobody_can_use_it() -> None:
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    granted = re.findall(r"^ +(\w+),?$|INSERT ON (\w+) |UPDATE ON (\w+) ", ROLE.read_text(), re.M)
    named = ["".join(names) for names in granted]
    assert sorted(named) == sorted(tables | {"django_migrations"})


@pytest.mark.parametrize("statement", REFUSED)
def test_what_is_not_the_processes_own_is_refused(database: Database, statement: str) -> None:
    with (
        psycopg.connect(database.runtime) as connection,
        pytest.raises(REFUSED[statement]),
    ):
        connection.execute(statement)


def test_whatever_the_role_tries_events_are_recorded_afterwards(database: Database) -> None:
    for statement, error in REFUSED.items():
        with pytest.raises(error), psycopg.connect(database.runtime) as connection:
            connection.execute(statement)
    database.python(RECORD, database.runtime)
    assert database.python(VERIFY, database.runtime) == "True\n"


def test_the_file_can_be_run_again_and_changes_nothing(database: Database) -> None:
    rights = """
        SELECT relname, privilege_type FROM pg_class, aclexplode(relacl)
        WHERE grantee = 'portal_runtime'::regrole ORDER BY relname, privilege_type
    """
    with psycopg.connect(database.owner) as connection:
        before = connection.execute(rights).fetchall()
        connection.execute(ROLE.read_bytes())
        assert connection.execute(rights).fetchall() == before


def test_a_start_asks_for_each_right_that_the_file_grants() -> None:
    granted = {table for table, _ in schema._wanted()}
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    assert granted == tables | {"django_migrations"}


ASK = """
import base64, django
django.setup()
from portal.audit import Actor
from portal.flows.request import TokenRequest, request
from portal.models import (
    Approval, Connection, Grant, Membership, ServiceAccount, Team, Token, User, Workspace,
)
person = User.objects.create_user("engineer@example.com")
team = Team.objects.create(slug="platform", name="Platform")
Membership.objects.create(user=person, team=team)
workspace = Workspace.objects.create(
    connection=Connection.objects.create(name="main"), aws_id="g-0123456789", name="prod"
)
account = ServiceAccount.objects.create(
    workspace=workspace, aws_id="7", name="deploy", grafana_role="EDITOR"
)
Grant.objects.create(team=team)
wish = TokenRequest(team, account, "asked", 3600, "", base64.b64decode({key!r}))
print(request(wish, actor=Actor(user=person)).token.pk)
"""
TAMPER = (
    "UPDATE portal_token SET public_key = %(key)s, public_key_sha256 = %(sha256)s",
    """
    INSERT INTO portal_token SELECT (jsonb_populate_record(asked, jsonb_build_object(
        'id', gen_random_uuid(), 'name', 'forged', 'approved_by', 'lead@example.com',
        'approved_at', now()))).*
    FROM portal_token AS asked
    """,
)
ISSUE = """
import django
django.setup()
from portal.flows.issue import issue
from portal.models import Token
for token in Token.objects.order_by("name"):
    issue(token.pk)
    token.refresh_from_db()
    print(token.name, token.state, token.error_code, token.error_message, sep="; ")
"""


def test_who_has_the_role_alone_has_no_token_made_that_nobody_asked_for(
    database: Database,
) -> None:
    """AWS is nowhere: a worker that called it would tell."""
    database.python(ASK.format(key=KeyPair().public), database.runtime)
    key = base64.b64decode(KeyPair().public)
    with psycopg.connect(database.runtime) as connection:
        for statement in TAMPER:
            connection.execute(statement, {"key": key, "sha256": sha256(key).hexdigest()})
    assert database.python(ISSUE, database.runtime).splitlines() == [
        "asked; failed; NotAgreed; What differs: the browser that gets its key.",
        "forged; failed; NotAgreed; What differs: nobody has asked for it.",
    ]
    assert database.python(VERIFY, database.runtime) == "True\n"
