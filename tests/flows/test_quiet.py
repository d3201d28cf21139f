"""A replaced token that is held until Grafana has told of no use of it, with an end in any case."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from portal import policy
from portal.flows.deliver import deliver
from portal.flows.end_quiet import end_quiet
from portal.flows.give_notice import give_notice, keep
from portal.flows.issue import issue
from portal.flows.reissue import ReissueTerms, reissue
from portal.flows.request import RequestRefusedError
from portal.models import Grant, ServiceAccount, State, Token, User
from portal.scheduler import run_all as sweep
from tests.conftest import acting, asked_for
from tests.person import KeyPair

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_waiting")]

HOUR, DAY = 3_600, 86_400


@pytest.fixture
def old(make_token: Callable[..., Token], engineer: User) -> Token:
    token = asked_for(make_token(engineer, name="ci", seconds_to_live=20 * DAY))
    issue(token.pk)
    token.refresh_from_db()
    deliver(token.pk, token.fingerprint, actor=acting(engineer))
    return fresh(token)


@pytest.fixture
def terms(keys: KeyPair) -> ReissueTerms:
    """An overlap of an hour, and then until it was quiet for six."""
    public = base64.b64decode(keys.public)
    return ReissueTerms(HOUR, True, DAY, "rotation", public, quiet_seconds=6 * HOUR)


def fresh(token: Token) -> Token:
    return Token.objects.for_pages().get(pk=token.pk)


def take_new(old: Token, terms: ReissueTerms, person: User) -> datetime:
    new, _, _ = reissue(old.pk, terms, actor=acting(person))
    issue(new.pk)
    deliver(new.pk, fresh(new).fingerprint, actor=acting(person))
    delivered = fresh(new).delivered_at
    assert delivered is not None
    return delivered


def ago(**time: float) -> datetime:
    return timezone.now() - timedelta(**time)


def seen(token: Token, *, used: datetime | None, listed: datetime, **columns: Any) -> None:
    """What AMG's list said when it was last read; the overlap is over unless told otherwise."""
    columns.setdefault("quiet_from", ago(minutes=1))
    Token.objects.filter(pk=token.pk).update(last_used_at=used, **columns)
    ServiceAccount.objects.filter(pk=token.service_account_id).update(listed_at=listed)


def test_it_is_held_for_the_team_s_longest_overlap_at_most(
    old: Token, terms: ReissueTerms, engineer: User
) -> None:
    Grant.objects.update(max_overlap=3 * DAY)
    taken = take_new(old, terms, engineer)
    assert fresh(old).quiet_from == taken + timedelta(hours=1)
    assert fresh(old).revoke_at == taken + timedelta(days=3)
    Token.objects.filter(pk=old.pk).update(revoke_at=ago(seconds=1), last_used_at=ago(minutes=1))
    sweep()
    assert fresh(old).state == State.REVOKING, "used or not"


def test_it_never_outlives_itself(old: Token, terms: ReissueTerms, engineer: User) -> None:
    Token.objects.filter(pk=old.pk).update(expires_at=timezone.now() + timedelta(minutes=30))
    take_new(old, terms, engineer)
    assert fresh(old).revoke_at == fresh(old).expires_at == fresh(old).quiet_from


def test_it_ends_once_a_list_shows_that_it_was_quiet_for_so_long(
    old: Token, terms: ReissueTerms, engineer: User
) -> None:
    take_new(old, terms, engineer)
    seen(old, used=ago(hours=5), listed=ago(minutes=1))
    assert not end_quiet()
    seen(old, used=ago(hours=7), listed=ago(hours=2))
    assert not end_quiet(), "the list is from before that"
    seen(old, used=ago(hours=7), listed=ago(minutes=5), quiet_from=ago(hours=-1))
    assert not end_quiet(), "the overlap goes on"
    seen(old, used=ago(hours=7), listed=ago(minutes=5))
    end_quiet()
    end_quiet()
    row = fresh(old)
    assert (row.state, row.ended_by) == (State.REVOKING, "portal")
    assert row.end_reason == "It was replaced, and Grafana has told of no use for 6 hours."


def test_the_silence_of_a_grafana_that_never_told_of_a_use_says_nothing(
    old: Token, terms: ReissueTerms, engineer: User
) -> None:
    take_new(old, terms, engineer)
    seen(old, used=None, listed=ago(minutes=1))
    assert not end_quiet()
    quiet = policy.quiet_of(fresh(old))
    assert quiet is not None
    assert quiet.tells_nothing
    assert quiet.ends_at == fresh(old).revoke_at


def test_without_being_asked_nothing_is_held(
    old: Token, terms: ReissueTerms, engineer: User
) -> None:
    taken = take_new(old, replace(terms, quiet_seconds=None), engineer)
    assert (fresh(old).quiet_from, policy.quiet_of(fresh(old))) == (None, None)
    assert fresh(old).revoke_at == taken + timedelta(hours=1)


def test_what_ends_at_once_is_not_held(old: Token, terms: ReissueTerms, engineer: User) -> None:
    with pytest.raises(RequestRefusedError):
        reissue(old.pk, replace(terms, overlap_seconds=None), actor=acting(engineer))


def test_who_keeps_it_from_a_notice_keeps_the_hold(
    old: Token, terms: ReissueTerms, engineer: User, lead: User
) -> None:
    take_new(old, terms, engineer)
    until = fresh(old).revoke_at
    give_notice(old.pk, 600, actor=acting(lead))
    keep(old.pk, actor=acting(engineer))
    assert fresh(old).revoke_at == until
    assert policy.quiet_of(fresh(old)) is not None
