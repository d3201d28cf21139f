"""What people are told of an answer to a request, what they may still do, how times are sent."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail as outbox
from django.test import Client
from django.utils import timezone

from portal.flows.mail import mail
from portal.models import (
    AuditEvent,
    Grant,
    Membership,
    Notice,
    NoticeKind,
    Role,
    State,
    Token,
    User,
)
from portal.models.catalog import Approval
from portal.scheduler import run_all as sweep
from tests.person import KeyPair
from tests.reading import words
from tests.views.conftest import Post

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(make_token: Callable[..., Token], engineer: User, lead: User) -> Token:
    """A request for an hour that waits for the lead."""
    Grant.objects.update(approval=Approval.ALWAYS)
    return make_token(engineer, name="ci", state=State.AWAITING_APPROVAL, public_key=b"")


@pytest.fixture
def owner(engineer: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(engineer)


@pytest.fixture
def leader(lead: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(lead)


def url(token: Token, action: str = "") -> str:
    return f"/tokens/{token.pk}/{action}"


def send_all() -> None:
    for notice in sweep().mail:
        mail(notice)


# -- What an approver changed ---------------------------------------------------------------------


def test_page_and_mail_say_what_was_agreed_to_instead(
    asked: Token, leader: Client, owner: Client, post: Post
) -> None:
    post(leader, url(asked, "approve/"), lifetime="30m", reason="enough for a deploy")
    page = words(owner.get(url(asked)).content.decode())
    assert "lead@example.com agreed, for 30 minutes instead of 1 hour:" in page
    assert "“enough for a deploy”" in page
    assert "asks: do you agree?" not in page
    send_all()
    [message] = [one for one in outbox.outbox if one.to == ["engineer@example.com"]]
    assert "for 30 minutes instead of 1 hour: enough for a deploy" in message.body


def test_an_approver_stays_at_the_desk_where_the_next_request_stands(
    asked: Token, make_token: Callable[..., Token], engineer: User, leader: Client, post: Post
) -> None:
    following = make_token(engineer, name="next", state=State.AWAITING_APPROVAL, public_key=b"")
    answer = post(leader, url(asked, "approve/"), seconds_to_live="1800")
    assert answer.headers["Location"] == f"/team/platform/?answered={asked.pk}#answered"
    answer = leader.get(answer.headers["Location"])
    page = words(answer.content.decode())
    assert "for 30 minutes instead of 1 hour" in page
    assert f'action="{url(asked, "approve/undo/")}"' in page
    assert answer.context["approvals"] == [following]


def test_an_approval_is_taken_back_until_the_token_is_collected(
    asked: Token, leader: Client, owner: Client, post: Post, keys: KeyPair
) -> None:
    post(leader, url(asked, "approve/"), lifetime="30m", reason="a mistake")
    answer = post(leader, url(asked, "approve/undo/"))
    assert (answer.status_code, answer.headers["Location"]) == (302, "/team/platform/")
    asked.refresh_from_db()
    assert (asked.state, asked.seconds_to_live) == (State.AWAITING_APPROVAL, 3600)
    assert (asked.approved_by, asked.approval_comment, asked.seconds_asked) == ("", "", None)
    assert post(owner, url(asked, "collect/"), public_key=keys.public).status_code == 409
    send_all()
    told = [one.subject for one in outbox.outbox if one.to == ["engineer@example.com"]]
    assert told == ["Not approved after all: ci"], "and not that it was approved"
    post(leader, url(asked, "approve/"))
    assert post(owner, url(asked, "collect/"), public_key=keys.public).status_code == 302
    assert post(leader, url(asked, "approve/undo/")).status_code == 409


def test_an_approver_finds_the_way_back_on_the_tokens_page_too(
    asked: Token, leader: Client, owner: Client, post: Post
) -> None:
    post(leader, url(asked, "approve/"))
    assert url(asked, "approve/undo/") in leader.get(url(asked)).content.decode()
    assert url(asked, "approve/undo/") not in owner.get(url(asked)).content.decode()
    post(leader, url(asked, "approve/undo/"))
    assert url(asked, "approve/undo/") not in leader.get(url(asked)).content.decode()


def test_nobody_but_an_approver_takes_an_approval_back(
    asked: Token, leader: Client, owner: Client, post: Post
) -> None:
    post(leader, url(asked, "approve/"))
    assert post(owner, url(asked, "approve/undo/")).status_code == 403


# -- Who is waited for ----------------------------------------------------------------------------


def test_who_waits_sees_for_whom_and_has_them_reminded_after_an_hour(
    asked: Token, owner: Client, lead: User, post: Post
) -> None:
    Notice.objects.create(kind=NoticeKind.APPROVAL_ASKED, token=asked, recipient=lead)
    page = words(owner.get(url(asked)).content.decode())
    assert "<strong>lead@example.com</strong> has to agree" in page
    assert f'value="http://testserver{url(asked)}"' in page
    assert url(asked, "remind/") not in page
    post(owner, url(asked, "remind/"))
    assert Notice.objects.count() == 1, "they were mailed just now"
    Notice.objects.update(created_at=timezone.now() - timedelta(minutes=61))
    assert url(asked, "remind/") in owner.get(url(asked)).content.decode()
    for _ in range(2):
        post(owner, url(asked, "remind/"))
        assert Notice.objects.count() == 2


def test_a_lead_who_asks_is_told_who_decides(
    make_token: Callable[..., Token], lead: User, teammate: User, admin: User, leader: Client
) -> None:
    asked = make_token(lead, state=State.AWAITING_APPROVAL, public_key=b"")
    assert (
        "<strong>admin@example.com</strong> has to agree" in leader.get(url(asked)).content.decode()
    )
    Membership.objects.filter(user=teammate).update(role=Role.LEAD)
    page = words(leader.get(url(asked)).content.decode())
    assert "<strong>teammate@example.com</strong> has to agree" in page


# -- What uses it, and why it changes -------------------------------------------------------------


@pytest.fixture
def active(make_token: Callable[..., Token], engineer: User, lead: User) -> Token:
    return make_token(
        engineer,
        name="ci",
        state=State.ACTIVE,
        reason="CI of grafana-backup-nightly",
        expires_at=timezone.now() + timedelta(hours=1),
    )


def test_why_a_token_is_renewed_leaves_what_uses_it_as_it_was(
    active: Token, leader: Client, post: Post
) -> None:
    form = {"mode": "overlap", "overlap": "1d", "recipient": "owner", "lifetime": "1h"}
    post(leader, url(active, "reissue/"), **form, reason="Quarterly rotation")
    new = Token.objects.get(replaces=active)
    assert (new.reason, new.change_reason) == ("CI of grafana-backup-nightly", "Quarterly rotation")
    assert (new.overlap_seconds, new.seconds_to_live) == (86_400, 3600)
    page = words(leader.get(url(new)).content.decode())
    assert "CI of grafana-backup-nightly" in page
    assert "Quarterly rotation" in page
    event = AuditEvent.objects.get(action="token.reissued")
    assert event.reason == "Quarterly rotation"


def test_what_uses_a_token_is_written_down_by_whoever_may_end_it(
    active: Token, owner: Client, teammate: User, sign_in: Callable[[User], Client], post: Post
) -> None:
    assert url(active, "uses/") in owner.get(url(active)).content.decode()
    assert post(owner, url(active, "uses/"), uses="deploys of acme/dash").status_code == 302
    active.refresh_from_db()
    assert active.reason == "deploys of acme/dash"
    event = AuditEvent.objects.get(action="access.changed")
    assert (event.token_id, event.reason) == (active.pk, "deploys of acme/dash")
    answer = post(owner, url(active, "uses/"), uses=f"glsa_{'k' * 32}_00000000")
    assert (answer.status_code, b"looks like a key" in answer.content) == (422, True)
    assert post(sign_in(teammate), url(active, "uses/"), uses="mine").status_code == 403


def test_a_lost_token_is_replaced_without_an_end_before(
    active: Token, owner: Client, post: Post, keys: KeyPair
) -> None:
    form = {"mode": "lost", "recipient": "me", "public_key": keys.public}
    assert post(owner, url(active, "reissue/"), **form).status_code == 302
    active.refresh_from_db()
    new = Token.objects.get(replaces=active)
    assert (active.state, new.state, new.overlap_seconds) == (State.ACTIVE, State.QUEUED, 60)


def test_limits_reason_and_approval_stand_on_the_page_before_the_press(
    active: Token, owner: Client
) -> None:
    Token.objects.filter(pk=active.pk).update(seconds_to_live=7 * 86_400, reason="")
    Grant.objects.update(
        max_ttl=8 * 3600, default_ttl=60, approval=Approval.ALWAYS, reason_required=True
    )
    page = words(owner.get(url(active, "reissue/?mode=ask")).content.decode())
    assert "The old token was for 7 days. Now at most 8 hours may be asked for here." in " ".join(
        page.split()
    )
    assert "Somebody has to agree first:</strong> lead@example.com" in page
    assert '<span class="optional">required</span>' in page
    assert " checked" not in page, "lost is not leaked: it asks which"


# -- Lifetimes as text ----------------------------------------------------------------------------


def test_a_lifetime_is_sent_as_seconds_or_as_text(
    rows: object, engineer: User, owner: Client, post: Post, keys: KeyPair
) -> None:
    form = {"workspace": "g-00000000a1", "service_account": "2", "public_key": keys.public}
    for name, lifetime, seconds in (
        ("a", {"seconds_to_live": "3600"}, 3600),
        ("b", {"lifetime": "1d 12h"}, 129_600),
        ("c", {"seconds_to_live": "30m"}, 1800),
    ):
        assert post(owner, "/tokens/new/", **form, **lifetime, name=name).status_code == 302
        assert Token.objects.get(name=name).seconds_to_live == seconds
    until = timezone.now() + timedelta(days=2)
    form |= {"name": "d", "time_zone": "Asia/Kolkata"}
    local = until.astimezone(timezone.get_fixed_timezone(330))
    for _ in range(2):
        answer = post(owner, "/tokens/new/", **form, lifetime=f"{local:%Y-%m-%d %H:%M}")
        assert answer.status_code == 302, "sent once more it is the same request"
    made = Token.objects.get(name="d")
    assert abs(made.seconds_to_live - 2 * 86_400) <= 61


def test_a_lifetime_that_is_none_stands_there_as_it_was_typed(
    rows: object, owner: Client, post: Post
) -> None:
    answer = post(owner, "/tokens/new/", workspace="g-00000000a1", lifetime="<soon>")
    assert answer.status_code == 422
    page = words(answer.content.decode())
    assert "Write how long" in page
    assert 'value="&lt;soon&gt;"' in page
    page = words(owner.get("/tokens/new/?lifetime=2d").content.decode())
    assert 'id="id_seconds_to_live" value="2d"' in page
