"""What two people do at the same moment: who waits for a lock finds the row as it is afterwards."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from portal.flows.answer_handover import accept
from portal.flows.deliver import Confirmation, deliver
from portal.flows.hand_over import HandOverRefusedError, hand_over
from portal.flows.reissue import ReissueTerms, reissue
from portal.flows.request import RequestRefusedError, TokenRequest, request
from portal.flows.revoke import revoke, revoke_many
from portal.flows.sweep import revoke_unclaimed
from portal.models import Action, AuditEvent, Grant, State, Team, Token, User
from portal.models.states import LIVE
from tests.conftest import Catalog, acting

pytestmark = pytest.mark.django_db(transaction=True)

A_MOMENT = 1.0
"""Seconds for which the first keeps what it has locked: the second is waiting by then."""


@contextmanager
def uncommitted(act: Callable[[], object]) -> Iterator[None]:
    """Somebody has done this, and commits it a moment later."""
    done, begun = threading.Event(), threading.Event()

    def run() -> None:
        try:
            with transaction.atomic():
                act()
                done.set()
                begun.wait(10)
                threading.Event().wait(A_MOMENT)
        finally:
            done.set()
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert done.wait(10)
    begun.set()
    try:
        yield
    finally:
        thread.join()


@pytest.fixture
def token(make_token: Callable[..., Token], engineer: User) -> Token:
    return make_token(engineer, state=State.ACTIVE)


@pytest.fixture
def given(token: Token, lead: User, teammate: User) -> Callable[[], object]:
    hand_over(token.pk, to=teammate.email, actor=acting(lead))
    return lambda: accept(token.pk, actor=acting(teammate))


def test_who_revokes_what_is_just_given_to_somebody_else_revokes_it(
    token: Token, given: Callable[[], object], lead: User, teammate: User
) -> None:
    with uncommitted(given):
        revoke(token.pk, actor=acting(lead), reason="it leaked")
    token.refresh_from_db()
    assert (token.state, token.owner) == (State.REVOKING, teammate)
    told = token.notices.filter(kind="revoked")
    assert [notice.recipient for notice in told] == [teammate]


def test_who_ends_many_leaves_none_out_that_is_just_given_to_somebody_else(
    token: Token,
    given: Callable[[], object],
    make_token: Callable[..., Token],
    engineer: User,
    lead: User,
    platform: Team,
) -> None:
    both = [token.pk, make_token(engineer, state=State.ACTIVE).pk]
    with uncommitted(given):
        done = revoke_many(both, team=platform, actor=acting(lead), reason="left")
    assert sorted(one.pk for one in done.revoked) == sorted(both)
    assert set(Token.objects.values_list("state", flat=True)) == {State.REVOKING}


def test_an_overlap_begins_though_the_old_token_is_just_given_to_somebody_else(
    token: Token, given: Callable[[], object], make_token: Callable[..., Token], engineer: User
) -> None:
    Token.objects.filter(pk=token.pk).update(expires_at="2999-01-01T00:00:00Z")
    new = make_token(
        engineer,
        state=State.SEALED,
        sealed_key=b"ciphertext",
        fingerprint="f" * 64,
        replaces=token,
        overlap_seconds=3600,
    )
    with uncommitted(given):
        answer = deliver(new.pk, "f" * 64, actor=acting(engineer))
    token.refresh_from_db()
    assert answer.confirmation == Confirmation.DELIVERED
    assert token.revoke_at is not None


def test_two_tokens_given_to_one_person_at_once_do_not_pass_the_limit(
    token: Token,
    given: Callable[[], object],
    make_token: Callable[..., Token],
    engineer: User,
    lead: User,
    teammate: User,
) -> None:
    Grant.objects.update(max_live_per_person=1)
    other = make_token(engineer, state=State.ACTIVE)
    hand_over(other.pk, to=teammate.email, actor=acting(lead))
    with uncommitted(given), pytest.raises(HandOverRefusedError):
        accept(other.pk, actor=acting(teammate))
    assert Token.objects.filter(owner=teammate).count() == 1


@pytest.mark.parametrize("limit", ["max_live", "max_live_per_person"])
def test_two_requests_at_once_do_not_pass_the_limit(
    catalog: Catalog, platform: Team, engineer: User, limit: str
) -> None:
    Grant.objects.update(**{limit: 1})
    wish = TokenRequest(platform, catalog.deployer, "first", 3600, "", b"key")
    second = TokenRequest(platform, catalog.deployer, "second", 3600, "", b"key")
    with (
        uncommitted(lambda: request(wish, actor=acting(engineer))),
        pytest.raises(RequestRefusedError),
    ):
        request(second, actor=acting(engineer))
    assert [token.name for token in Token.objects.all()] == ["first"]


def test_a_request_beside_a_reissue_does_not_pass_the_limit(
    token: Token, catalog: Catalog, platform: Team, engineer: User
) -> None:
    Grant.objects.update(max_live=1)
    wish = TokenRequest(platform, catalog.deployer, "another", 3600, "", b"key")
    plan = ReissueTerms(None, True, 3600, "", b"key")
    with (
        uncommitted(lambda: reissue(token.pk, plan, actor=acting(engineer))),
        pytest.raises(RequestRefusedError),
    ):
        request(wish, actor=acting(engineer))
    assert Token.objects.filter(state__in=LIVE).count() == 1


@pytest.fixture
def sealed(make_token: Callable[..., Token], engineer: User) -> Token:
    """A key that nobody has taken in time, and that the next sweep wipes."""
    return make_token(
        engineer,
        state=State.SEALED,
        sealed_key=b"ciphertext",
        sealed_at=timezone.now() - timedelta(days=1),
        fingerprint="f" * 64,
        aws_token_id="17",
    )


def test_a_sweep_leaves_a_key_alone_that_is_just_confirmed(sealed: Token, engineer: User) -> None:
    with uncommitted(lambda: deliver(sealed.pk, "f" * 64, actor=acting(engineer))):
        revoke_unclaimed()
    revoke_unclaimed()
    sealed.refresh_from_db()
    assert (sealed.state, sealed.sealed_key) == (State.ACTIVE, None)


def test_a_key_that_a_sweep_is_just_wiping_is_not_confirmed(sealed: Token, engineer: User) -> None:
    with uncommitted(revoke_unclaimed):
        answer = deliver(sealed.pk, "f" * 64, actor=acting(engineer))
    sealed.refresh_from_db()
    assert (answer.confirmation, sealed.state) == (Confirmation.GONE, State.REVOKING)
    told = AuditEvent.objects.filter(token_id=sealed.pk).values_list("action", flat=True)
    assert list(told) == [Action.TOKEN_UNCLAIMED]
