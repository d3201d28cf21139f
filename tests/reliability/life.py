"""The rules of the state machine: what may happen to requests at any time."""

import base64
import contextlib
import sys
import uuid
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from portal import sealing
from portal.flows.deliver import Confirmation, deliver
from portal.flows.request import RequestRefusedError, Wish, request
from portal.flows.revoke import cancel, revoke
from portal.grafana.client import Client
from portal.grafana.errors import GrafanaError
from portal.models import Grant, ServiceAccount, State, Token, User
from portal.models.queries import TokenQuerySet
from portal.policy import WrongStateError
from tests.conftest import Catalog, acting
from tests.person import KeyPair
from tests.reliability.invariants import Sight, audited_whole, check
from tests.reliability.troubles import FAULTS, HAPPENINGS, RARE
from tests.reliability.world import Killed, Message, Moment, World

SKEWS = (0.0, -150.0, 120.0)
"""Seconds by which AWS's clock is ahead. Beyond 300 it would take no signature of ours."""
PAUSES = (1, 31, 46, 46, 100, 400, 1000, 4000)
LIFETIMES = (300, 3600)
STRANGERS_LIFETIME = 80_000
ROUNDS = 20
SECONDS_A_ROUND = 100.0
"""After all faults: long enough for what nobody fetches (15 min) to be revoked, and settled."""

RECENT = st.integers(0, 2)
NEVER_OPENED = "0" * 64
"""The fingerprint of no key."""


