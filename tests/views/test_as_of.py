"""As of a moment: who held which key then, and what it could do; and how that is proved."""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from portal.audit import verify
from portal.models import Action, AuditEvent, User
from tests.audit_log import tell

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
NOON = datetime(2026, 11, 12, 12, 0, tzinfo=UTC)


@pytest.fixture
def log(sign_in: Callable[[User], Client], auditor: User) -> Client:
    return sign_in(auditor)


def about(name: str, **more: Any) -> dict[str, Any]:
    values = {
        "team": "platform",
        "token_id": uuid.uuid5(uuid.NAMESPACE_DNS, name),
        "token_name": name,
        "owner": "engineer@example.com",
        "workspace": "g-00000000a1",
        "workspace_name": "observability",
        "service_account": "3",
        "service_account_name": "provisioner",
        "grafana_role": "ADMIN",
        "seconds_to_live": 7 * 86_400,
    }
    return values | more


@pytest.fixture
def history() -> None:
    """Around noon of the twelfth: what had ended, what lived, what was to come."""
    ended, alive, admins = about("ended"), about("alive"), about("viewer", grafana_role="VIEWER")
    for one in (ended, alive, admins):
        tell(Action.TOKEN_ISSUED, at=NOON - 2 * DAY, **one)
        tell(Action.TOKEN_DELIVERED, at=NOON - 2 * DAY, actor="engineer@example.com", **one)
    tell(Action.TOKEN_ISSUED, at=NOON - 9 * DAY, **about("over-by-its-time"))
    tell(Action.TOKEN_REVOKED, at=NOON - DAY, **ended)
    ending = about("ending", grafana_role="EDITOR", team="mobile", owner="outsider@example.com")
    tell(Action.TOKEN_ISSUED, at=NOON - DAY, **ending)
    tell(Action.TOKEN_REVOKE_REQUESTED, at=NOON - timedelta(minutes=1), **ending)
    # What came afterwards changes nothing of that.
    tell(Action.ACCESS_CHANGED, at=NOON + DAY, **(alive | {"owner": "heir@example.com"}))
    tell(Action.TOKEN_REVOKED, at=NOON + DAY, **ending)
    tell(Action.TOKEN_ISSUED, at=NOON + DAY, **about("later"))


def names(answer: Any) -> list[str]:
    return [one.event.token_name for one in answer.context["held"]]


@pytest.mark.usefixtures("history")
def test_a_moment_lists_what_was_alive_then_and_whose_it_was(log: Client) -> None:
    answer = log.get("/audit/", {"as_of": "2026-11-12T12:00"})
    assert names(answer) == ["alive", "ending", "viewer"]
    alive, ending, _ = answer.context["held"]
    assert (alive.event.owner, alive.recipient) == ("engineer@example.com",) * 2
    assert (ending.is_ending, ending.recipient) == (True, "")
    page = answer.content.decode()
    for words in ("3 tokens alive at", "engineer@", "being revoked"):
        assert words in page
    assert "heir@" not in page
    assert names(log.get("/audit/", {"as_of": "2026-11-14"})) == ["alive", "later", "viewer"]
    assert log.get("/audit/", {"as_of": "2026-11-14"}).context["held"][0].event.owner == (
        "heir@example.com"
    )


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"role": "ADMIN"}, ["alive"]),
        ({"team": "mobile"}, ["ending"]),
        ({"actor": "outsider@example.com"}, ["ending"]),
        ({"q": "LIV"}, ["alive"]),
        ({"service_account": "provisioner"}, ["alive", "ending", "viewer"]),
        ({"service_account": "3", "workspace": "g-00000000a1"}, ["alive", "ending", "viewer"]),
        ({"service_account": "4"}, []),
    ],
)
def test_it_is_filtered_like_events(
    log: Client, rows: object, asked: dict[str, str], found: list[str]
) -> None:
    assert names(log.get("/audit/", {"as_of": "2026-11-12T12:00", **asked})) == found


@pytest.mark.usefixtures("history")
def test_events_are_filtered_by_role_and_by_an_accounts_name(log: Client, rows: object) -> None:
    answer = log.get("/audit/", {"role": "EDITOR"})
    assert {one.token_name for one in answer.context["page"].events} == {"ending"}
    page = answer.content.decode()
    assert 'data-label="Role"><span class="badge role role-editor">EDITOR</span>' in page
    assert "asked to revoke a token <code>token.revoke_requested</code></a>" in page
    answer = log.get("/audit/", {"service_account": "Provisioner"})
    assert len(answer.context["page"].events) == AuditEvent.objects.exclude(team="").count()
    assert log.get("/audit/", {"service_account": "nobody"}).context["page"].events == []


@pytest.mark.usefixtures("history")
def test_its_file_is_verified_on_another_machine(log: Client, tmp_path: Path) -> None:
    answer = log.get("/audit/as-of.jsonl", {"as_of": "2026-11-12T12:00", "role": "ADMIN"})
    file = tmp_path / "audit.jsonl"
    file.write_bytes(answer.getvalue())
    *told, trailer = map(json.loads, file.read_text().splitlines())
    assert [(one["token_name"], one["action"]) for one in told] == [
        ("alive", "token.issued"),
        ("alive", "token.delivered"),
    ]
    assert trailer["trailer"]["filter"] == {"role": "ADMIN", "as_of": "2026-11-12T12:00:00Z"}
    done = subprocess.run(
        [sys.executable, str(verify.__file__), str(file)],
        env={"AUDIT_KEY": settings.AUDIT_KEY},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    event = AuditEvent.objects.latest("seq")
    assert (event.action, event.count) == (Action.AUDIT_EXPORTED, 1)
    assert event.subject.startswith("as-of.jsonl?")


@pytest.mark.usefixtures("history")
def test_its_page_to_print_says_where_the_log_stood_and_how_to_verify_it(log: Client) -> None:
    page = log.get("/audit/as-of.html", {"as_of": "2026-11-12T12:00"}).content.decode()
    event = AuditEvent.objects.latest("seq")
    for words in (f"event {event.seq}", event.hash, "3 tokens alive at 2026-11-12 12:00:00 UTC"):
        assert words in page


@pytest.mark.parametrize("path", ["/audit/as-of.html", "/audit/as-of.jsonl"])
def test_without_a_moment_it_says_what_is_missing(log: Client, path: str) -> None:
    answer = log.get(path)
    assert (answer.status_code, b"This field is required" in answer.content) == (422, True)


def test_nobody_asks_for_what_is_to_come(log: Client) -> None:
    answer = log.get("/audit/", {"as_of": "2999-01-01"})
    assert answer.status_code == 422
    assert "Nobody knows yet what will be alive then." in answer.content.decode()


@pytest.mark.parametrize("path", ["/audit/?as_of=12h", "/audit/as-of.html", "/audit/as-of.jsonl"])
def test_others_than_auditors_may_not_ask(
    path: str, engineer: User, sign_in: Callable[[User], Client]
) -> None:
    assert sign_in(engineer).get(path).status_code == 403


def test_yesterday_is_a_day(log: Client) -> None:
    for asked in ({"since": "yesterday"}, {"since": "Yesterday", "until": "today"}):
        assert log.get("/audit/", asked).status_code == 200


def test_whoever_only_asks_for_the_head_of_the_evidence_leaves_no_event(
    log: Client,
) -> None:
    answer = log.head("/audit/as-of.html", {"as_of": "2026-11-12T12:00"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert not AuditEvent.objects.filter(action=Action.AUDIT_EXPORTED).exists()
