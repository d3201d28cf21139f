"""A review of access: its file, its page, and the event that says who has reviewed what."""

import csv
import hashlib
import io
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from portal import audit
from portal.models import Action, AuditEvent, Grant, Membership, State, Token, User
from portal.views.access import reviewing
from tests.conftest import Catalog, acting
from tests.reading import words
from tests.views.conftest import Post

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(auditor: User, sign_in: Callable[[User], Client], catalog: Catalog) -> Client:
    return sign_in(auditor)


@pytest.fixture
def token(make_token: Callable[..., Token], engineer: User, lead: User) -> Token:
    later = timezone.now() + timedelta(days=2)
    return make_token(engineer, name="=ci()", state=State.ACTIVE, expires_at=later)


def file(client: Client) -> bytes:
    answer: Any = client.get("/access/review.csv")
    assert answer.status_code == 200
    return b"".join(answer.streaming_content)


def seen(client: Client) -> str:
    html = client.get("/access/review/").content.decode()
    [found] = re.findall(r'name="seen" value="([^"]+)"', html)
    return unescape(found)


def events() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=Action.ACCESS_REVIEWED).order_by("seq"))


def test_the_file_says_who_may_request_what_and_who_has_what(client: Client, token: Token) -> None:
    content = file(client)
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    kinds = {
        kind: [row for row in rows if row["kind"] == kind]
        for kind in reversed(("right", "member", "grant", "token"))
    }
    assert {row["person"] for row in kinds["member"]} >= {
        "engineer@example.com", "lead@example.com",
    }  # fmt: skip
    assert {row["role"] for row in kinds["member"]} == {"member", "lead"}
    platform = next(row for row in kinds["grant"] if row["team"] == "platform")
    assert (platform["workspace_id"], platform["account"]) == ("g-00000000a1", "every account")
    assert "max_ttl 30d" in platform["limits"]
    [held] = kinds["token"]
    assert (held["person"], held["token"]) == ("engineer@example.com", str(token.pk))
    assert held["token_name"] == "'=ci()", "no spreadsheet runs it"
    assert any(row["person"] == "auditor@example.com" for row in kinds["right"])
    exported = AuditEvent.objects.get(action=Action.AUDIT_EXPORTED)
    assert (exported.subject, exported.count) == ("access/review.csv", len(rows))


def test_a_review_is_an_event_with_the_hash_of_the_file(
    client: Client, token: Token, post: Post
) -> None:
    answer = post(client, "/access/review/", note="all as it should be", seen=seen(client))
    assert (answer.status_code, answer.headers["Location"]) == (302, "/access/review/")
    [event] = events()
    assert (event.actor, event.reason) == ("auditor@example.com", "all as it should be")
    assert hashlib.sha256(file(client)).hexdigest() in event.subject
    html = client.get("/access/review/").content.decode()
    assert "auditor@example.com reviewed it on" in html
    assert "all as it should be" in html


def test_a_note_alone_reviews_what_is_there_now(client: Client, token: Token, post: Post) -> None:
    assert post(client, "/access/review/", note="by a script").status_code == 302
    assert hashlib.sha256(file(client)).hexdigest() in events()[0].subject


def test_what_was_not_shown_is_not_reviewed(
    client: Client, token: Token, post: Post, engineer: User
) -> None:
    shown = seen(client)
    Token.objects.filter(pk=token.pk).update(state=State.REVOKED)
    before = hashlib.sha256(file(client)).hexdigest()
    assert post(client, "/access/review/", note="tokens end", seen=shown).status_code == 302
    assert before not in events()[0].subject, "the hash is that of what was shown"
    Membership.objects.filter(user=engineer).delete()
    answer = post(client, "/access/review/", note="but access", seen=shown)
    assert answer.status_code == 409
    assert "Access has changed since this page was shown to you" in words(answer.content.decode())
    assert 'value="but access"' in answer.content.decode()
    for forged in ("", "nonsense", shown[:-1] + ("a" if shown[-1] != "a" else "b")):
        assert post(client, "/access/review/", note="x", seen=forged).status_code == 409
    assert len(events()) == 1


def test_a_page_that_is_too_old_is_to_be_looked_at_again(
    client: Client, token: Token, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = seen(client)
    monkeypatch.setattr(reviewing, "SEEN_FOR", -1)
    assert post(client, "/access/review/", note="late", seen=shown).status_code == 409


def test_without_a_note_nothing_is_recorded(client: Client, catalog: Catalog, post: Post) -> None:
    answer = post(client, "/access/review/", note=" ")
    assert answer.status_code == 422
    assert "Say what you looked at" in answer.content.decode()
    assert events() == []


def test_what_changed_since_the_last_review_is_listed(
    client: Client, token: Token, post: Post, admin: User, catalog: Catalog
) -> None:
    def change(subject: str) -> None:
        with transaction.atomic():
            audit.record(Action.ACCESS_CHANGED, actor=acting(admin), subject=subject)

    change("+ member before@example.com of platform")
    first = client.get("/access/review/").content.decode()
    assert "Nobody has reviewed access here before" in first
    assert "before@example.com" in first
    post(client, "/access/review/", note="first")
    change("+ member after@example.com of platform")
    html = client.get("/access/review/").content.decode()
    assert "before@example.com" not in html
    assert "after@example.com" in html
    assert "1 change of access, 0 tokens made" in words(html)


def test_the_page_holds_a_long_list_and_the_file_has_all(
    client: Client, token: Token, monkeypatch: pytest.MonkeyPatch, make_token: Any, engineer: User
) -> None:
    for number in range(3):
        make_token(engineer, name=f"ci-{number}", state=State.ACTIVE)
    monkeypatch.setattr(reviewing, "MOST_TOKENS", 2)
    html = client.get("/access/review/").content.decode()
    assert "The first 2. The file has all 4." in html
    assert file(client).count(b"\r\ntoken,") == 4
    Grant.objects.all().delete()
    assert client.get("/access/review/").status_code == 200