class Life(RuleBasedStateMachine):
    """Requests of one engineer, for one service account."""

    def __init__(self, world: World, engineer: User, catalog: Catalog, keys: KeyPair) -> None:
        super().__init__()
        self.world = world
        self.actor = acting(engineer)
        self.team = engineer.teams.get()
        self.catalog = catalog
        self.keys = keys
        self.tokens: list[uuid.UUID] = []
        self.strangers: set[str] = set()
        self.opened: dict[uuid.UUID, set[str]] = {}
        """By request: the fingerprint of every key that its browser has opened."""

    @initialize(skew=st.sampled_from(SKEWS), duplicate_status=st.sampled_from((409, 400)))
    def begin(self, skew: float, duplicate_status: int) -> None:
        self.world.begin(skew=skew)
        self.world.aws.settings(duplicate_status=duplicate_status)
        Grant.objects.update(max_ttl=86_400, default_ttl=60)

    # -- People -----------------------------------------------------------------------------------

    @rule(seconds_to_live=st.sampled_from(LIFETIMES))
    def somebody_asks(self, seconds_to_live: int) -> None:
        limit = Grant.objects.filter(team=self.team).values_list("max_ttl", flat=True)[0]
        self._ask(f"ci-{len(self.tokens) + 1}", min(seconds_to_live, limit))

    def _ask(self, name: str, seconds_to_live: int) -> None:
        wish = Wish(
            team=self.team,
            service_account=self.catalog.deployer,
            name=name,
            seconds_to_live=seconds_to_live,
            reason="",
            public_key=base64.b64decode(self.keys.public),
        )
        token, is_new = request(wish, actor=self.actor)
        if is_new:
            self.tokens.append(token.pk)
            self.world.broker.append(Message("issue", token.pk))

    @precondition(lambda self: self.tokens)
    @rule(back=RECENT, confirms=st.sampled_from(("at once", "later", "killed")))
    def the_page_opens_the_key(self, back: int, confirms: str) -> None:
        token = self._token(back)
        row = Token.objects.get(pk=token)
        if row.sealed_key is not None:
            key = self.keys.open(base64.b64encode(row.sealed_key).decode(), str(token))
            self.opened.setdefault(token, set()).add(sealing.fingerprint(key))
        if confirms != "later":
            self.the_page_confirms(back, killed=confirms == "killed")

    @precondition(lambda self: self.tokens)
    @rule(back=RECENT, killed=st.booleans())
    def the_page_confirms(self, back: int, killed: bool) -> None:
        token = self._token(back)
        for fingerprint in self.opened.get(token, {NEVER_OPENED}):
            answer = self.world.run(
                partial(deliver, token, fingerprint, actor=self.actor),
                Moment.BEFORE_COMMIT if killed else None,
                die,
            )
            if answer == Confirmation.DELIVERED:
                assert fingerprint != NEVER_OPENED
                assert Token.objects.get(pk=token).delivered_at is not None

    @precondition(lambda self: self.tokens)
    @rule(back=RECENT)
    def the_owner_ends_it(self, back: int) -> None:
        self._end(self._token(back))

    def _end(self, token: uuid.UUID) -> None:
        """Withdraw the request while it is one, and revoke the token after that."""
        try:
            revoke(token, actor=self.actor, reason="not needed")
            self.world.broker.append(Message("revoke", token))
        except WrongStateError:
            with contextlib.suppress(WrongStateError):
                cancel(token, actor=self.actor)

    # -- Workers, the broker, the scheduler, the network ------------------------------------------

    @rule(position=st.integers(0, 3), stays=st.booleans())
    def a_worker_takes_a_message(self, position: int, stays: bool) -> None:
        self._work(position, stays)

    @rule(position=st.integers(0, 3), stays=st.booleans(), fault=st.sampled_from(FAULTS))
    def a_worker_meets_a_fault(self, position: int, stays: bool, fault: dict[str, Any]) -> None:
        """Or whoever makes such a call next."""
        self.world.aws.faults(fault)
        self._work(position, stays)

    @rule(position=st.integers(0, 3), stays=st.booleans())
    def a_worker_gives_up_on_a_create(self, position: int, stays: bool) -> None:
        """Which may still arrive."""
        self.world.holds_up_next_create = True
        self._work(position, stays)

    @rule(
        position=st.integers(0, 3),
        stays=st.booleans(),
        moment=st.sampled_from(Moment),
        happens=st.sampled_from(HAPPENINGS),
    )
    def a_worker_is_interrupted(
        self, position: int, stays: bool, moment: Moment, happens: str
    ) -> None:
        self._work(position, stays, moment, happens)

    def _work(
        self, position: int, stays: bool, moment: Moment | None = None, happens: str = ""
    ) -> None:
        """Take a message, which may come again; that of a new request if there is none."""
        broker = self.world.broker
        if not broker:
            self.somebody_asks(LIFETIMES[0])
        message = broker[position % len(broker)]
        if not stays:
            broker.remove(message)
        self.world.work(message, moment, lambda: self._interruption(happens, message, moment))

    def _token(self, back: int) -> uuid.UUID:
        """One of the last requests; the last one, if ``back`` is 0."""
        return self.tokens[-1 - back % len(self.tokens)]

    def _interruption(self, happens: str, message: Message, moment: Moment | None) -> None:
        token = message.argument
        if happens == "killed" or moment == Moment.BEFORE_COMMIT:
            die()
        elif happens == "ended" and isinstance(token, uuid.UUID):
            self._end(token)
        elif happens == "same message":
            self.world.work(message)
        elif happens == "out of time":
            self.world.pass_time(13)
        elif happens == "lease over":
            self.world.pass_time(46)
            self.world.sweep()
            self.world.work_all()

    @rule(seconds=st.sampled_from(PAUSES), swept=st.booleans())
    def time_passes(self, seconds: float, swept: bool) -> None:
        self.world.pass_time(seconds)
        if swept:
            self.world.sweep()

    @rule()
    def workers_take_everything(self) -> None:
        self.world.sweep()
        self.world.work_all()

    @precondition(lambda self: self.tokens)
    @rule(what=st.sampled_from(RARE), back=RECENT)
    def something_rare_happens(self, what: str, back: int) -> None:
        match what:
            case "the name is asked for again":
                # Refused while the name is held; once it is free it is anybody's.
                with contextlib.suppress(RequestRefusedError):
                    self._ask(Token.objects.get(pk=self._token(back)).name, 100)
            case "the scheduler is killed":
                self.world.run(self.world.sweep, Moment.BEFORE_COMMIT, die)
            case "the broker is emptied":
                self.world.broker.clear()
            case "a stranger takes the name":
                self._stranger(self.catalog.deployer, len(self.tokens))
            case "a stranger takes the next name":
                self._stranger(self.catalog.deployer, len(self.tokens) + 1)
            case "a stranger takes the name for another account":
                self._stranger(self.catalog.admin_account, len(self.tokens))

    @rule(max_ttl=st.sampled_from((86_400, 120)))
    def the_grant_changes(self, max_ttl: int) -> None:
        Grant.objects.update(max_ttl=max_ttl)

    def _stranger(self, account: ServiceAccount, number: int) -> None:
        """A token that is made outside the portal."""
        before = {one["id"] for one in self.world.aws.live_tokens()}
        with contextlib.suppress(GrafanaError), contextlib.closing(Client()) as client:
            client.create_token(
                account.workspace.aws_id,
                account.aws_id,
                name=f"ci-{number}",
                seconds_to_live=STRANGERS_LIFETIME,
            )
        made = {one["id"] for one in self.world.aws.live_tokens()} - before
        self.strangers |= {str(one) for one in made}

    @precondition(lambda self: self.world.held_up)
    @rule()
    def what_was_held_up_arrives(self) -> None:
        create = self.world.held_up[0]
        if self.world.may_still_arrive(create) > 0:
            self.world.let_arrive(create)

    # -- What holds -------------------------------------------------------------------------------

    @invariant()
    def nothing_is_lost_or_held_twice(self) -> None:
        check(self.world, Sight.of(self.world, self.strangers))
        for row in Token.objects.filter(pk__in=self.opened):
            assert self.opened[row.pk] == {row.fingerprint}, "one request, one key"

    def teardown(self) -> None:
        """When all faults are over, what is left at AWS is what somebody has the key of."""
        if sys.exc_info()[0] is None:
            self._come_to_rest()

    def _come_to_rest(self) -> None:
        world = self.world
        world.calm()
        for _ in range(ROUNDS):
            for create in list(world.held_up):
                left = world.may_still_arrive(create)
                if left <= 0:
                    world.held_up.remove(create)
                elif left <= SECONDS_A_ROUND:
                    # As late as can be.
                    self._quiet_time(left)
                    world.let_arrive(create)
            self._quiet_time(SECONDS_A_ROUND)
            if not world.held_up and not self._open():
                break
        sight = Sight.of(world, self.strangers)
        check(world, sight)
        assert {row.aws_token_id for row in sight.rows if row.state == State.ACTIVE} == set(
            sight.live
        )
        assert [f"{row.name} is {row.state}" for row in self._open()] == []
        audited_whole(world, sight, self.strangers)

    def _open(self) -> TokenQuerySet:
        """Rows that the sweep and the workers are not done with."""
        done = (State.ACTIVE, State.EXPIRED, State.REVOKED, State.FAILED, State.CANCELLED)
        return Token.objects.exclude(state__in=done, unresolved_since=None)

    def _quiet_time(self, seconds: float) -> None:
        self.world.pass_time(seconds)
        self.world.sweep()
        self.world.work_all()


def die() -> None:
    raise Killed
