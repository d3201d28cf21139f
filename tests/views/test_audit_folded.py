"""Sign-ins that follow one another share a row of the log's page, and nowhere else."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from portal import audit
from portal.models import Action, AuditEvent, User
from tests.conftest import acting

pytestmark = pytest.mark.django_db

SignIn = Callable[[User], Client]
EVENT = re.compile(r"/audit/events/(\d+)/")


@pytest.fixture
def reader(auditor: User, sign_in: SignIn) -> Client:
    return sign_in(auditor)


def signed_in(person: User, count: int) -> list[AuditEvent]:
    who = acting(person)
    return [audit.record(Action.SIGNIN_SUCCEEDED, actor=who) for _ in range(count)]


def table(reader: Client, query: str = "") -> list[str]:
    """The rows of the page's table, newest first."""
    html = reader.get(f"/audit/{query}").content.decode()
    return html.partition("<tbody>")[2].partition("</tbody>")[0].split("</tr>")[:-1]


def test_sign_ins_of_one_person_are_one_row_that_opens_to_each_of_them(
    reader: Client, engineer: User, lead: User
) -> None:
    first = signed_in(engineer, 3)
    between = signed_in(lead, 1)
    last = signed_in(engineer, 2)
    newest, alone, oldest = table(reader)[:3]
    for row, run in ((newest, last), (oldest, first)):
        assert f"<summary>{len(run)} sign-ins <code>signin.succeeded</code></summary>" in row
        assert "engineer@<wbr>example.com" in row
        assert EVENT.findall(row) == [str(event.seq) for event in reversed(run)]
    assert EVENT.findall(alone) == [str(between[0].seq)]
    assert "<details" not in alone


def test_a_fold_hides_no_event_of_a_page_and_its_pages_are_as_long_as_before(
    reader: Client, engineer: User
) -> None:
    made = [event.seq for event in signed_in(engineer, 60)]
    [page] = table(reader, "?actor=engineer@example.com")
    told = [int(seq) for seq in EVENT.findall(page)]
    assert told == made[:9:-1]
    [older] = table(reader, f"?actor=engineer@example.com&before={told[-1]}")
    assert [int(seq) for seq in EVENT.findall(older)] == made[9::-1]


def test_who_asks_for_sign_ins_sees_each_of_them_and_files_have_a_line_for_each(
    reader: Client, engineer: User
) -> None:
    signed_in(engineer, 3)
    wanted = "?actor=engineer@example.com&action=signin.succeeded"
    assert len(table(reader, wanted)) == 3
    for kind in ("csv", "jsonl"):
        file = reader.get(f"/audit/export.{kind}?actor=engineer@example.com")
        assert b"".join(file.streaming_content).count(b"signin.succeeded") == 3  # type: ignore[attr-defined]  # a stream


def test_refused_sign_ins_are_never_folded(reader: Client, engineer: User) -> None:
    for _ in range(2):
        audit.record(Action.SIGNIN_FAILED, actor=acting(engineer), error_code="x")
    assert ["<details" in row for row in table(reader)[:2]] == [False, False]
