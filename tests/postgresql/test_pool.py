"""The pool of connections: none that is stale is handed out, and nobody waits for long."""

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from portal.postgresql import pool as pools
from portal.postgresql.pool import Connection, Pool
from tests.product import run_python
from tests.reliability.proxy import Proxy
from tests.servers import Postgres


@pytest.fixture
def pool(server: Postgres) -> Iterator[Pool]:
    pool = Pool(lambda: psycopg.connect(server.url, autocommit=True), size=2, timeout=0.5)
    yield pool
    pool.close()


def pid(connection: Connection) -> int:
    return int(connection.info.backend_pid)


def lend(pool: Pool) -> int:
    """Which connection is handed out; it is given back at once."""
    connection = pool.getconn()
    pool.putconn(connection)
    return pid(connection)


def test_a_connection_is_used_again(pool: Pool) -> None:
    assert lend(pool) == lend(pool)


def test_one_that_the_server_has_ended_is_not_handed_out(pool: Pool, server: Postgres) -> None:
    first = lend(pool)
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    connection = pool.getconn()
    assert pid(connection) != first
    assert connection.execute("SELECT 1").fetchone() == (1,)
    pool.putconn(connection)


def test_one_that_was_given_back_broken_is_closed(pool: Pool, server: Postgres) -> None:
    connection = pool.getconn()
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid(connection)])
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    pool.putconn(connection)
    assert connection.closed
    assert lend(pool) != pid(connection)


def test_a_transaction_that_was_left_open_is_rolled_back(pool: Pool) -> None:
    connection = pool.getconn()
    connection.execute("CREATE TEMPORARY TABLE kept (n integer)")
    connection.autocommit = False
    connection.execute("INSERT INTO kept VALUES (1)")
    pool.putconn(connection)
    again = pool.getconn()
    assert again is connection
    assert again.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    pool.putconn(again)


def test_one_that_rested_is_tried_first_for_a_host_that_vanishes_says_nothing(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(server.port) as proxy:
        url = server.url.replace(str(server.port), str(proxy.port))
        pool = Pool(lambda: psycopg.connect(url, autocommit=True), size=2, timeout=0.5)
        first = lend(pool)
        monkeypatch.setattr(pools, "QUIET_SECONDS", 0.0)
        assert lend(pool) == first
        proxy.cut_before("")  # whatever is asked next
        assert lend(pool) != first
        pool.close()


def test_one_to_a_server_that_takes_no_writes_any_more_is_made_anew(
    pool: Pool, server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = lend(pool)
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute("ALTER ROLE portal SET default_transaction_read_only = on")
    try:
        assert lend(pool) == first
        connection = pool.getconn()
        connection.execute("SET default_transaction_read_only = on")  # as it says after a reload
        pool.putconn(connection)
        assert lend(pool) == first, "it may be new, and the only one there is"
        monkeypatch.setattr(pools, "READ_ONLY_SECONDS", 0.0)
        assert lend(pool) != first
    finally:
        with psycopg.connect(server.url) as admin:
            admin.execute("SET TRANSACTION READ WRITE")
            admin.execute("ALTER ROLE portal RESET default_transaction_read_only")


def test_more_than_its_size_are_refused_after_a_wait(pool: Pool) -> None:
    lent = [pool.getconn(), pool.getconn()]
    began = time.monotonic()
    with pytest.raises(psycopg.OperationalError, match="all 2 connections"):
        pool.getconn()
    assert time.monotonic() - began < 2
    for connection in lent:
        pool.putconn(connection)
    lend(pool)


def test_a_server_that_is_back_within_seconds_is_waited_for() -> None:
    refused = 0

    def connect() -> Connection:
        nonlocal refused
        refused += 1
        raise psycopg.OperationalError("refused")

    pool = Pool(connect, size=2, timeout=0.5)
    began = time.monotonic()
    with pytest.raises(psycopg.OperationalError):
        pool.getconn()
    assert pools.PATIENCE <= time.monotonic() - began < pools.PATIENCE + 1
    assert refused > 10
    refused = 0
    with pytest.raises(psycopg.OperationalError):
        pool.getconn()
    assert refused == 1, "once it has been away for a while, each asks once"


FORK = """
import os, sys, psycopg
from portal.postgresql.pool import Pool
pool = Pool(lambda: psycopg.connect(sys.argv[1], autocommit=True), size=2, timeout=1)
def lend():
    connection = pool.getconn()
    pool.putconn(connection)
    return connection.execute("SELECT pg_backend_pid()").fetchone()[0]
before = lend()
child = os.fork()
pool.open()
print(lend() == before, flush=True)
if child:
    os.waitpid(child, 0)
    print(lend() == before)
"""


def test_a_process_that_was_forked_uses_no_connection_of_its_parent(server: Postgres) -> None:
    done = run_python(f"import sys; sys.argv = ['', {server.url!r}]\n{FORK}")
    assert sorted(done.stdout.split()) == ["False", "True", "True"], done.stderr


def test_many_threads_share_it(pool: Pool) -> None:
    seen: list[int] = []
    threads = [
        threading.Thread(target=lambda: seen.extend(lend(pool) for _ in range(50)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 400
    assert len(set(seen)) <= 2
