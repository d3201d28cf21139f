"""Exports: exactly the filter, safe in a spreadsheet, and themselves an event."""

import csv
import io
import json
import unicodedata
import uuid
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from portal.audit import verify
from portal.models import Action, AuditEvent, Outcome, User
from portal.reading.events import count_up_to, page, stream
from portal.reading.filters import Filter
from portal.views import spreadsheet
from tests.audit_log import tell

pytestmark = pytest.mark.django_db

PROMISED = {
    *("seq", "at", "action", "outcome", "actor", "team", "token", "token_name", "workspace"),
    *("service_account", "aws_request_id", "prev_hash", "hash"),
}


@pytest.fixture
def log(sign_in: Callable[[User], Client], auditor: User) -> Client:
    return sign_in(auditor)


def download(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    assert answer.streaming
    return b"".join(answer).decode()


def as_json(text: str) -> tuple[list[dict[str, object]], dict[str, object]]:
    """The events of a JSON Lines export, and its trailer."""
    *events, last = [json.loads(line) for line in text.splitlines()]
    return events, last["trailer"]


def as_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def some(count: int = 3, **columns: Any) -> list[AuditEvent]:
    return [
        tell(Action.TOKEN_REQUESTED, token_id=uuid.uuid4(), token_name=f"ci-{n}", **columns)
        for n in range(count)
    ]


# -- What is in it ------------------------------------------------------------------------------


def test_an_unfiltered_export_is_the_whole_chain_up_to_the_event_that_tells_of_it(
    log: Client, auditor: User
) -> None:
    some()
    events, trailer = as_json(download(log, "/audit/export.jsonl"))
    told = AuditEvent.objects.order_by("seq")
    assert [event["hash"] for event in events] == [event.hash for event in told]
    assert [event["seq"] for event in events] == list(range(1, len(told) + 1))
    last = events[-1]
    assert (last["action"], last["actor"]) == ("audit.exported", auditor.email)
    assert trailer["filter"] == {}
    assert trailer["count"] == len(events)
    assert trailer["head"] == {"seq": last["seq"], "hash": last["hash"]}
    for event in events:
        assert set(event) >= PROMISED


def test_every_line_carries_the_text_that_its_hash_covers(log: Client) -> None:
    some(1, team="platform", reason='with "quotes", and ünïcode')
    line, *_ = download(log, "/audit/export.jsonl").splitlines()
    event = AuditEvent.objects.earliest("seq")
    text = "{" + line.partition(f'"hash":"{event.hash}",')[2]
    assert text == event.text
    key = settings.AUDIT_KEY.encode()
    assert verify.event_hash(key, event.prev_hash.encode(), text.encode()) == event.hash


def test_the_trailer_is_signed_and_counts_what_was_filtered(log: Client) -> None:
    mobile = some(2, team="mobile")
    some(2, team="platform")
    text = download(log, "/audit/export.jsonl?team=mobile&since=30d")
    events, trailer = as_json(text)
    assert [event["seq"] for event in events] == [event.seq for event in mobile]
    assert trailer["count"] == 2
    asked = trailer["filter"]
    assert isinstance(asked, dict)
    assert set(asked) == {"team", "since"}
    assert asked["since"].endswith("Z"), "a moment, not how long ago"
    assert trailer["digest"] == sha256("".join(e.hash for e in mobile).encode()).hexdigest()
    said = text.splitlines()[-1]
    signed = said.removeprefix('{"trailer":').rpartition(',"signature":')[0]
    signature = verify.signature(settings.AUDIT_KEY.encode(), signed.encode())
    assert json.loads(said)["signature"] == signature


QUERIES = [
    "",
    "team=platform",
    "q=ci-1",
    "q=engineer",
    "outcome=failed",
    "action=token.requested&team=platform&outcome=failed",
    "since=2d&until=1h",
]


@pytest.mark.parametrize("query", QUERIES)
def test_page_csv_and_json_lines_hold_the_same_events(
    log: Client, engineer: User, query: str
) -> None:
    now = timezone.now()
    for n in range(12):
        tell(
            Action.TOKEN_REQUESTED if n % 2 else Action.TOKEN_REVOKED,
            at=now - timedelta(hours=60 - 5 * n),
            team="platform" if n % 3 else "mobile",
            outcome=Outcome.FAILED if n % 4 else Outcome.SUCCEEDED,
            actor=engineer.email if n % 5 else "portal",
            token_id=uuid.uuid4(),
            token_name=f"ci-{n}",
        )
    answer = log.get(f"/audit/?{query}")
    expected = [event.seq for event in answer.context["page"].events][::-1]
    events, _ = as_json(download(log, f"/audit/export.jsonl?{query}"))
    own = {e.seq for e in AuditEvent.objects.filter(action=Action.AUDIT_EXPORTED)}
    assert [event["seq"] for event in events if event["seq"] not in own] == expected
    rows = as_rows(download(log, f"/audit/export.csv?{query}"))
    own = {e.seq for e in AuditEvent.objects.filter(action=Action.AUDIT_EXPORTED)}
    assert [int(row["seq"]) for row in rows if int(row["seq"]) not in own] == expected
    assert 0 < len(expected) <= 12


def test_the_csv_says_what_the_json_lines_say(log: Client) -> None:
    event = tell(
        Action.TOKEN_REVOKED,
        token_id=uuid.uuid4(),
        actor="lead@example.com",
        address="192.0.2.7",
        count=5,
        reason='a "quoted", reason\nof two lines',
        workspace="g-00000000a1",
    )
    row, *_ = as_rows(download(log, "/audit/export.csv"))
    told, *_ = as_json(download(log, "/audit/export.jsonl"))[0]
    for name, value in row.items():
        assert value == ("" if told[name] is None else str(told[name])), name
    assert set(row) == set(told) - {"format", "key_id"}
    assert row["hash"] == event.hash


SEPARATORS = (",", ";", "\t", "|", " ")
TRICKS = (
    "x;=cmd|'/C calc'!A0",
    " =1+1",
    "\t=1+1",
    "x\t-1",
    "x\n+1",
    "\u00a0@SUM(1)",
    "\N{FULLWIDTH EQUALS SIGN}1+1",
    "\N{FULLWIDTH PLUS SIGN}1",
    "\N{FULLWIDTH HYPHEN-MINUS}1",
    "x; \N{FULLWIDTH COMMERCIAL AT}SUM(1)",
    "\u200b=1",
    "\ufeff=1",
    'x;"=1+1"',
    '"=1+1',
    "x\u2028=1",
    "a, -5",
    "run it with -v",
    "\N{MINUS SIGN}1",
)


@pytest.mark.parametrize("trick", TRICKS)
def test_no_cell_is_a_formula_whatever_a_spreadsheet_takes_for_a_separator(
    log: Client, trick: str
) -> None:
    tell(Action.TOKEN_REQUESTED, token_name=trick[:128], reason=trick, user_agent=trick)
    text = download(log, "/audit/export.csv")
    for separator in SEPARATORS:
        quoted = csv.reader(io.StringIO(text), delimiter=separator)
        unquoted = csv.reader(io.StringIO(text), delimiter=separator, quoting=csv.QUOTE_NONE)
        for cell in (cell for row in (*quoted, *unquoted) for cell in row):
            seen = "".join(one for one in cell if one.isprintable()).lstrip(' "')
            sign = unicodedata.normalize("NFKC", seen[:1])
            is_formula = sign in ("=", "+", "-", "@", "\u2212") and len(seen) > 1
            assert not is_formula, (separator, cell)


@pytest.mark.parametrize(
    "plain",
    [
        "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        "~ grant of platform for observability / deployer: max_ttl 7d → 30d",
        "2026-11-23T14:30:00Z",
        "jsonl?q=ci-&team=mobile",
        "engineer@example.com",
        "ci - nightly; a=b",
        "",
    ],
)
def test_what_is_no_formula_stays_as_it_is(plain: str) -> None:
    assert spreadsheet.cell(plain) == plain


def test_a_double_click_opens_it_in_the_right_letters(log: Client) -> None:
    tell(Action.TOKEN_REQUESTED, token_name="Größe 監視")
    content = b"".join(log.get("/audit/export.csv"))
    assert content.startswith(b"\xef\xbb\xbfseq,at,")
    assert content.count(b"\xef\xbb\xbf") == 1
    assert "Größe 監視" in content.decode("utf-8-sig")
    assert not b"".join(log.get("/audit/export.jsonl")).startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_a_formula(log: Client, start: str) -> None:
    tell(Action.TOKEN_REQUESTED, token_name=f"{start}HYPERLINK(1)", reason=f'{start}1+"1"', count=3)
    row, *_ = as_rows(download(log, "/audit/export.csv"))
    assert row["token_name"] == f"'{start}HYPERLINK(1)"
    assert row["reason"] == f'\'{start}1+"1"'
    assert row["count"] == "3"
    for cell in row.values():
        assert not cell.startswith(start)


def test_downloads_are_named_and_are_kept_by_no_cache(log: Client) -> None:
    for kind, content_type in (("csv", "text/csv; charset=utf-8"), ("jsonl", "application/jsonl")):
        answer = log.get(f"/audit/export.{kind}")
        assert answer.headers["Content-Type"] == content_type
        assert answer.headers["Content-Disposition"] == f'attachment; filename="audit.{kind}"'
        assert "no-store" in answer.headers["Cache-Control"]
        b"".join(answer)


# -- That it was done ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_export_is_an_event_before_its_first_line_is_read(
    log: Client, auditor: User, kind: str
) -> None:
    some(3, team="mobile")
    answer = log.get(f"/audit/export.{kind}?team=mobile&q=ci-", headers={"user-agent": "a browser"})
    event = AuditEvent.objects.get(action=Action.AUDIT_EXPORTED)
    assert (event.actor, event.address, event.user_agent) == (
        auditor.email,
        "127.0.0.1",
        "a browser",
    )
    assert event.subject == f"{kind}?q=ci-&team=mobile"
    assert event.count == 3
    b"".join(answer)


