"""A token in an overlap ends when that is over: everything that says an end says this one."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.core import mail as outbox
from django.test import Client
from django.utils import timezone

from portal.flows.mail import mail
from portal.models import Notice, NoticeKind, State, Token, User
from portal.scheduler import run_all as sweep

pytestmark = pytest.mark.django_db

DAY = 86_400


@pytest.fixture
def old(make_token: Callable[..., Token], engineer: User) -> Token:
    """A token that would live 30 days, and was replaced with a day of overlap."""
    now = timezone.now()
    return make_token(
        engineer,
        name="nightly",
        state=State.ACTIVE,
        seconds_to_live=30 * DAY,
        expires_at=now + timedelta(days=30),
        revoke_at=now + timedelta(hours=23),
        delivered_at=now,
        issued_at=now,
    )


@pytest.fixture
def new(make_token: Callable[..., Token], engineer: User, old: Token) -> Token:
    now = timezone.now()
    return make_token(
        engineer,
        name="nightly-2",
        state=State.ACTIVE,
        replaces=old,
        seconds_to_live=30 * DAY,
        expires_at=now + timedelta(days=30),
        delivered_at=now,
        last_used_at=now,
        issued_at=now,
    )


def test_lists_and_pages_say_when_the_overlap_is_over_and_what_comes_then(
    old: Token, new: Token, engineer: User, sign_in: Callable[[User], Client]
) -> None:
    browser = sign_in(engineer)
    assert old.revoke_at is not None
    assert old.expires_at is not None
    for path in ("/tokens/", "/team/platform/", f"/tokens/{old.pk}/"):
        page = browser.get(path).content.decode()
        assert old.revoke_at.isoformat(timespec="seconds") in page, path
        assert old.expires_at.isoformat(timespec="seconds") not in page.split(new.name)[0], path
    for path in ("/tokens/", "/team/platform/"):
        page = browser.get(path).content.decode()
        assert f'replaced by <a href="/tokens/{new.pk}/">nightly-2</a>' in page


def test_programs_are_told_the_true_end(
    old: Token, new: Token, engineer: User, sign_in: Callable[[User], Client]
) -> None:
    told = sign_in(engineer).get(f"/tokens/{old.pk}/status/").json()["expires_at"]
    assert datetime.fromisoformat(told) == old.revoke_at
    told = sign_in(engineer).get(f"/tokens/{new.pk}/status/").json()["expires_at"]
    assert datetime.fromisoformat(told) == new.expires_at


def test_the_desk_lists_it_where_it_ends_and_it_stands_out(
    old: Token,
    new: Token,
    make_token: Callable[..., Token],
    engineer: User,
    lead: User,
    sign_in: Callable[[User], Client],
) -> None:
    for name, days in (("sooner", 0.5), ("later", 2)):
        make_token(
            engineer,
            name=name,
            state=State.ACTIVE,
            expires_at=timezone.now() + timedelta(days=days),
        )
    browser = sign_in(lead)
    answer = browser.get("/team/platform/")
    assert [one.name for one in answer.context["page"]] == ["sooner", old.name, "later", new.name]
    ending = browser.get("/team/platform/?flag=ends-soon")
    assert [one.name for one in ending.context["page"]] == [old.name]


def test_owner_and_lead_are_mailed_before_an_overlap_ends(
    old: Token, new: Token, engineer: User, lead: User
) -> None:
    for notice in sweep().mail:
        mail(notice)
    sent = {message.to[0]: message for message in outbox.outbox}
    assert set(sent) == {engineer.email, lead.email}
    mine = sent[engineer.email]
    assert mine.subject == "Ends within 1 day: nightly, replaced by nightly-2"
    assert old.revoke_at is not None
    assert f"{old.revoke_at:%Y-%m-%d} at {old.revoke_at:%H:%M} UTC" in mine.body
    assert "reissue/" not in mine.body
    assert new.name in mine.body


def test_nobody_is_mailed_of_a_short_overlap_or_of_an_end_that_has_moved(
    old: Token, engineer: User
) -> None:
    old.change(revoke_at=timezone.now() + timedelta(minutes=30))
    assert not sweep().mail
    late = Notice.objects.create(kind=NoticeKind.EXPIRES_IN_7_DAYS, token=old, recipient=engineer)
    assert not mail(late.pk), "it does not end in seven days any more"


def test_the_pages_of_a_desk_turn_at_true_ends(
    old: Token,
    make_token: Callable[..., Token],
    engineer: User,
    lead: User,
    sign_in: Callable[[User], Client],
) -> None:
    now = timezone.now()
    for n in range(60):
        overlap = now + timedelta(hours=n) if n % 2 else None
        make_token(
            engineer,
            name=f"n{n:02}",
            state=State.ACTIVE,
            expires_at=now + timedelta(days=20 if overlap else 0, hours=n),
            revoke_at=overlap,
        )
    browser = sign_in(lead)
    first = browser.get("/team/platform/").context["page"]
    second = browser.get("/team/platform/", {"page": first.next}).context["page"]
    names = [one.name for one in (*first, *second) if one != old]
    assert names == [f"n{n:02}" for n in range(60)]
    back = browser.get("/team/platform/", {"page": second.previous}).context["page"]
    assert [one.name for one in back] == [one.name for one in first]
