"""Whatever is searched for, an index answers: no question reads the log from end to end."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.models import Action, AuditEvent, User
from portal.reading.events import page
from portal.reading.filters import Filter
from tests.audit_log import tell

pytestmark = pytest.mark.django_db

TEXTS = (
    "ci-deploy",
    "42",
    "g-00000000a1",
    "5b1c0000-0000-4000-8000-000000000001",
    "person",
)


@pytest.mark.parametrize("text", TEXTS)
def test_every_meaning_of_a_search_has_an_index(log: list[AuditEvent], text: str) -> None:
    User.objects.create_user("person@example.com", None)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")  # it would suit so few events
    for alternative in Filter(q=text).alternatives():
        plan = AuditEvent.objects.filter(alternative.condition).order_by("seq").explain()
        indexes = ("audit_by_", "_pkey", "sqlite_autoindex_portal_auditevent_1 (seq=?)")
        assert any(name in plan for name in indexes), plan
        assert "SCAN portal_auditevent" not in plan or "audit_by_" in plan, plan


def test_a_page_of_a_range_is_read_from_its_end_and_not_sorted(db: None) -> None:
    """Else it costs what the range holds: 200,000 events in a week of a busy log."""
    began = datetime(2024, 11, 1, tzinfo=UTC)
    for hour in range(2000):
        tell(Action.CATALOG_SYNCED, at=began + timedelta(hours=hour))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    wanted = Filter(since=began + timedelta(days=5), until=began + timedelta(days=65))
    with CaptureQueriesContext(connection) as asked:
        assert len(page(wanted).events) == 50
    explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{explain} {asked[-1]['sql']}")
        plan = "\n".join(str(line[-1]) for line in cursor.fetchall())
    assert "audit_by_time" not in plan, plan
    assert not any(word in plan for word in ("Sort", "TEMP B-TREE", "Seq Scan")), plan
