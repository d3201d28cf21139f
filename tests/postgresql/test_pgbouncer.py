"""PgBouncer in transaction mode: each transaction may meet another session of the server."""

import json
import os
import pwd
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.outages.portal import Portal
from tests.person import Person
from tests.product import within
from tests.servers import free_port

SETTINGS = """
[databases]
postgres = host=127.0.0.1 port={server} dbname=postgres user=portal
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
"""
PASSWORD = "correct horse battery"
SHOW = """
import json, django
django.setup()
from django.db import connection, transaction
from portal.audit import Actor
from portal.models import AuditEvent, User
from portal.reading.events import stream
from portal.reading.filters import Filter
users = list(User.objects.iterator(chunk_size=2))
links = list(stream(Filter(), ["seq"], up_to=10**9))
print(json.dumps([len(users), len(links) == AuditEvent.objects.count()]))
"""


@pytest.fixture(scope="module")
def portal() -> Iterator[Portal]:
    with Portal() as portal:
        port = free_port()
        ini = portal.directory / "pgbouncer.ini"
        ini.write_text(SETTINGS.format(server=portal.postgres.port, port=port))
        ini.chmod(0o644)
        # It refuses root, as the server does.
        user = pwd.getpwnam("postgres").pw_name if os.geteuid() == 0 else None
        bouncer = subprocess.Popen(
            ["/usr/sbin/pgbouncer", "--quiet", ini], user=user, stderr=subprocess.DEVNULL
        )
        try:
            portal.stop_web()
            portal.database_url = portal.postgres.url.replace(str(portal.postgres.port), str(port))
            assert within(20, lambda: answers(portal.database_url))
            portal.start_web()
            yield portal
        finally:
            bouncer.terminate()
            bouncer.wait(10)


def answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def sign_in(portal: Portal, number: int) -> int:
    person = Person(portal.url)
    try:
        person.sign_in(f"engineer-{number % 6}@example.com", PASSWORD)
        name = f"bounced-{number}"
        return portal.send_form(person, name).status_code
    finally:
        person.http.close()


def test_people_sign_in_and_ask_for_tokens_all_at_once(portal: Portal) -> None:
    """django-allauth reads people by a cursor that would outlive its transaction."""
    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(lambda number: sign_in(portal, number), range(36))) == {302}
    assert len(portal.rows("bounced-")) == 36
    assert [event for event in portal.events() if "exception" in event] == []


def test_what_is_read_in_pieces_is_read_whole(portal: Portal) -> None:
    with ThreadPoolExecutor(3) as pool:
        for done in pool.map(lambda _: portal.python(SHOW), range(3)):
            assert json.loads(done.stdout or "null") == [6, True], done.stderr


def test_a_level_that_no_session_keeps_is_refused_with_what_to_do(portal: Portal) -> None:
    portal.sql("ALTER ROLE portal SET default_transaction_isolation = 'serializable'")
    try:
        # Sessions of before go on as they began.
        portal.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        done = portal.manage("check", "--database", "default")
        assert done.returncode == 1
        assert "ALTER ROLE ... SET default_transaction_isolation = 'read committed'" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    finally:
        portal.sql("ALTER ROLE portal RESET default_transaction_isolation")
