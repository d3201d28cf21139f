"""An access file on a page: its plan with everything that it ends, and its application."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from portal.models import Action, AuditEvent, Grant, Membership, State, Team, Token, User
from portal.views.access import planning
from tests.conftest import Catalog
from tests.views.conftest import Post

pytestmark = pytest.mark.django_db

FILE = """version: 1
people:
  - {email: admin@example.com, admin: true, auditor: true}
teams:
  platform:
    leads: [lead@example.com]
    members: [MEMBERS]
    grants:
      - {workspace: g-00000000a1, service_accounts: ["*"], max_ttl: 7d}
  mobile:
    members: [outsider@example.com]
    grants: [{workspace: retail, service_accounts: ["*"]}]
"""
BOTH = FILE.replace("MEMBERS", "engineer@example.com, teammate@example.com")
WITHOUT_ENGINEER = FILE.replace("MEMBERS", "teammate@example.com")


@pytest.fixture
def client(admin: User, sign_in: Callable[[User], Client], catalog: Catalog) -> Client:
    return sign_in(admin)


@pytest.fixture
def tokens(
    make_token: Callable[..., Token], engineer: User, teammate: User, lead: User, outsider: User
) -> dict[str, Token]:
    return {
        "ends": make_token(engineer, name="open", state=State.AWAITING_APPROVAL),
        "left": make_token(engineer, name="live", state=State.ACTIVE, aws_token_id="7"),
        "other": make_token(teammate, name="kept", state=State.ACTIVE, aws_token_id="8"),
    }


def sealed(html: str) -> str:
    [found] = re.findall(r'name="plan" value="([^"]+)"', html)
    return unescape(found)


def state() -> Any:
    return (
        list(Membership.objects.order_by("pk").values()),
        list(Grant.objects.order_by("pk").values()),
        list(Token.objects.order_by("pk").values("pk", "state")),
        AuditEvent.objects.count(),
    )


def test_a_plan_names_everything_that_would_end_and_changes_nothing(
    client: Client, post: Post, tokens: dict[str, Token]
) -> None:
    before = state()
    answer = post(client, "/access/plan/", file=WITHOUT_ENGINEER)
    assert answer.status_code == 200
    html = answer.content.decode()
    assert "- member engineer@example.com of platform" in html
    assert "max_ttl 30d → 7d" in html
    ends = re.search(r'data-testid="plan-ends".*?</ul>', html, re.S)
    left = re.search(r'data-testid="plan-left".*?</ul>', html, re.S)
    assert ends
    assert left
    assert "open" in ends[0]
    assert "live" in left[0]
    assert "kept" not in html
    assert "Of engineer@example.com." in html
    assert state() == before


def test_a_plan_is_applied_as_it_was_shown(
    client: Client, post: Post, tokens: dict[str, Token], engineer: User
) -> None:
    plan = sealed(post(client, "/access/plan/", file=WITHOUT_ENGINEER).content.decode())
    answer = post(client, "/access/apply/", plan=plan)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/access/")
    assert not Membership.objects.filter(user=engineer).exists()
    for token in tokens.values():
        token.refresh_from_db()
    assert tokens["ends"].state == State.CANCELLED
    assert tokens["left"].state == State.ACTIVE, "for the lead to end"
    changed = AuditEvent.objects.filter(action=Action.ACCESS_CHANGED)
    assert {(one.actor, one.reason[:5]) for one in changed} == {("admin@example.com", "file ")}
    again = post(client, "/access/plan/", file=WITHOUT_ENGINEER).content.decode()
    assert "Nothing to change" in again


def test_a_plan_that_is_another_by_now_is_shown_and_not_applied(
    client: Client,
    post: Post,
    tokens: dict[str, Token],
    make_token: Callable[..., Token],
    engineer: User,
) -> None:
    plan = sealed(post(client, "/access/plan/", file=WITHOUT_ENGINEER).content.decode())
    make_token(engineer, name="since-then", state=State.AWAITING_APPROVAL)
    before = state()
    answer = post(client, "/access/apply/", plan=plan)
    assert answer.status_code == 409
    html = answer.content.decode()
    assert "Something has changed since you looked" in html
    assert "since-then" in html
    assert state() == before
    assert post(client, "/access/apply/", plan=sealed(html)).status_code == 302


def test_a_wrong_file_names_line_and_column_and_stays_for_mending(
    client: Client, post: Post, catalog: Catalog
) -> None:
    answer = post(client, "/access/plan/", file=BOTH.replace("version: 1", "version: 1\nteem: {}"))
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "line 2, column 1" in html
    assert "teem: {}" in html
    for wrong, said in (
        ("", "nothing in it"),
        ("a: [", "not YAML"),
        (BOTH.replace("admin: true, ", ""), "nobody is admin"),
        (BOTH.replace("retail", "unheard-of"), "unheard-of"),
        ("x" * 2_000_001, "is longer than 2,000,000 characters"),
    ):
        answer = post(client, "/access/plan/", file=wrong)
        assert answer.status_code == 422
        assert said in answer.content.decode()


def test_a_file_may_be_sent_as_one(client: Client, catalog: Catalog) -> None:
    for content, status in ((BOTH.encode(), 200), (b"\xff\xfe\0", 422), (b"teams: 7", 422)):
        sent = SimpleUploadedFile("access.yaml", content)
        assert client.post("/access/plan/", {"file": sent}).status_code == status
    other = client.post("/access/review/", {"file": SimpleUploadedFile("x", b"x")})
    assert other.status_code == 422, "no other page reads files"
    assert not other.wsgi_request.FILES


def test_line_ends_of_a_browser_are_no_change(client: Client, post: Post, lead: User) -> None:
    assert post(client, "/access/plan/", file=BOTH.replace("\n", "\r\n")).status_code == 200


def test_a_plan_is_nobody_elses_and_not_for_ever(
    client: Client,
    post: Post,
    sign_in: Callable[[User], Client],
    tokens: dict[str, Token],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = sealed(post(client, "/access/plan/", file=WITHOUT_ENGINEER).content.decode())
    other = User.objects.create_user("other-admin@example.com", is_admin=True)
    before = state()
    for somebody, sent in ((sign_in(other), plan), (client, ""), (client, plan + "x")):
        answer = post(somebody, "/access/apply/", plan=sent)
        assert answer.status_code == 422
        assert "paste the file again" in answer.content.decode()
    monkeypatch.setattr(planning, "PLANNED_FOR", -1)
    assert post(client, "/access/apply/", plan=plan).status_code == 422
    assert state() == before


def test_applying_wants_a_fresh_proof(
    client: Client, post: Post, tokens: dict[str, Token], settings: Any
) -> None:
    plan = sealed(post(client, "/access/plan/", file=WITHOUT_ENGINEER).content.decode())
    settings.STEP_UP_SECONDS = -1
    before = state()
    answer = post(client, "/access/apply/", plan=plan)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/reauthenticate/")
    assert state() == before
    assert post(client, "/access/plan/", file=BOTH).status_code == 200


def test_a_connection_that_it_brings_is_read_within_bounds(
    client: Client, post: Post, lead: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "LONGEST_READING", -1.0)
    brought = BOTH.replace("version: 1", "version: 1\nconnections:\n  new: {region: eu-west-1}")
    html = post(client, "/access/plan/", file=brought).content.decode()
    assert "+ connection new" in html
    assert "the list of workspaces could not be read" in html
    assert not Team.objects.filter(slug="new").exists()
