"""PostgreSQL is restarted while people work: nobody meets an error of ours, and nothing is lost."""

import time
from collections import Counter

import pytest
import requests

from tests.outages.load import Load
from tests.outages.portal import WEB_PROCESSES, Portal


def is_well_answered(load: Load) -> bool:
    """No error of ours, and where the database was away, when to come again."""
    return all(
        answer.status in (200, 302) or (answer.status == 503 and answer.retry_after)
        for answer in load.answers
    )


def test_a_restart_under_load_costs_no_error_and_no_form(portal: Portal) -> None:
    load = Load(portal)
    with load.going_on():
        load.until_more(60)
        portal.postgres.restart()
        load.until_more(60)
        portal.postgres.crash()
        portal.postgres.start()
        load.until_more(60)
    assert is_well_answered(load), load.statuses()
    rows = load.rows()
    assert len(rows) == len(set(rows))
    assert set(rows) == load.names(302), "a form was lost, or made a row and said that it did not"


def test_while_it_is_away_everything_answers_503_and_then_the_first_request_is_served(
    portal: Portal,
) -> None:
    load = Load(portal)
    portal.postgres.stop()
    with load.going_on():
        load.until_more(60, of=(503,))
        waits = [answer.seconds for answer in load.answers[-30:]]
        assert portal.readyz() == (503, ["database"])
    assert is_well_answered(load), load.statuses()
    assert set(load.statuses()) == {("form", 503), ("page", 503)}
    assert max(waits) < 1.5, "nobody is kept waiting for a database that stays away"
    portal.postgres.start()
    after = [person.get("/tokens/").status_code for person in portal.people * 4]
    assert Counter(after) == {200: len(after)}


def test_a_restart_that_nobody_saw_costs_nobody_anything(portal: Portal) -> None:
    """Connections lie in the pool of each process, and all of them are stale."""
    with Load(portal).going_on() as load:
        load.until_more(100)
    portal.postgres.restart()
    load = Load(portal)
    with load.going_on():
        load.until_more(60)
    assert {status for _, status in load.statuses()} == {200, 302}, load.statuses()


def test_an_outage_has_one_line_in_the_log_of_each_process_and_no_traceback() -> None:
    with Portal() as portal:
        load = Load(portal)
        with load.going_on():
            load.until_more(30)
            portal.postgres.stop()
            load.until_more(60, of=(503,))
            portal.postgres.start()
            load.until_more(100)
        events = portal.events()
    assert [event for event in events if "exception" in event] == []
    said = Counter(event["event"] for event in events)
    assert set(said) <= {"database.unavailable", "database.available"}, said
    assert 1 <= said["database.unavailable"] <= WEB_PROCESSES
    assert said["database.available"] == said["database.unavailable"]
    reasons = {event["reason"] for event in events if event["event"] == "database.unavailable"}
    assert all("connection" in reason or "terminating" in reason for reason in reasons), reasons
    assert sum(event.get("failures", 0) for event in events) == sum(
        answer.status == 503 for answer in load.answers
    )


def test_a_page_that_waits_for_news_is_told_to_ask_again(portal: Portal) -> None:
    person = portal.people[0]
    answer = portal.send_form(person, f"waits-{time.time_ns()}")
    token = answer.headers["Location"]
    portal.postgres.stop()
    for path in ("status/?wait=5&state=queued", "sealed/?wait=5"):
        asked = person.get(f"{token}{path}")
        assert (asked.status_code, asked.headers["Retry-After"]) == (503, "5")
        assert "Nothing is lost" in asked.json()["message"]
    portal.postgres.start()
    assert person.get(f"{token}status/").status_code == 200


MANY_EVENTS = """
    INSERT INTO portal_auditevent
    SELECT (jsonb_populate_record(event, jsonb_build_object('seq', 1000000 + n))).*
    FROM portal_auditevent AS event, generate_series(1, 40000) AS n WHERE event.seq = 1
"""
FOLLOWS = "TRIGGER portal_audit_event_follows"


def test_an_export_that_is_cut_short_does_not_look_whole(portal: Portal) -> None:
    """A file that ended like any other would be taken for all there is."""
    portal.send_form(portal.people[0], f"first-{time.time_ns()}")
    # Only the table's owner can do that.
    portal.sql(f"ALTER TABLE portal_auditevent DISABLE {FOLLOWS}")
    portal.sql(MANY_EVENTS)
    portal.sql(
        "UPDATE portal_audithead SET (seq, hash) = "
        "(SELECT seq, hash FROM portal_auditevent WHERE seq = 1040000)"
    )
    portal.sql(f"ALTER TABLE portal_auditevent ENABLE ALWAYS {FOLLOWS}")
    portal.sql("UPDATE portal_user SET is_auditor = true")
    answer = portal.people[0].get("/audit/export.csv", stream=True)
    assert answer.status_code == 200
    chunks = answer.iter_content(65_536)
    next(chunks)
    portal.postgres.crash()
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        list(chunks)
    portal.postgres.start()
    assert [event for event in portal.events() if "exception" in event] == []
