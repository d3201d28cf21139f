"""AWS can't undo an end, so the portal waits: who may need a token is told, and can keep it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as outbox
from django.test import Client
from django.utils import timezone

from portal.flows.deliver import deliver
from portal.flows.mail import mail
from portal.models import AuditEvent, Membership, Notice, State, Token, TokenPlace, User
from portal.scheduler import run_all as sweep
from tests.conftest import acting
from tests.reading import words
from tests.views.conftest import Post

pytestmark = pytest.mark.django_db


@pytest.fixture
def active(make_token: Callable[..., Token], engineer: User) -> Token:
    now = timezone.now()
    return make_token(
        engineer,
        name="ci",
        state=State.ACTIVE,
        issued_at=now,
        delivered_at=now,
        expires_at=now + timedelta(days=30),
        seconds_to_live=30 * 86_400,
        recipient=engineer,
    )


@pytest.fixture
def owner(engineer: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(engineer)


@pytest.fixture
def leader(lead: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(lead)


def url(token: Token, action: str = "") -> str:
    return f"/tokens/{token.pk}/{action}"


def give(client: Client, token: Token, post: Post, notice: str = "30m", **more: str) -> Any:
    return post(client, url(token, "notice/"), notice=notice, **more)


def its_time_comes(token: Token) -> None:
    now = timezone.now()
    Token.objects.filter(pk=token.pk).update(revoke_at=now, notice_ends_at=now)


def told() -> list[tuple[str, str]]:
    for notice in sweep().mail:
        mail(notice)
    return sorted((one.to[0], str(one.subject)) for one in outbox.outbox)


def subjects(token: Token) -> list[tuple[str, str]]:
    events = AuditEvent.objects.filter(token_id=token.pk).order_by("seq")
    return list(events.values_list("action", "subject"))


# -- It is given ----------------------------------------------------------------------------------


def test_a_token_under_notice_works_on_and_says_until_when(
    active: Token, leader: Client, owner: Client, post: Post
) -> None:
    assert give(leader, active, post, reason="the job is gone").status_code == 302
    active.refresh_from_db()
    assert active.state == State.ACTIVE
    assert active.revoke_at is not None
    left = active.revoke_at - timezone.now()
    assert timedelta(minutes=28) < left < timedelta(minutes=31)
    status = owner.get(url(active, "status/")).json()
    assert status["expires_at"] == active.revoke_at.isoformat()
    assert "asked for by lead@example.com: the job is gone." in status["message"]
    assert "can keep it" in status["message"]
    page = owner.get(url(active)).content.decode()
    assert "lead@example.com gave notice: the job is gone" in words(page)
    assert "Keep it: this is in use" in words(page)
    assert "It was replaced" not in page
    for client, path in ((owner, "/tokens/"), (leader, "/team/platform/")):
        listed = client.get(path).content.decode()
        assert "<small>with notice</small>" in listed
        assert "replaced" not in listed
    at = f"{active.revoke_at:%Y-%m-%d at %H:%M} UTC"
    said = f"~ token ci: ends on {at} unless somebody keeps it"
    assert subjects(active) == [("access.changed", said)]


def test_owner_recipient_and_those_who_wrote_places_down_are_told_and_nobody_else(
    active: Token, teammate: User, lead: User, leader: Client, post: Post
) -> None:
    TokenPlace.objects.create(token=active, team=active.team, text="eks-prod-7", by=teammate)
    TokenPlace.objects.create(token=active, team=active.team, text="a laptop", by=lead)
    give(leader, active, post, reason="the job is gone")
    mails = told()
    assert [to for to, _ in mails] == ["engineer@example.com", "teammate@example.com"]
    assert all("unless you keep it: ci" in subject for _, subject in mails)
    body = outbox.outbox[0].body
    assert "the job is gone" in body
    assert "It lives at      eks-prod-7, a laptop" in body
    assert f"/tokens/{active.pk}/" in body


def test_where_the_owner_alone_may_need_it_and_ends_it_the_leads_are_told(
    active: Token, owner: Client, lead: User, post: Post
) -> None:
    give(owner, active, post)
    assert [to for to, _ in told()] == ["lead@example.com"]


def test_who_left_the_team_is_not_told_and_cannot_keep_it(
    active: Token, teammate: User, leader: Client, post: Post, sign_in: Callable[[User], Client]
) -> None:
    TokenPlace.objects.create(token=active, team=active.team, text="eks-prod-7", by=teammate)
    Membership.objects.filter(user=teammate).delete()
    give(leader, active, post)
    assert [to for to, _ in told()] == ["engineer@example.com"]
    assert post(sign_in(teammate), url(active, "keep/")).status_code == 404


@pytest.mark.parametrize(
    ("notice", "why"),
    [
        ("1m", "Notice is 5 minutes to 7 days."),
        ("8d", "Notice is 5 minutes to 7 days."),
        ("soon", "Write how long"),
        ("", "Choose how long the token works on."),
    ],
)
def test_what_is_no_notice_is_refused_beside_its_field_and_nothing_typed_is_lost(
    active: Token, owner: Client, post: Post, notice: str, why: str
) -> None:
    answer = give(owner, active, post, notice, reason="no longer needed")
    page = answer.content.decode()
    assert answer.status_code == 422
    assert why in page
    assert 'value="no longer needed"' in page
    active.refresh_from_db()
    assert (active.revoke_at, active.ended_by) == (None, "")


def test_notice_beyond_the_tokens_own_end_is_refused(
    active: Token, owner: Client, post: Post
) -> None:
    active.change(expires_at=timezone.now() + timedelta(hours=1))
    answer = give(owner, active, post, "2h")
    assert answer.status_code == 422
    assert "It ends by itself before that" in answer.content.decode()


def test_a_second_notice_is_told_of_the_first(
    active: Token, owner: Client, leader: Client, post: Post
) -> None:
    give(leader, active, post)
    answer = give(owner, active, post)
    assert answer.status_code == 409
    assert "asked for by lead@example.com" in answer.content.decode()


def test_nobody_is_warned_of_the_same_end_twice(active: Token, leader: Client, post: Post) -> None:
    give(leader, active, post, "1d")
    told()
    told()
    kinds = set(Notice.objects.values_list("kind", flat=True))
    assert kinds == {"ends_with_notice"}


# -- It is kept -----------------------------------------------------------------------------------


def test_whoever_wrote_a_place_down_can_keep_the_token_and_who_wanted_its_end_is_told(
    active: Token, teammate: User, leader: Client, post: Post, sign_in: Callable[[User], Client]
) -> None:
    TokenPlace.objects.create(token=active, team=active.team, text="eks-prod-7", by=teammate)
    give(leader, active, post)
    told()
    outbox.outbox.clear()
    user = sign_in(teammate)
    assert "Keep it: this is in use" in words(user.get(url(active)).content.decode())
    assert post(user, url(active, "keep/")).status_code == 302
    active.refresh_from_db()
    assert (active.revoke_at, active.notice_ends_at, active.ended_by) == (None, None, "")
    assert told() == [
        ("engineer@example.com", "Kept: ci is in use"),
        ("lead@example.com", "Kept: ci is in use"),
    ]
    assert subjects(active)[-1] == (
        "access.changed",
        "~ token ci: kept, its end with notice is off",
    )
    sweep()
    active.refresh_from_db()
    assert active.state == State.ACTIVE


def test_a_teammate_who_has_no_part_in_it_can_neither_end_nor_keep_it(
    active: Token, teammate: User, leader: Client, post: Post, sign_in: Callable[[User], Client]
) -> None:
    give(leader, active, post)
    user = sign_in(teammate)
    assert "Keep it: this is in use" not in words(user.get(url(active)).content.decode())
    assert post(user, url(active, "keep/")).status_code == 403
    assert give(user, active, post).status_code == 403


def test_a_mail_that_was_overtaken_by_a_keep_is_not_sent(
    active: Token, owner: Client, leader: Client, post: Post
) -> None:
    give(leader, active, post)
    post(owner, url(active, "keep/"))
    assert told() == [("lead@example.com", "Kept: ci is in use")]


# -- It ends --------------------------------------------------------------------------------------


def test_when_nobody_keeps_it_it_ends_and_the_log_says_who_had_given_notice(
    active: Token, owner: Client, leader: Client, post: Post
) -> None:
    give(leader, active, post, reason="the job is gone")
    sweep()
    active.refresh_from_db()
    assert active.state == State.ACTIVE
    its_time_comes(active)
    sweep()
    active.refresh_from_db()
    assert active.state == State.REVOKING
    assert active.end_reason == "lead@example.com had given notice of its end: the job is gone"
    event = AuditEvent.objects.get(token_id=active.pk, action="token.revoke_requested")
    assert (event.actor, event.reason) == ("portal", active.end_reason)
    answer = post(owner, url(active, "keep/"))
    assert answer.status_code == 409
    assert "had given notice" in answer.content.decode()


def test_a_token_that_its_time_ended_first_is_said_to_be_ended_by_nobody(
    active: Token, owner: Client, leader: Client, post: Post
) -> None:
    give(leader, active, post)
    its_time_comes(active)
    Token.objects.filter(pk=active.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    sweep()
    active.refresh_from_db()
    assert (active.state, active.ended_by) == (State.EXPIRED, "")
    assert "lead@example.com" not in owner.get(url(active, "status/")).json()["message"]


def test_a_leak_is_revoked_at_once_under_notice_as_well(
    active: Token, owner: Client, leader: Client, post: Post
) -> None:
    give(leader, active, post)
    assert post(owner, url(active, "revoke/"), reason="it leaked").status_code == 302
    active.refresh_from_db()
    assert (active.state, active.ended_by) == (State.REVOKING, "engineer@example.com")


# -- Beside an overlap ----------------------------------------------------------------------------


@pytest.fixture
def overlapping(active: Token) -> Token:
    active.change(revoke_at=timezone.now() + timedelta(days=1))
    return active


def test_a_kept_token_goes_on_with_the_overlap_that_had_begun(
    overlapping: Token, owner: Client, leader: Client, post: Post
) -> None:
    over = overlapping.revoke_at
    give(leader, overlapping, post)
    overlapping.refresh_from_db()
    assert overlapping.overlap_ends_at == over
    assert overlapping.is_in_overlap
    assert overlapping.revoke_at == overlapping.notice_ends_at
    post(owner, url(overlapping, "keep/"))
    overlapping.refresh_from_db()
    assert (overlapping.revoke_at, overlapping.overlap_ends_at) == (over, None)


@pytest.mark.parametrize(("overlap", "is_sooner"), [(60, True), (86_400, False)])
def test_a_new_key_that_is_taken_under_notice_ends_the_old_one_at_the_sooner_of_both(
    active: Token,
    make_token: Callable[..., Token],
    engineer: User,
    owner: Client,
    leader: Client,
    post: Post,
    overlap: int,
    is_sooner: bool,
) -> None:
    give(leader, active, post)
    new = make_token(
        engineer,
        state=State.SEALED,
        sealed_key=b"x",
        fingerprint="f" * 64,
        replaces=active,
        overlap_seconds=overlap,
    )
    deliver(new.pk, "f" * 64, actor=acting(engineer))
    active.refresh_from_db()
    assert active.overlap_ends_at is not None
    assert active.revoke_at == (active.overlap_ends_at if is_sooner else active.notice_ends_at)
    post(owner, url(active, "keep/"))
    kept = Token.objects.get(pk=active.pk)
    assert kept.revoke_at == active.overlap_ends_at


def test_an_overlap_that_an_older_version_wrote_down_meanwhile_stays(
    active: Token, owner: Client, leader: Client, post: Post
) -> None:
    give(leader, active, post)
    over = timezone.now() + timedelta(days=2)
    Token.objects.filter(pk=active.pk).update(revoke_at=over)
    post(owner, url(active, "keep/"))
    active.refresh_from_db()
    assert active.revoke_at == over


# -- Of many at once ------------------------------------------------------------------------------


def test_a_lead_gives_notice_of_many_from_the_desk_and_is_told_what_was_left_alone(
    active: Token, make_token: Callable[..., Token], engineer: User, leader: Client, post: Post
) -> None:
    later = timezone.now() + timedelta(days=3)
    other = make_token(engineer, name="nightly", state=State.ACTIVE, expires_at=later)
    soon = timezone.now() + timedelta(minutes=20)
    short = make_token(engineer, name="short", state=State.ACTIVE, expires_at=soon)
    waiting = make_token(engineer, name="asked", state=State.QUEUED)
    chosen = [str(one.pk) for one in (active, other, short, waiting)]
    preview = post(leader, "/team/platform/revoke/", token=chosen, preview="1").content.decode()
    assert "In 30 minutes" in preview
    answer = post(leader, "/team/platform/revoke/", token=chosen, notice="30m", reason="moving")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/team/platform/")
    page = leader.get("/team/platform/").content.decode()
    assert "2 of 4: notice was given." in page
    assert "asked: it is queued" in page
    assert "short: it ends by itself before that" in page
    found = Token.objects.in_bulk([active.pk, other.pk, short.pk, waiting.pk])
    assert [found[one.pk].is_under_notice for one in (active, other, short, waiting)] == [
        True,
        True,
        False,
        False,
    ]
    assert [to for to, _ in told()] == ["engineer@example.com"] * 2


def test_notice_of_many_that_is_none_is_refused_and_the_choice_is_kept(
    active: Token, leader: Client, post: Post
) -> None:
    answer = post(
        leader, "/team/platform/revoke/", token=str(active.pk), notice="1m", reason="moving"
    )
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Notice is 5 minutes to 7 days." in page
    assert 'value="moving"' in page
    active.refresh_from_db()
    assert (active.state, active.revoke_at) == (State.ACTIVE, None)


def test_who_looks_again_finds_the_notice_that_they_had_chosen(
    active: Token, leader: Client, post: Post
) -> None:
    fields = {"token": str(active.pk), "preview": "1", "reason": "moving", "notice": "1d"}
    page = post(leader, "/team/platform/revoke/", **fields).content.decode()
    assert 'value="1d" id="notice-1d" checked' in words(page)
    assert 'id="notice-none" checked' not in page