def test_asking_for_the_headers_alone_exports_nothing(log: Client) -> None:
    for kind in ("csv", "jsonl"):
        answer = log.head(f"/audit/export.{kind}")
        assert answer.status_code == 200
        assert "attachment" in answer.headers["Content-Disposition"]
    assert not AuditEvent.objects.exists()


def test_what_happens_while_an_export_is_read_is_not_in_it(log: Client) -> None:
    some(2)
    answer = log.get("/audit/export.jsonl")
    later = tell(Action.CATALOG_SYNCED)
    events, trailer = as_json(b"".join(answer).decode())
    assert later.seq not in [event["seq"] for event in events]
    assert trailer["count"] == len(events) == later.seq - 1


def test_only_so_many_events_are_counted() -> None:
    some(5, team="mobile")
    assert count_up_to(Filter(team="mobile"), 5) == 5
    assert count_up_to(Filter(team="mobile"), 4) is None


# -- A page and the stream agree ----------------------------------------------------------------


def test_a_stream_holds_every_page_of_its_filter() -> None:
    some(30, owner="engineer@example.com")
    wanted = Filter(q="ci-1")
    streamed = [seq for (seq,) in stream(wanted, ["seq"], up_to=10_000)]
    paged: list[int] = []
    place = None
    while found := page(wanted, before=place, size=4):
        paged += [event.seq for event in found.events]
        place = found.before
        if place is None:
            break
    assert streamed == paged[::-1]
    assert len(streamed) == 11
