"""Whatever is searched for, an index answers: no question reads the log from end to end."""

import pytest
from django.db import connection

from portal.models import AuditEvent, User
from portal.reading.filters import Filter

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
