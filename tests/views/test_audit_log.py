"""The audit log's page: who may read it, what its filters find, and how one turns its pages."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from portal.models import Action, AuditEvent, Outcome, State, Token, User
from portal.reading import events
from portal.reading.events import page
from portal.reading.filters import Filter
from tests.audit_log import tell
from tests.conftest import Catalog

pytestmark = pytest.mark.django_db

TOKEN = uuid.UUID("0b7cb5c6-5cf1-4c0e-8d53-0f4f1c9a7d11")
NOON = datetime(2024, 11, 23, 12, tzinfo=UTC)
PAGES = (
    "/audit/",
    "/audit/charts/",
    "/audit/suggestions/",
    "/audit/export.csv",
    "/audit/export.jsonl",
    "/audit/events/1/",
    f"/audit/tokens/{TOKEN}/",
)


@pytest.fixture
def log(sign_in: Callable[[User], Client], auditor: User) -> Client:
    """A browser in which the auditor is signed in."""
    return sign_in(auditor)


@pytest.fixture
def week() -> dict[str, AuditEvent]:
    """One token of each team, from request to end, a day apart."""
    platform: dict[str, Any] = {
        "team": "platform",
        "token_id": TOKEN,
        "token_name": "ci-deploy",
        "owner": "engineer@example.com",
        "workspace": "g-00000000a1",
        "workspace_name": "observability",
        "service_account": "2",
        "service_account_name": "deployer",
        "aws_token_id": "17",
    }
    mobile: dict[str, Any] = {
        "team": "mobile",
        "token_id": uuid.uuid4(),
        "token_name": "CI-app",
        "owner": "outsider@example.com",
        "workspace": "g-00000000b2",
        "service_account": "2",
    }
    return {
        "asked": tell(Action.TOKEN_REQUESTED, at=NOON, actor="engineer@example.com", **platform),
        "issued": tell(
            Action.TOKEN_ISSUED, at=NOON + timedelta(days=1), aws_request_id="5b1c-aws", **platform
        ),
        "theirs": tell(
            Action.TOKEN_FAILED,
            at=NOON + timedelta(days=2),
            outcome=Outcome.FAILED,
            error_code="AccessDeniedException",
            **mobile,
        ),
        "revoked": tell(
            Action.TOKEN_REVOKED, at=NOON + timedelta(days=3), actor="lead@example.com", **platform
        ),
        "guessed": tell(
            Action.SIGNIN_FAILED,
            at=NOON + timedelta(days=4),
            outcome=Outcome.FAILED,
            actor="unknown",
            address="192.0.2.9",
        ),
    }


def shown(html: bytes | str) -> list[int]:
    """The numbers of the events on a page, in its order."""
    text = html.decode() if isinstance(html, bytes) else html
    return [int(seq) for seq in re.findall(r'scope="row"><a href="/audit/events/(\d+)/"', text)]


# -- Who ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", PAGES)
@pytest.mark.parametrize("who", ["engineer", "teammate", "lead", "outsider"])
def test_only_auditors_and_admins_may_read_the_log(
    week: dict[str, AuditEvent],
    sign_in: Callable[[User], Client],
    request: pytest.FixtureRequest,
    who: str,
    url: str,
) -> None:
    before = AuditEvent.objects.count()
    answer = sign_in(request.getfixturevalue(who)).get(url)
    assert answer.status_code == 403
    assert b"auditors and admins" in answer.content
    assert b"ci-deploy" not in answer.content
    assert AuditEvent.objects.count() == before, "nothing was exported"


@pytest.mark.parametrize("url", PAGES)
@pytest.mark.parametrize("who", ["auditor", "admin"])
def test_auditors_and_admins_may(
    week: dict[str, AuditEvent],
    sign_in: Callable[[User], Client],
    request: pytest.FixtureRequest,
    who: str,
    url: str,
) -> None:
    user: User = request.getfixturevalue(who)
    url = url.replace("/1/", f"/{week['asked'].seq}/")
    assert sign_in(user).get(url).status_code == 200


@pytest.mark.parametrize("url", PAGES)
def test_the_anonymous_are_sent_to_sign_in(db: None, url: str) -> None:
    answer = Client().get(url)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize(
    ("who", "links"),
    [("auditor", True), ("admin", True), ("lead", False), ("engineer", False)],
)
def test_the_navigation_leads_to_the_log_whoever_may_read_it(
    sign_in: Callable[[User], Client], request: pytest.FixtureRequest, who: str, links: bool
) -> None:
    answer = sign_in(request.getfixturevalue(who)).get("/tokens/")
    assert (b'href="/audit/"' in answer.content) is links


# -- Filters ------------------------------------------------------------------------------------

FOUND = {
    "": ["asked", "issued", "theirs", "revoked", "guessed"],
    "q=ci-": ["asked", "issued", "revoked"],
    "q=CI-": ["theirs"],
    "q=deploy": [],
    "q=ci-%25": [],
    "q=ci_": [],
    f"q={TOKEN}": ["asked", "issued", "revoked"],
    "q=17": ["asked", "issued", "revoked"],
    "q=5b1c-aws": ["issued"],
    "q=5b1c": [],
    "q=g-00000000b2": ["theirs"],
    "q=engin": ["asked", "issued", "revoked"],
    "q=Grace": ["asked", "issued", "revoked"],
    "q=outsider@example.com": ["theirs"],
    "q=left@example.com": [],
    "actor=ENGINEER@example.com": ["asked"],
    "actor=unknown": ["guessed"],
    "actor=portal": ["issued", "theirs"],
    "team=mobile": ["theirs"],
    "workspace=g-00000000a1": ["asked", "issued", "revoked"],
    "service_account=2": ["asked", "issued", "theirs", "revoked"],
    "service_account=2&workspace=g-00000000b2": ["theirs"],
    "action=token.revoked": ["revoked"],
    "outcome=failed": ["theirs", "guessed"],
    "outcome=failed&team=mobile": ["theirs"],
    "since=2024-11-25": ["theirs", "revoked", "guessed"],
    "until=2024-11-24": ["asked", "issued"],
    "since=2024-11-24T12:00&until=2024-11-25T12:00:00Z": ["issued"],
    "since=2024-11-24T13:00%2B01:00&until=2024-11-25T12:00:01Z": ["issued", "theirs"],
    "since=2024-11-24T13:00+01:00&until=2024-11-24": ["issued"],
    "q=ci-&actor=lead@example.com&team=platform&since=2024-11-26&outcome=succeeded": ["revoked"],
    "q=ci-&team=mobile": [],
    "unknown=1": ["asked", "issued", "theirs", "revoked", "guessed"],
}


@pytest.mark.parametrize(("query", "expected"), FOUND.items())
def test_filters_find(
    week: dict[str, AuditEvent], log: Client, engineer: User, query: str, expected: list[str]
) -> None:
    User.objects.filter(pk=engineer.pk).update(name="Grace Example")
    answer = log.get(f"/audit/?{query}")
    assert answer.status_code == 200
    assert shown(answer.content) == [week[name].seq for name in reversed(expected)]


def test_an_event_is_found_by_its_number(week: dict[str, AuditEvent], log: Client) -> None:
    seq = week["theirs"].seq
    assert seq in shown(log.get(f"/audit/?q=%23{seq}").content)


def test_how_long_ago_is_a_filter_that_stays_true(week: dict[str, AuditEvent], log: Client) -> None:
    now = timezone.now()
    recent = [
        tell(Action.CATALOG_SYNCED, at=now - timedelta(hours=hours)).seq for hours in (50, 30, 1)
    ]
    assert shown(log.get("/audit/?since=12h").content) == recent[2:]
    answer = log.get("/audit/?since=2d&action=catalog.synced")
    assert shown(answer.content) == recent[:0:-1]
    assert b"export.csv?action=catalog.synced&amp;since=2d" in answer.content


BAD = {
    "since=some-day": "since",
    "since=2026-02-30": "since",
    "until=2024-11-23T25:00": "until",
    "since=99999d": "since",
    "since=2024-11-24&until=2024-11-23": "until",
    "action=token.eaten": "action",
    "outcome=maybe": "outcome",
    f"team={'t' * 65}": "team",
    f"q={'q' * 129}": "q",
    "q=%00": "q",
    f"q={'ab' * 32}": "q",
}


@pytest.mark.parametrize(("query", "field"), BAD.items())
def test_a_bad_filter_is_said_beside_its_field_and_nothing_typed_is_lost(
    week: dict[str, AuditEvent], log: Client, query: str, field: str
) -> None:
    answer = log.get(f"/audit/?{query}&actor=lead@example.com")
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {field}
    html = answer.content.decode()
    assert f'id="id_{field}_error"' in html
    assert 'value="lead@example.com"' in html
    value = query.split("&")[-1].partition("=")[2]
    assert value == "%00" or value in html
    assert shown(html) == []
    for kind in ("charts/", "export.csv", "export.jsonl"):
        assert log.get(f"/audit/{kind}?{query}").status_code == 422
    assert not AuditEvent.objects.filter(action=Action.AUDIT_EXPORTED).exists()


def test_a_key_that_is_searched_for_is_refused_and_not_shown(log: Client) -> None:
    key = f"glsa_{'k' * 32}_00000000"
    answer = log.get(f"/audit/?q={key}")
    assert answer.status_code == 422
    assert b"Revoke this token" in answer.content
    assert key.encode() not in answer.content


def test_a_text_that_fits_very_many_people_asks_for_more_of_it(log: Client) -> None:
    User.objects.bulk_create(User(email=f"person-{n}@example.net") for n in range(201))
    for query in ("", "q=", "q=person-1"):
        assert log.get(f"/audit/?{query}").status_code == 200
    answer = log.get("/audit/?q=example.net")
    assert answer.status_code == 422
    assert b"more than 200 people" in answer.content
    assert log.get("/audit/").status_code == 200, "nothing is searched for"


def test_what_is_gone_can_still_be_filtered_and_stays_chosen(
    log: Client, week: dict[str, AuditEvent]
) -> None:
    """Team mobile and both workspaces have no row here."""
    answer = log.get("/audit/?team=mobile&workspace=g-00000000b2")
    assert shown(answer.content) == [week["theirs"].seq]
    assert answer.content.count(b'value="mobile" selected') == 1
    assert answer.content.count(b'value="g-00000000b2" selected') == 1


def test_who_typed_markup_sees_it_as_text(log: Client) -> None:
    tell(Action.TOKEN_REVOKE_REQUESTED, reason="<script>alert(1)</script>")
    answer = log.get('/audit/?q="><script>alert(2)</script>')
    assert b"<script>alert" not in answer.content
    assert b"<script>alert" not in log.get("/audit/").content


@pytest.mark.parametrize("note", ["error_code", "reason", "subject"])
def test_whatever_an_event_says_is_text_in_its_row(log: Client, note: str) -> None:
    """The rows are no template: nothing but their code escapes what stands in them."""
    said: dict[str, Any] = {
        "action": "<b>action",
        "actor": "<b>a@b",
        "outcome": "<b>bad",
        "team": "<b>team",
        "token_name": "<b>token'",
        "owner": '<b>"owner@example.com',
        "workspace_name": "<b>workspace&amp;",
        "service_account_name": "<b>account",
        note: "<b>note",
    }
    tell(token_id=TOKEN, workspace="g-00000000a1", **said)
    html = log.get("/audit/").content.decode()
    assert "<b>" not in html
    for text in said.values():
        assert escape(text).replace("@", "@<wbr>") in html, text


def test_suggestions_name_people_and_accounts(
    log: Client, engineer: User, catalog: Catalog
) -> None:
    User.objects.create_user('"><i>@example.com', None)
    html = log.get("/audit/suggestions/").content.decode()
    people, accounts = html.split("</datalist>")[:2]
    offered = re.findall(r'<option value="([^"]*)">', people)
    assert {"portal", "unknown", engineer.email, escape('"><i>@example.com')} <= set(offered)
    assert '<option value="2">deployer in observability</option>' in accounts
    assert "<i>" not in html


def test_no_more_than_three_hundred_are_suggested(log: Client) -> None:
    User.objects.bulk_create([User(email=f"p{n}@example.com", password="!") for n in range(310)])
    assert log.get("/audit/suggestions/").content.count(b"@example.com") == 300


# -- Pages --------------------------------------------------------------------------------------


@pytest.fixture
def many() -> list[int]:
    """The numbers of 120 events, newest first."""
    return [tell(Action.CATALOG_SYNCED).seq for _ in range(120)][::-1]


def links(html: bytes) -> dict[str, str]:
    found = re.findall(rb'<a rel="(prev|next)" href="([^"]+)"', html)
    return {rel.decode(): href.decode().replace("&amp;", "&") for rel, href in found}


def test_pages_are_turned_there_and_back(log: Client, many: list[int]) -> None:
    first = log.get("/audit/?action=catalog.synced")
    assert shown(first.content) == many[:50]
    assert set(links(first.content)) == {"next"}
    second = log.get("/audit/" + links(first.content)["next"])
    assert shown(second.content) == many[50:100]
    third = log.get("/audit/" + links(second.content)["next"])
    assert shown(third.content) == many[100:]
    assert set(links(third.content)) == {"prev"}
    back = log.get("/audit/" + links(third.content)["prev"])
    assert shown(back.content) == many[50:100]
    again = log.get("/audit/" + links(back.content)["prev"])
    assert shown(again.content) == many[:50]
    assert set(links(again.content)) == {"next"}


def test_a_page_stands_still_while_events_are_written(log: Client, many: list[int]) -> None:
    url = f"/audit/?before={many[49]}"
    before = shown(log.get(url).content)
    tell(Action.CATALOG_SYNCED)
    assert shown(log.get(url).content) == before == many[50:100]


@pytest.mark.parametrize("near", [1, 40, 5000])
def test_the_pages_of_a_search_hold_every_event_once(
    log: Client, monkeypatch: pytest.MonkeyPatch, near: int
) -> None:
    """An event may match by its name, by who did it and by whose token it is, all at once; and by
    its name among the nearest events, or only far away."""
    monkeypatch.setattr(events, "NEAR", near)
    person = User.objects.create_user("ci-bot@example.com")
    told = [
        tell(
            Action.TOKEN_REQUESTED,
            actor=person.email if n % 2 else "portal",
            owner=person.email if n % 3 else "",
            token_id=TOKEN,
            token_name="ci-bot" if n % 5 else "else",
        )
        for n in range(130)
    ]
    expected = [
        event.seq
        for event in told
        if person.email in (event.actor, event.owner) or event.token_name == "ci-bot"
    ][::-1]
    wanted = Filter(q="ci-b")
    found = page(wanted, size=20)
    seen = [event.seq for event in found.events]
    while found.before is not None:
        found = page(wanted, before=found.before, size=20)
        seen += [event.seq for event in found.events]
    assert seen == expected
    while found.after is not None:
        found = page(wanted, after=found.after, size=20)
        back = [event.seq for event in found.events]
        assert back == seen[seen.index(back[0]) :][: len(back)]
    assert back[0] == expected[0]


@pytest.mark.parametrize("cursor", ["before=x", "after=-1", "before=1.5", "after=9" + "9" * 30])
def test_a_place_that_is_no_number_does_not_exist(log: Client, cursor: str) -> None:
    assert log.get(f"/audit/?{cursor}").status_code == 404


def test_beyond_the_last_page_the_log_says_so(log: Client, week: dict[str, AuditEvent]) -> None:
    answer = log.get(f"/audit/?before={week['asked'].seq}")
    assert b"No event matches" in answer.content


def test_a_range_is_found_though_times_are_not_quite_in_order(log: Client) -> None:
    """Before there was a chain, an event's time was that of its transaction's begin."""
    told = [
        tell(Action.CATALOG_SYNCED, at=NOON + timedelta(seconds=seconds))
        for seconds in (0, 300, 60, 330, 120, 540, 240, 600)
    ]
    wanted = Filter(since=NOON + timedelta(seconds=90), until=NOON + timedelta(seconds=360))
    expected = [event.seq for event in told if wanted.since <= event.at < wanted.until]  # type: ignore[operator]
    assert [event.seq for event in page(wanted).events] == expected[::-1]


def test_a_page_costs_the_same_queries_for_many_events(
    log: Client, many: list[int], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with CaptureQueriesContext(connection) as few:
        assert len(shown(log.get(f"/audit/?after={many[1]}").content)) == 1
    with django_assert_num_queries(len(few)):
        assert len(shown(log.get("/audit/?action=catalog.synced").content)) == 50


# -- One event, one story -----------------------------------------------------------------------


def test_an_event_opens_to_everything_known(week: dict[str, AuditEvent], log: Client) -> None:
    event = tell(
        Action.TOKEN_REVOKE_REQUESTED,
        actor="lead@example.com",
        actor_id=4,
        address="192.0.2.7",
        user_agent="a <browser>",
        team="platform",
        team_id=3,
        token_id=TOKEN,
        token_name="ci-deploy",
        owner="engineer@example.com",
        workspace="g-00000000a1",
        workspace_name="observability",
        service_account="2",
        service_account_name="deployer",
        grafana_role="EDITOR",
        seconds_to_live=3600,
        attempt=7,
        aws_token_id="17",
        aws_request_id="5b1c-aws",
        fingerprint="f" * 64,
        error_code="SomeException",
        reason="it <leaked>",
        subject="what it was about",
        count=12345,
    )
    html = log.get(f"/audit/events/{event.seq}/").content.decode()
    for said in (
        *("token.revoke_requested", "lead@example.com", "192.0.2.7", "a &lt;browser&gt;"),
        *("platform", str(TOKEN), "ci-deploy", "engineer@example.com", "g-00000000a1"),
        *("observability", "deployer", "EDITOR", "1 hour", "17", "5b1c-aws", "f" * 64),
        *("SomeException", "it &lt;leaked&gt;", "what it was about", "12345"),
        *(event.hash, event.prev_hash, event.key_id, f"/audit/tokens/{TOKEN}/"),
    ):
        assert said in html, said


@pytest.mark.parametrize("seq", [0, 999_999, 2**63, 10**30])
def test_an_event_that_is_none_does_not_exist(log: Client, seq: int) -> None:
    assert log.get(f"/audit/events/{seq}/").status_code == 404


def test_a_tokens_story_runs_from_its_request_to_its_end(
    week: dict[str, AuditEvent], log: Client
) -> None:
    answer = log.get(f"/audit/tokens/{TOKEN}/")
    told = [event.seq for event in answer.context["events"]]
    assert told == [week[name].seq for name in ("asked", "issued", "revoked")]
    assert b"token.failed" not in answer.content
    assert b"no record of this token any more" in answer.content


def test_a_story_includes_what_the_token_replaces_and_what_replaces_it(
    log: Client, make_token: Callable[..., Token], engineer: User
) -> None:
    first = make_token(engineer, name="ci-deploy")
    second = make_token(engineer, name="ci-deploy-2", replaces=first)
    failed = make_token(engineer, name="ci-deploy-3", replaces=second, state=State.FAILED)
    third = make_token(engineer, name="ci-deploy-4", replaces=second)
    other = make_token(engineer, name="ci-other")
    told = [
        tell(Action.TOKEN_REQUESTED, token_id=token.pk, token_name=token.name).seq
        for token in (first, second, other, failed, third)
    ]
    del told[2]
    for token in (first, second, third):
        answer = log.get(f"/audit/tokens/{token.pk}/")
        assert [event.seq for event in answer.context["events"]] == told
        assert answer.content.count(b">this token<") == 1
        assert b"ci-other" not in answer.content


def test_a_token_without_events_has_no_story(log: Client) -> None:
    assert log.get(f"/audit/tokens/{uuid.uuid4()}/").status_code == 404
