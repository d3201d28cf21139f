"""Two acts on one token, the second at each statement of the first: as if one came after the other.

Rights, state and recipient are to be those of the row that an act has locked: what it read before
the lock may be another person's by then. On PostgreSQL alone; SQLite lets one transaction write at
a time.
"""

import base64
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from portal.audit import Actor
from portal.flows.answer_handover import accept
from portal.flows.hand_over import HandOverRefusedError, hand_over
from portal.flows.reissue import ReissueTerms, reissue
from portal.flows.request import RequestRefusedError
from portal.flows.revoke import revoke, revoke_many
from portal.flows.sweep import end_expired
from portal.life import WrongStateError
from portal.models import Membership, State, Token, User
from portal.models.states import HOLDING_PLACE
from tests.conftest import Catalog, acting
from tests.person import KeyPair

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _as_many_requests_as_there_are_statements(settings: Settings) -> None:
    """One person asks for more tokens within a test than a person may within an hour."""
    settings.REQUESTS_PER_HOUR = 100_000


REFUSALS = (PermissionDenied, WrongStateError, RequestRefusedError, HandOverRefusedError)
A_WHILE = 0.1
"""Seconds after which an act that has not ended is taken to wait for a lock."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Who acts, and the key pair that all of their browsers share."""

    engineer: User
    teammate: User
    lead: User
    keys: KeyPair

    def terms(self, overlap: int | None) -> ReissueTerms:
        return ReissueTerms(overlap, True, 600, "", base64.b64decode(self.keys.public))


Act = Callable[[Stage, Token], object]

ACTS: dict[str, Act] = {
    "the owner revokes it": lambda s, t: revoke(t.pk, actor=acting(s.engineer)),
    "the lead ends many": lambda s, t: revoke_many(
        [t.pk], team=t.team, actor=acting(s.lead), reason="leaves"
    ),
    "a teammate accepts it": lambda s, t: accept(t.pk, actor=acting(s.teammate)),
    "the lead takes it over": lambda s, t: hand_over(t.pk, to=s.lead.email, actor=acting(s.lead)),
    "the owner replaces it": lambda s, t: reissue(t.pk, s.terms(None), actor=acting(s.engineer)),
    "the owner rotates it": lambda s, t: reissue(t.pk, s.terms(600), actor=acting(s.engineer)),
    "the lead takes it": lambda s, t: reissue(t.pk, s.terms(None), actor=acting(s.lead)),
    "its time is over": lambda s, t: _expire(t),
}


def _expire(token: Token) -> None:
    Token.objects.filter(pk=token.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    end_expired()


@pytest.fixture
def stage(catalog: Catalog, engineer: User, teammate: User, lead: User, keys: KeyPair) -> Stage:
    return Stage(engineer, teammate, lead, keys)


@pytest.fixture
def new_token(
    make_token: Callable[..., Token], engineer: User, teammate: User
) -> Callable[[], Token]:
    numbers = itertools.count()

    def new() -> Token:
        number = next(numbers)
        token = make_token(
            engineer,
            name=f"ci-{number:05}x",
            state=State.ACTIVE,
            aws_token_id=str(number + 1),
            may_exist_at_aws=True,
            issued_at=timezone.now(),
            expires_at=timezone.now() + timedelta(hours=1),
            delivered_at=timezone.now(),
            recipient=engineer,
        )
        hand_over(token.pk, to=teammate.email, actor=acting(engineer))
        return token

    return new


def how_it_came_out(token: Token, *acts: str) -> tuple[Any, ...]:
    """What is to be as if the acts had come one after the other.

    The sweep leaves a row that somebody holds to the next time, which is now.
    """
    end_expired()
    row = Token.objects.for_pages().get(pk=token.pk)
    replacements = Token.objects.filter(replaces=row, state__in=HOLDING_PLACE)
    possible_owners = tuple(sorted(replacements.values_list("owner__email", flat=True)))
    return (row.state, row.owner.email, row.ended_by, possible_owners, *acts)


def said(act: Act, stage: Stage, token: Token) -> str:
    """Whether the act was taken, or how it was refused."""
    try:
        act(stage, token)
    except REFUSALS as refusal:
        return type(refusal).__name__
    return "done"


class Pause:
    """Stops a thread before its statement number ``at``, until it is let go."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.seen = 0
        self.reached = threading.Event()
        self.goes_on = threading.Event()

    def __call__(self, execute: Callable[..., object], *arguments: object) -> object:
        if self.seen == self.at:
            self.reached.set()
            self.goes_on.wait(10)
        self.seen += 1
        return execute(*arguments)


def paused(act: Act, stage: Stage, token: Token, pause: Pause) -> str:
    try:
        with connection.execute_wrapper(pause):
            return said(act, stage, token)
    finally:
        pause.reached.set()
        connection.close()


def alone(act: Act, stage: Stage, token: Token) -> str:
    try:
        return said(act, stage, token)
    finally:
        connection.close()


def interleaved(
    first: Act, second: Act, stage: Stage, new_token: Callable[[], Token]
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """What comes of the two for each statement of the first before which the second begins."""
    for at in itertools.count():
        token, pause = new_token(), Pause(at)
        with ThreadPoolExecutor(2) as pool:
            one: Future[str] = pool.submit(paused, first, stage, token, pause)
            assert pause.reached.wait(10)
            if one.done():
                return
            other: Future[str] = pool.submit(alone, second, stage, token)
            until = time.monotonic() + A_WHILE
            while not other.done() and time.monotonic() < until:
                time.sleep(0.002)
            pause.goes_on.set()
            yield at, how_it_came_out(token, one.result(20), other.result(20))


@pytest.mark.parametrize(
    ("first", "second"), list(itertools.permutations(ACTS, 2)), ids=lambda name: name
)
def test_two_acts_at_once_are_as_if_one_had_come_after_the_other(
    stage: Stage, new_token: Callable[[], Token], first: str, second: str
) -> None:
    acts = ACTS[first], ACTS[second]
    token = new_token()
    before, after = said(acts[0], stage, token), said(acts[1], stage, token)
    serial = {how_it_came_out(token, before, after)}
    token = new_token()
    before, after = said(acts[1], stage, token), said(acts[0], stage, token)
    serial.add(how_it_came_out(token, after, before))
    statements = 0
    for at, outcome in interleaved(*acts, stage, new_token):
        assert outcome in serial, f"before statement {at}"
        statements = at + 1
    assert statements >= 3, "nothing was interleaved"
    assert Membership.objects.exists(), "the stage stood"


def test_an_act_that_asks_before_the_lock_is_noticed(
    stage: Stage, new_token: Callable[[], Token]
) -> None:
    """A revocation that decides on a row read before its lock, and so ends another's token."""

    def careless(stage: Stage, token: Token) -> None:
        actor: Actor = acting(stage.engineer)
        row = Token.objects.for_page(token.pk)
        if row.owner != actor.user:
            raise PermissionDenied
        revoke(token.pk, actor=acting(stage.lead))

    hands_over = ACTS["a teammate accepts it"]
    token = new_token()
    serial = {how_it_came_out(token, said(careless, stage, token), said(hands_over, stage, token))}
    token = new_token()
    handed, refused = said(hands_over, stage, token), said(careless, stage, token)
    serial.add(how_it_came_out(token, refused, handed))
    outcomes = {out for _, out in interleaved(careless, hands_over, stage, new_token)}
    assert outcomes - serial
