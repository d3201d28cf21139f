"""Ending many tokens of a team: a preview that is exact, an act that tells, a page that follows."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import AuditEvent, State, Team, Token, User
from tests.conftest import Catalog
from tests.views.conftest import KEY, Post

pytestmark = pytest.mark.django_db

URL = "/team/platform/revoke/"
WHY = "left <the> company"


@pytest.fixture
def as_lead(lead: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(lead)


@pytest.fixture
def three(make_token: Callable[..., Token], engineer: User) -> list[Token]:
    return [make_token(engineer, name=f"ci-{n}", state=State.ACTIVE) for n in range(3)]


def ids(*tokens: Token) -> list[str]:
    return [str(token.pk) for token in tokens]


def states(*tokens: Token) -> list[str]:
    found = Token.objects.in_bulk([token.pk for token in tokens])
    return [found[token.pk].state for token in tokens]


def listed(answer: Any) -> list[Token]:
    found: list[Token] = answer.context["ending"]
    return found


# -- Looking ------------------------------------------------------------------------------------


def test_the_preview_lists_exactly_what_would_end_and_changes_nothing(
    as_lead: Client, post: Post, three: list[Token], enqueued: list[tuple[str, str]]
) -> None:
    answer = post(as_lead, URL, token=ids(three[0], three[2]), preview="1")
    assert answer.status_code == 200
    assert sorted(token.name for token in listed(answer)) == ["ci-0", "ci-2"]
    page = answer.content.decode()
    for token, times in zip(three, (1, 0, 1), strict=True):
        assert page.count(f'name="token" value="{token.pk}"') == times
    assert states(*three) == ["active"] * 3
    assert (AuditEvent.objects.count(), enqueued) == (0, [])


def test_the_preview_of_a_person_lists_tokens_and_open_requests_and_nobody_elses(
    as_lead: Client,
    post: Post,
    make_token: Callable[..., Token],
    three: list[Token],
    engineer: User,
    teammate: User,
) -> None:
    make_token(engineer, name="asked", state=State.QUEUED)
    make_token(engineer, name="over", state=State.REVOKED)
    make_token(engineer, name="ending", state=State.REVOKING)
    make_token(teammate, name="hers", state=State.ACTIVE)
    answer = post(as_lead, URL, person="Engineer@example.com", preview="1")
    assert sorted(token.name for token in listed(answer)) == ["asked", "ci-0", "ci-1", "ci-2"]


def test_the_preview_keeps_a_reason_and_tells_what_is_over_already(
    as_lead: Client, post: Post, make_token: Callable[..., Token], engineer: User
) -> None:
    over = make_token(
        engineer, state=State.REVOKED, ended_by="engineer@example.com", end_reason="done"
    )
    answer = post(as_lead, URL, token=ids(over), reason=WHY, preview="1")
    page = answer.content.decode()
    assert listed(answer) == []
    assert "The token was revoked by engineer@example.com: done." in page


@pytest.mark.parametrize("preview", ["1", "0"])
def test_choosing_nothing_is_told(as_lead: Client, post: Post, preview: str) -> None:
    answer = post(as_lead, URL, reason=WHY, preview=preview)
    assert answer.status_code == 422
    assert b"No token was chosen" in answer.content


# -- Acting -------------------------------------------------------------------------------------


def test_ending_several_moves_records_and_rings_once_each(
    as_lead: Client, post: Post, three: list[Token], enqueued: list[tuple[str, str]]
) -> None:
    answer = post(as_lead, URL, token=ids(three[2], three[0], three[0]), reason=WHY)
    assert answer.status_code == 302
    assert states(*three) == ["revoking", "active", "revoking"]
    assert sorted(enqueued) == sorted(("portal.revoke", one) for one in ids(three[0], three[2]))
    events = list(AuditEvent.objects.order_by("token_id"))
    assert [event.token_id for event in events] == sorted([three[0].pk, three[2].pk])
    for event in events:
        assert (event.action, event.reason) == ("token.revoke_requested", WHY)
        assert (event.actor, event.address) == ("lead@example.com", "192.0.2.7")


def test_ending_all_of_a_person_withdraws_their_requests_too(
    as_lead: Client,
    post: Post,
    make_token: Callable[..., Token],
    three: list[Token],
    engineer: User,
    enqueued: list[tuple[str, str]],
) -> None:
    asked = make_token(engineer, state=State.QUEUED)
    taken = make_token(engineer, state=State.ISSUING, lease_until=timezone.now())
    engineer.memberships.all().delete()
    assert post(as_lead, URL, person="engineer@example.com", reason=WHY).status_code == 302
    assert states(*three, asked, taken) == ["revoking"] * 3 + ["cancelled", "issuing"]
    taken.refresh_from_db()
    assert taken.cancel_requested
    assert len(enqueued) == 3


@pytest.mark.parametrize(
    ("reason", "message"),
    [("", "Say why"), ("  ", "Say why"), ("r" * 501, "this one has 501")],
)
def test_without_a_reason_nothing_ends_and_nothing_is_lost(
    as_lead: Client, post: Post, three: list[Token], reason: str, message: str
) -> None:
    answer = post(as_lead, URL, token=ids(*three), reason=reason)
    assert answer.status_code == 422
    assert sorted(listed(answer), key=lambda t: t.name) == three
    assert message in answer.content.decode()
    assert f'value="{reason}"' in answer.content.decode()
    assert states(*three) == ["active"] * 3


def test_a_leaked_key_is_masked_in_the_reason(
    as_lead: Client, post: Post, three: list[Token]
) -> None:
    post(as_lead, URL, token=ids(three[0]), reason=f"{KEY} was in a ticket")
    assert AuditEvent.objects.get().reason == "glsa_(hidden) was in a ticket"
    three[0].refresh_from_db()
    assert three[0].end_reason == "glsa_(hidden) was in a ticket"


def test_what_changed_meanwhile_is_told(
    as_lead: Client,
    post: Post,
    make_token: Callable[..., Token],
    three: list[Token],
    engineer: User,
) -> None:
    over = [make_token(engineer, name=f"over-{n}", state=State.REVOKED) for n in range(2)]
    answer = post(as_lead, URL, token=ids(*three, *over), reason=WHY)
    page = as_lead.get(answer.headers["Location"]).content.decode()
    assert "3 of 5: 2 had already ended (" in page
    assert "over-0" in page
    assert AuditEvent.objects.count() == 3


def test_coming_too_late_for_all_of_them_is_a_conflict_that_says_who(
    as_lead: Client, post: Post, make_token: Callable[..., Token], engineer: User
) -> None:
    going = make_token(engineer, state=State.REVOKING, ended_by="other-lead@example.com")
    answer = post(as_lead, URL, token=ids(going), reason=WHY)
    assert answer.status_code == 409
    assert b"other-lead@example.com asked for it" in answer.content
    assert AuditEvent.objects.count() == 0


@pytest.mark.parametrize("preview", ["1", "0"])
@pytest.mark.parametrize("what", ["another team's", "unknown", "nonsense", "person"])
def test_what_is_not_the_teams_does_not_exist_and_nothing_changes(
    as_lead: Client,
    post: Post,
    make_token: Callable[..., Token],
    three: list[Token],
    outsider: User,
    catalog: Catalog,
    what: str,
    preview: str,
) -> None:
    theirs = make_token(outsider, state=State.ACTIVE, service_account=catalog.mobile_account)
    cases: dict[str, dict[str, Any]] = {
        "another team's": {"token": [*ids(*three), str(theirs.pk)]},
        "unknown": {"token": [*ids(*three), str(uuid.uuid4())]},
        "nonsense": {"token": [*ids(*three), "1 or 1"]},
        "person": {"person": "outsider@example.com"},
    }
    answer = post(as_lead, URL, reason=WHY, preview=preview, **cases[what])
    assert answer.status_code == 404
    assert states(*three, theirs) == ["active"] * 4
    assert AuditEvent.objects.count() == 0


@pytest.mark.parametrize("field", ["token", "person", "reason", "preview"])
@pytest.mark.parametrize("odd", ["\0", "x\0y", "🙂", "x" * 9000, "9" * 30, "-1", "' OR 1=1 --"])
def test_odd_input_breaks_nothing(
    as_lead: Client, post: Post, three: list[Token], field: str, odd: str
) -> None:
    fields: dict[str, str | list[str]] = {"token": ids(three[0]), "preview": "1", field: odd}
    assert post(as_lead, URL, **fields).status_code < 500
    assert states(*three[1:]) == ["active", "active"]


def test_many_go_in_several_transactions_and_all_of_them(
    as_lead: Client,
    post: Post,
    make_token: Callable[..., Token],
    engineer: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("portal.flows.revoke.BATCH_SIZE", 2)
    tokens = [make_token(engineer, state=State.ACTIVE) for _ in range(5)]
    answer = post(as_lead, URL, person="engineer@example.com", reason=WHY)
    assert states(*tokens) == ["revoking"] * 5
    assert as_lead.get(answer.headers["Location"]).context["of"] == 5


# -- Following ----------------------------------------------------------------------------------


def test_the_page_that_follows_counts_what_is_done_and_says_what_aws_refuses(
    as_lead: Client, post: Post, three: list[Token]
) -> None:
    address = post(as_lead, URL, token=ids(*three), reason=WHY).headers["Location"]
    Token.objects.filter(pk=three[0].pk).update(state=State.REVOKED)
    Token.objects.filter(pk=three[1].pk).update(error_code="AccessDeniedException")
    assert "1 of 3 ended" in as_lead.get(address).content.decode()
    status = as_lead.get(f"{address}status/").json()
    assert (status["done"], status["of"]) == (1, 3)
    assert [one["state"] for one in status["tokens"]] == ["revoked", "revoking", "revoking"]
    assert "AccessDeniedException" in status["tokens"][1]["message"]


def test_it_shows_only_what_this_person_ended_then(
    as_lead: Client, post: Post, three: list[Token], admin: User, sign_in: Callable[[User], Client]
) -> None:
    address = post(as_lead, URL, token=ids(three[0]), reason=WHY).headers["Location"]
    post(sign_in(admin), URL, token=ids(three[1]), reason=WHY)
    first = int(address.split("/")[4].partition("-")[0])
    wide = f"/team/platform/ended/{first}-{first + 100}/"
    assert [row[0].name for row in as_lead.get(wide).context["rows"]] == ["ci-0"]


def test_events_of_another_team_are_nothing_here(
    as_lead: Client,
    post: Post,
    three: list[Token],
    mobile: Team,
    outsider: User,
    sign_in: Callable[[User], Client],
) -> None:
    address = post(as_lead, URL, token=ids(three[0]), reason=WHY).headers["Location"]
    client = sign_in(outsider)
    assert client.get(address).status_code == 404
    assert client.get(address.replace("platform", "mobile")).status_code == 404
