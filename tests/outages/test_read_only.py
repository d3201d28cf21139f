"""PostgreSQL takes no writes for a while, or for ever, while another has become the primary."""

import subprocess
from collections import Counter
from pathlib import Path

import psycopg

from tests.outages.load import Load
from tests.outages.portal import Portal
from tests.product import within
from tests.reliability.proxy import Proxy
from tests.servers import Postgres, postgres_binaries

MAKE_READ_ONLY = "ALTER SYSTEM SET default_transaction_read_only = on"
MAKE_WRITABLE = "ALTER SYSTEM RESET default_transaction_read_only"


def reload_after(portal: Portal, statement: str) -> None:
    portal.sql(statement)
    portal.sql("SELECT pg_reload_conf()")


def test_while_it_takes_no_writes_pages_are_shown_and_forms_are_kept(portal: Portal) -> None:
    load = Load(portal)
    with load.going_on():
        load.until_more(60)
        reload_after(portal, MAKE_READ_ONLY)
        load.until_more(30, of=(503,))
        assert portal.readyz() == (200, ["database", "worker", "scheduler", "aws"])
        metrics = portal.people[0].get("/metrics").text
        assert "portal_database_writable 0.0" in metrics
        reload_after(portal, MAKE_WRITABLE)
        load.until_more(60)
        assert within(5, lambda: "database" not in portal.readyz()[1])
    said = load.statuses()
    assert set(said) == {("form", 302), ("form", 503), ("page", 200), ("status", 200)}, said
    assert all(answer.retry_after == "5" for answer in load.answers if answer.status == 503)
    assert set(load.rows()) == load.names(302)
    events = portal.events()
    assert [event for event in events if "exception" in event] == []
    said_of_it = Counter(event["event"] for event in events if "database.w" in event["event"])
    assert set(said_of_it) == {"database.writes.unavailable", "database.writes.available"}
    assert max(said_of_it.values()) <= 4
    assert "portal_database_writable 1.0" in portal.people[0].get("/metrics").text


def standby_of(primary: Postgres, directory: Path) -> Postgres:
    """A second server that follows the first."""
    standby = Postgres(directory)
    subprocess.run(
        [
            *(
                postgres_binaries() / "pg_basebackup",
                "--wal-method=stream",
                "--write-recovery-conf",
            ),
            *("--checkpoint=fast", "-h", "127.0.0.1", "-p", str(primary.port), "-U", "portal"),
            *("-D", standby.data),
        ],
        user=standby.user,
        cwd="/",
        check=True,
    )
    standby.start()
    return standby


def ask(server: Postgres, question: str) -> str:
    with psycopg.connect(server.url, autocommit=True) as database:
        [answer] = database.execute(question).fetchone() or [""]
        return str(answer)


def test_after_a_failover_no_connection_to_the_old_primary_is_used(tmp_path: Path) -> None:
    """It goes on as a read-only server and ends no connection, as a cautious failover leaves it."""
    with Portal() as portal:
        follower = portal.directory / "standby"
        follower.mkdir()
        follower.chmod(0o777)
        standby = standby_of(portal.postgres, follower)
        try:
            with Proxy(portal.postgres.port) as proxy:
                portal.stop_web()
                portal.database_url = portal.postgres.url.replace(
                    str(portal.postgres.port), str(proxy.port)
                )
                portal.start_web()
                load = Load(portal)
                with load.going_on():
                    load.until_more(60)
                    reload_after(portal, MAKE_READ_ONLY)
                    load.until_more(12, of=(503,))
                    end = ask(portal.postgres, "SELECT pg_current_wal_flush_lsn()")
                    caught_up = f"SELECT pg_last_wal_replay_lsn() >= '{end}'"
                    assert within(20, lambda: ask(standby, caught_up) == "True")
                    ask(standby, "SELECT pg_promote()")
                    proxy.lead_to(standby.port)
                    load.until_more(120)
                    served = len(load.answers)
                    load.until_more(60)
            assert {status for _, status in load.statuses()} <= {200, 302, 503}, load.statuses()
            assert {answer.status for answer in load.answers[served:]} == {200, 302}
            with psycopg.connect(standby.url) as database:
                rows = {name for (name,) in database.execute("SELECT name FROM portal_token")}
            assert rows == load.names(302), "a form was lost, or went to the old primary"
        finally:
            standby.stop()
