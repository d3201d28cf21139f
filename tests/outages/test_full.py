"""PostgreSQL has no room left: what is there can be read, and nothing is said to be saved."""

import time
from collections.abc import Iterator

import pytest

from tests.outages.load import Load
from tests.outages.portal import Portal
from tests.product import within

WRITTEN = ("portal_token", "portal_auditevent", "portal_heartbeat", "django_session")
NO_ROOM = """
    CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'could not extend file "base/5/16384": No space left on device'
            USING ERRCODE = '53100', HINT = 'Check free disk space.';
    END $$;
"""


@pytest.fixture
def portal(portal: Portal) -> Iterator[Portal]:
    yield portal
    make_room(portal)
    assert portal.send_form(portal.people[0], f"room-{time.time_ns()}").status_code == 302


def make_room(portal: Portal) -> None:
    portal.sql("DROP FUNCTION IF EXISTS no_room CASCADE")


def fill(portal: Portal) -> None:
    """Every write fails as it does on a full disk."""
    portal.sql(NO_ROOM)
    for table in WRITTEN:
        portal.sql(
            f"CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION no_room()"
        )


def test_reading_goes_on_and_forms_are_kept_until_there_is_room_again(portal: Portal) -> None:
    load = Load(portal)
    with load.going_on():
        load.until_more(60)
        fill(portal)
        load.until_more(20, of=(503,))
        status, degraded = portal.readyz()
        assert (status, degraded[0]) == (200, "database")
        assert "portal_database_writable 0.0" in portal.people[0].get("/metrics").text
        make_room(portal)
        load.until_more(60)
        assert within(20, lambda: "database" not in portal.readyz()[1])
    said = load.statuses()
    assert set(said) == {("form", 302), ("form", 503), ("page", 200), ("status", 200)}, said
    assert set(load.rows()) == load.names(302)
    events = portal.events()
    assert [event for event in events if "exception" in event] == []
    said_of_it = [e for e in events if e["event"] == "database.writes.unavailable"]
    assert 1 <= len(said_of_it) <= 4
    assert "No space left on device" in said_of_it[0]["reason"]


def test_a_full_page_says_that_nothing_was_saved_and_keeps_it(portal: Portal) -> None:
    fill(portal)
    page = portal.send_form(portal.people[0], "no-room", reason="as typed")
    assert page.status_code == 503
    assert "not save anything" in page.text
    assert 'value="as typed"' in page.text
