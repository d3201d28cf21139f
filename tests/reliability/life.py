"""The rules of the state machine: what may happen to requests at any time."""

import base64
import contextlib
import sys
import uuid
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from portal import sealing
from portal.flows.deliver import Confirmation, deliver
from portal.flows.request import RequestRefusedError, Wish, request
from portal.flows.revoke import WrongStateError, cancel, revoke
from portal.grafana.client import Client
from portal.grafana.errors import GrafanaError
from portal.models import Grant, State, Token, User
from tests.conftest import Catalog, acting
from tests.person import KeyPair
from tests.reliability.invariants import Sight, audited_whole, check
from tests.reliability.world import Killed, Message, Moment, World

CREATE = "CreateWorkspaceServiceAccountToken"
DELETE = "DeleteWorkspaceServiceAccountToken"
LIST = "ListWorkspaceServiceAccountTokens"

SKEWS = (0.0, -150.0, 120.0)
"""Seconds by which AWS's clock is ahead. Beyond 300 it would take no signature of ours."""
PAUSES = (1, 13, 31, 46, 100, 400, 1000, 4000)
LIFETIMES = (300, 3600)
STRANGERS_LIFETIME = 80_000
ROUNDS = 20
SECONDS_A_ROUND = 100.0

Happening = str
HAPPENINGS = (
    "killed",
    "killed",
    "withdrawn",
    "revoked",
    "confirmed",
    "swept",
    "same message",
    "out of time",
    "lease over",
)


def _error(status: int, kind: str, when: str = "before", **members: Any) -> dict[str, Any]:
    return {"kind": "error", "when": when, "status": status, "type": kind, **members}


ANYWHERE: tuple[dict[str, Any], ...] = (
    _error(429, "ThrottlingException", headers={"Retry-After": "3"}),
    _error(500, "InternalServerException"),
    _error(500, "InternalServerException", "after"),
    _error(503, "ServiceUnavailable", "after"),
    _error(403, "AccessDeniedException"),
    _error(409, "ConflictException"),
    {"kind": "drop", "when": "before"},
    {"kind": "drop", "when": "after"},
    {"kind": "html"},
    {"kind": "empty"},
    {"kind": "truncated"},
)
FAULTS: tuple[dict[str, Any], ...] = (
    *({"operation": operation, **fault} for operation in (CREATE, DELETE) for fault in ANYWHERE),
    *({"operation": LIST, **fault} for fault in ANYWHERE[:6]),
    {"operation": CREATE, "kind": "no_key"},
    {"operation": CREATE, **_error(402, "ServiceQuotaExceededException")},
    {"operation": CREATE, **_error(404, "ResourceNotFoundException")},
)


