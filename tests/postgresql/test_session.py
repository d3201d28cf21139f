"""A session of the portal does not depend on how the server, the database or the role is set."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.outages.portal import Portal

HOSTILE = {
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kathmandu",
    "client_encoding": "LATIN1",
    "default_transaction_isolation": "repeatable read",
    "synchronous_commit": "off",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
}
SHOW = """
import django
django.setup()
from django.db import connection
with connection.cursor() as cursor:
    for name in {names}:
        cursor.execute(f"SHOW {{name}}")
        print(cursor.fetchone()[0])
"""


@pytest.fixture(scope="module")
def portal() -> Iterator[Portal]:
    orders = [f"ALTER DATABASE postgres SET {name} = '{value}'" for name, value in HOSTILE.items()]
    with Portal(*orders) as portal:
        yield portal


def test_each_session_begins_with_what_the_code_relies_on(portal: Portal) -> None:
    names = list(HOSTILE)[:6]
    done = portal.python(SHOW.format(names=names))
    assert done.stdout.splitlines() == [
        "ISO, DMY",
        "postgres",
        "UTC",
        "UTF8",
        "read committed",
        "on",
    ], done.stderr


def test_pages_and_forms_work_whatever_the_database_is_set_to(portal: Portal) -> None:
    person = portal.people[0]
    answer = portal.send_form(person, "schlüssel-監視", reason="it's a \\ backslash")
    assert answer.status_code == 302
    page = person.get(answer.headers["Location"]).text
    assert "schlüssel-監視" in page
    assert "it&#x27;s a \\ backslash" in page


def test_forty_requests_at_once_are_all_taken_where_repeatable_read_is_the_default(
    portal: Portal,
) -> None:
    """Each locks the head of the audit log: at that level all but the first would be refused."""
    with ThreadPoolExecutor(20) as pool:
        asked = [
            pool.submit(portal.send_form, portal.people[number % 6], f"at-once-{number}")
            for number in range(40)
        ]
    assert {one.result().status_code for one in asked} == {302}
    assert len(portal.rows("at-once-")) == 40


def test_whether_the_database_takes_writes_is_an_administrators_word_and_stays(
    portal: Portal,
) -> None:
    portal.sql("ALTER DATABASE postgres SET default_transaction_read_only = on")
    try:
        done = portal.python(SHOW.format(names=["transaction_read_only"]))
        assert done.stdout.split() == ["on"], done.stderr
    finally:
        portal.sql(
            "BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; COMMIT"
        )
