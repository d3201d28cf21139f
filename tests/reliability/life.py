"""The rules of the state machine: what may happen to requests at any time."""

import contextlib
import sys
import uuid
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from portal.grafana.client import Client
from portal.grafana.errors import GrafanaError
from portal.models import Approval, Grant, ServiceAccount, Token
from tests.reliability.invariants import Sight, check
from tests.reliability.people import LIFETIMES, RECENT, Cast, People, die
from tests.reliability.rest import come_to_rest
from tests.reliability.troubles import FAULTS, HAPPENINGS, RARE
from tests.reliability.world import Message, Moment, World

SKEWS = (0.0, -45.0, 45.0, -150.0, 120.0)
"""Seconds by which AWS's clock is ahead. Beyond 60 nothing ends by ours, until it is mended; beyond
300 AWS would take no signature of ours."""
PAUSES = (1, 31, 46, 46, 100, 400, 1000, 4000)
STRANGERS_LIFETIME = 80_000
MOST_LIVE = (None, 2, 4)
"""How many tokens the team may have."""


class Life(People):
    """What else may happen: workers, the broker, the scheduler, the network, AWS, and time."""

    def __init__(self, world: World, people: Cast) -> None:
        super().__init__(world, people)
        self.strangers: set[str] = set()
        self.issued: set[uuid.UUID] = set()

    @initialize(
        skew=st.sampled_from(SKEWS),
        duplicate_status=st.sampled_from((409, 400)),
        approval=st.sampled_from((Approval.NEVER, Approval.NEVER, Approval.ALWAYS)),
        most_live=st.sampled_from(MOST_LIVE),
        has_a_token=st.booleans(),
    )
    def begin(
        self,
        skew: float,
        duplicate_status: int,
        approval: Approval,
        most_live: int | None,
        has_a_token: bool,
    ) -> None:
        self.world.begin(skew=skew)
        self.world.aws.settings(duplicate_status=duplicate_status)
        self.most_live = most_live
        Grant.objects.update(max_ttl=86_400, default_ttl=60, approval=approval, max_live=most_live)
        if has_a_token:
            self.somebody_asks(LIFETIMES[1])
            self.all_goes_well_for_once(0)

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
        if not broker:
            return  # it was refused, or waits for people
        message = broker[position % len(broker)]
        if not stays:
            broker.remove(message)
        self.world.work(message, moment, lambda: self._interruption(happens, message, moment))

    def _interruption(self, happens: str, message: Message, moment: Moment | None) -> None:
        token = message.argument
        if happens == "killed" or moment == Moment.BEFORE_COMMIT:
            die()
        elif happens == "ended" and isinstance(token, uuid.UUID):
            self._end(token)
        elif happens == "access lost":
            self.the_engineer_leaves_the_team()
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
                # Once it is free it is anybody's.
                self._ask(Token.objects.get(pk=self._token(back)).name, 100)
            case "the scheduler is killed":
                self.world.run(self.world.sweep, Moment.BEFORE_COMMIT, die)
            case "the broker is emptied":
                self.world.broker.clear()
            case "the engineer leaves the team":
                self.the_engineer_leaves_the_team()
            case "a stranger takes the name":
                self._stranger(self.people.catalog.deployer, len(self.tokens))
            case "a stranger takes the next name":
                self._stranger(self.people.catalog.deployer, len(self.tokens) + 1)
            case "a stranger takes the name for another account":
                self._stranger(self.people.catalog.admin_account, len(self.tokens))

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

    @invariant()
    def nothing_is_made_that_policy_does_not_want(self) -> None:
        rows = Token.objects.filter(pk__in=self.tokens)
        for row in rows:
            assert row.seconds_to_live <= self.wanted[row.pk], "longer than was asked for"
        # No step both changes the grant and makes a token.
        made = set(rows.exclude(aws_token_id="").values_list("pk", flat=True)) - self.issued
        self.issued |= made
        if Grant.objects.filter(team=self.people.team, approval=Approval.ALWAYS).exists():
            assert not rows.filter(pk__in=made, approved_at=None).exists(), "nobody approved it"
        promised = [row for row in rows if row.holds_place]
        replaced = {row.replaces_id for row in promised}
        counted = [row for row in promised if row.revoke_at is None and row.pk not in replaced]
        assert self.most_live is None or len(counted) <= self.most_live

    def teardown(self) -> None:
        """When all faults are over, what is left at AWS is what somebody has the key of."""
        if sys.exc_info()[0] is None:
            come_to_rest(self.world, self.strangers)