class Life(RuleBasedStateMachine):
    """Requests of one engineer, for one service account."""

    tokens = Bundle("tokens")

    def __init__(self, world: World, engineer: User, catalog: Catalog, keys: KeyPair) -> None:
        super().__init__()
        self.world = world
        self.actor = acting(engineer)
        self.team = engineer.teams.get()
        self.catalog = catalog
        self.keys = keys
        self.names = 0
        self.strangers: set[str] = set()
        self.opened: dict[uuid.UUID, set[str]] = {}
        """By request: the fingerprint of every key that its browser has opened."""

    @initialize(skew=st.sampled_from(SKEWS))
    def begin(self, skew: float) -> None:
        self.world.begin(skew=skew)
        Grant.objects.update(max_ttl=86_400, default_ttl=60)

    # -- People -----------------------------------------------------------------------------------

    @rule(target=tokens, seconds_to_live=st.sampled_from(LIFETIMES))
    def somebody_asks(self, seconds_to_live: int) -> uuid.UUID:
        self.names += 1
        limit = Grant.objects.filter(team=self.team).values_list("max_ttl", flat=True)[0]
        return self._ask(f"ci-{self.names}", min(seconds_to_live, limit))

    @rule(token=tokens)
    def somebody_asks_for_the_same_name(self, token: uuid.UUID) -> None:
        """Refused while the name is held; once it is free it is anybody's."""
        with contextlib.suppress(RequestRefusedError):
            self._ask(Token.objects.get(pk=token).name, 100)

    def _ask(self, name: str, seconds_to_live: int) -> uuid.UUID:
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
            self.world.broker.append(Message("issue", token.pk))
        return token.pk

    @rule(token=tokens)
    def the_page_opens_the_key(self, token: uuid.UUID) -> None:
        row = Token.objects.get(pk=token)
        if row.sealed_key is not None:
            key = self.keys.open(base64.b64encode(row.sealed_key).decode(), str(token))
            self.opened.setdefault(token, set()).add(sealing.fingerprint(key))

    @rule(token=tokens, killed=st.booleans())
    def the_page_confirms(self, token: uuid.UUID, killed: bool) -> None:
        for fingerprint in self.opened.get(token, ()):
            answer = self.world.run(
                lambda fingerprint=fingerprint: deliver(token, fingerprint, actor=self.actor),
                Moment.BEFORE_COMMIT if killed else None,
                die,
            )
            row = Token.objects.get(pk=token)
            assert (answer == Confirmation.DELIVERED) <= (row.delivered_at is not None)
            assert answer != Confirmation.WRONG_FINGERPRINT

    @rule(token=tokens)
    def a_page_confirms_what_it_never_opened(self, token: uuid.UUID) -> None:
        answer = deliver(token, "0" * 64, actor=self.actor)
        assert answer != Confirmation.DELIVERED

    @rule(token=tokens)
    def the_owner_revokes(self, token: uuid.UUID) -> None:
        with contextlib.suppress(WrongStateError):
            revoke(token, actor=self.actor, reason="not needed")
            self.world.broker.append(Message("revoke", token))

    @rule(token=tokens)
    def the_owner_withdraws(self, token: uuid.UUID) -> None:
        with contextlib.suppress(WrongStateError):
            cancel(token, actor=self.actor)

    @rule(max_ttl=st.sampled_from((86_400, 120)))
    def the_grant_changes(self, max_ttl: int) -> None:
        Grant.objects.update(max_ttl=max_ttl)

    # -- Strangers, who use the workspace without the portal --------------------------------------

    @rule(account=st.sampled_from(("deployer", "admin_account")), ahead=st.booleans())
    def a_stranger_makes_a_token(self, account: str, ahead: bool) -> None:
        """Of the last request's name, or of the next one's."""
        before = {one["id"] for one in self.world.aws.live_tokens()}
        with contextlib.suppress(GrafanaError), contextlib.closing(Client()) as client:
            client.create_token(
                self.catalog.workspace.aws_id,
                getattr(self.catalog, account).aws_id,
                name=f"ci-{self.names + ahead}",
                seconds_to_live=STRANGERS_LIFETIME,
            )
        made = {one["id"] for one in self.world.aws.live_tokens()} - before
        self.strangers |= {str(one) for one in made}

    # -- Workers, the broker, the scheduler -------------------------------------------------------

    @precondition(lambda self: self.world.broker)
    @rule(
        position=st.integers(0, 9),
        stays=st.booleans(),
        moment=st.none() | st.sampled_from(Moment),
        happens=st.sampled_from(HAPPENINGS),
    )
    def a_worker_takes_a_message(
        self, position: int, stays: bool, moment: Moment | None, happens: Happening
    ) -> None:
        """It may come twice; and at one moment of the work something else may happen."""
        broker = self.world.broker
        message = broker[position % len(broker)]
        if not stays:
            broker.remove(message)
        self.world.work(message, moment, lambda: self._happens(happens, message, moment))

    def _happens(self, what: Happening, message: Message, moment: Moment | None) -> None:
        token = message.argument
        is_token = isinstance(token, uuid.UUID)
        if what == "killed" or moment == Moment.BEFORE_COMMIT:
            die()
        elif what == "withdrawn" and is_token:
            self.the_owner_withdraws(token)
        elif what == "revoked" and is_token:
            self.the_owner_revokes(token)
        elif what == "confirmed" and is_token:
            self.the_page_opens_the_key(token)
            self.the_page_confirms(token, killed=False)
        elif what == "swept":
            self.world.sweep()
        elif what == "same message":
            self.world.work(message)
        elif what == "out of time":
            self.world.pass_time(13)
        elif what == "lease over":
            self.world.pass_time(46)
            self.world.sweep()
            self.world.work_all()

    @rule()
    def workers_take_everything(self) -> None:
        self.world.work_all()

    @rule()
    def the_broker_loses_everything(self) -> None:
        self.world.broker.clear()

    @rule(killed=st.booleans())
    def the_scheduler_sweeps(self, killed: bool) -> None:
        self.world.run(self.world.sweep, Moment.BEFORE_COMMIT if killed else None, die)

    @rule(seconds=st.sampled_from(PAUSES))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    # -- AWS and the way to it --------------------------------------------------------------------

    @rule(fault=st.sampled_from(FAULTS), status=st.sampled_from((409, 400)))
    def aws_is_going_to_fail(self, fault: dict[str, Any], status: int) -> None:
        self.world.aws.faults(fault)
        self.world.aws.settings(duplicate_status=status)

    @rule()
    def the_next_create_is_held_up(self) -> None:
        self.world.holds_up_next_create = True

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
        assert all(len(keys) == 1 for keys in self.opened.values()), "one request, two keys"
        for token, keys in self.opened.items():
            assert Token.objects.get(pk=token).fingerprint in keys

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
                if left > 0:
                    self._quiet_time(min(left, SECONDS_A_ROUND))
                    world.let_arrive(create)
            self._quiet_time(SECONDS_A_ROUND)
        sight = Sight.of(world, self.strangers)
        check(world, sight)
        assert {row.aws_token_id for row in sight.rows if row.state == State.ACTIVE} == set(
            sight.live
        )
        at_rest = (State.ACTIVE, State.EXPIRED, State.REVOKED, State.FAILED, State.CANCELLED)
        assert {row.state for row in sight.rows} <= set(at_rest)
        assert [row.name for row in sight.rows if row.unresolved_since is not None] == []
        audited_whole(world, sight)

    def _quiet_time(self, seconds: float) -> None:
        self.world.pass_time(seconds)
        self.world.sweep()
        self.world.work_all()


def die() -> None:
    raise Killed
