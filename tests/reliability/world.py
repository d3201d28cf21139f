"""What a token lives in: workers, a broker, a network and a clock, each to be moved step by step.

The database, the sandbox (a process of its own), the flows and the cryptography are the real ones.
Three things are this file's: the broker is a list, so that a test says which message comes when,
how often, or never; time passes because every time on record, ours and AWS's, moves back; and a
client stops at moments at which something else may happen first, or its worker be killed.
"""

import contextlib
import sqlite3
import time
import types
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

import pytest
import redis
from django.conf import settings
from django.db.models import DateTimeField, F

from portal import audit, clock, gateway, pace, sealing
from portal.flows import attempt
from portal.flows.issue import issue
from portal.flows.prune import prune
from portal.flows.recover import settle
from portal.flows.revoke import delete_at_aws
from portal.grafana import clients, heard
from portal.grafana.client import Client
from portal.grafana.errors import GrafanaError, OutcomeUnknown
from portal.grafana.types import CreatedToken, Operation, TokenList
from portal.models import AuditEvent, Clock, Connection, Notice, Token
from portal.scheduler import run_all as sweep
from tests.grafana.sandbox_process import SandboxProcess

SIGNATURE_SECONDS = 300.0
"""For so long AWS takes a signed request, by its own clock."""

FLOWS: dict[str, Callable[[Any], object]] = {
    "issue": issue,
    "revoke": delete_at_aws,
    "settle": settle,
    "prune": prune,
}

_TIMES = [one.name for one in Token._meta.get_fields() if isinstance(one, DateTimeField)]

T = TypeVar("T")


class Killed(BaseException):
    """The worker died here, as SIGKILL has it: no handler of ours runs."""


class Moment(StrEnum):
    """Where a flow can be interrupted."""

    BEFORE_LIST = "before the list"
    AFTER_LIST = "after the list"
    BEFORE_DELETE = "before the delete"
    AFTER_DELETE = "after the delete"
    BEFORE_CREATE = "before the create"
    AFTER_CREATE = "after the create"
    BEFORE_SEAL = "before the seal"
    BEFORE_COMMIT = "before the commit"


class Message(NamedTuple):
    """What lies in the broker."""

    task: str
    argument: Any


@dataclass(slots=True)
class HeldUp:
    """A create that left, and has not reached AWS yet; its sender has given up."""

    call: tuple[str, str, str, int]
    age: float = 0.0
    """Seconds since it was signed."""

    @property
    def name(self) -> str:
        return self.call[2]


@dataclass(slots=True)
class World:
    """All that a step may move. ``skew`` is how far AWS's clock is ahead of ours, in seconds."""

    aws: SandboxProcess
    skew: float = 0.0
    were_apart: set[float] = field(default_factory=set)
    """All that the skew has been."""
    broker: list[Message] = field(default_factory=list)
    held_up: list[HeldUp] = field(default_factory=list)
    holds_up_next_create: bool = False
    passed: float = 0.0
    _interruption: tuple[Moment, Callable[[], object]] | None = None
    _trouble: Exception | None = None

    def begin(self, *, skew: float) -> None:
        """Everything as new. The audit log stays: nobody may delete from it."""
        self.aws.reset()
        Clock.objects.all().delete()
        self.were_apart = {0.0}
        self.skew_by(skew)
        Notice.objects.all().delete()
        Token.objects.update(replaces=None)
        Token.objects.all().delete()
        redis.Redis.from_url(settings.CACHE_URL).flushdb()
        self.passed = 0.0
        self._trouble = None
        self.broker.clear()
        self.calm()
        self.held_up.clear()

    def calm(self) -> None:
        """No more faults."""
        self.aws.clear_faults()
        self.holds_up_next_create = False

    # -- Workers and their broker ---------------------------------------------------------------

    def sweep(self) -> None:
        """One sweep, and its messages to the broker; the scheduler has AWS say what time it is."""
        gateway.ask_the_time(Connection.objects.all())
        swept = sweep()
        self.broker += [Message("issue", token_id) for token_id in swept.issue]
        self.broker += [Message("revoke", token_id) for token_id in swept.revoke]
        self.broker += [Message("settle", token_id) for token_id in swept.settle]
        self.broker += [Message("prune", account_id) for account_id in swept.prune]

    def work(
        self,
        message: Message,
        moment: Moment | None = None,
        happens: Callable[[], object] | None = None,
    ) -> None:
        """A worker does what a message says; see ``run``."""
        self.run(lambda: FLOWS[message.task](message.argument), moment, happens)

    def work_all(self) -> None:
        """Workers take whatever lies in the broker, and are done with it."""
        while self.broker:
            self.work(self.broker.pop(0))

    def run(
        self,
        flow: Callable[[], T],
        moment: Moment | None = None,
        happens: Callable[[], object] | None = None,
    ) -> T | None:
        """What the flow returns; None if it is killed. At ``moment`` something else happens."""
        interruption, self._interruption = self._interruption, None
        if moment is not None and happens is not None:
            self._interruption = (moment, happens)
        try:
            return flow()
        except Killed:
            return None
        finally:
            self._interruption = interruption
            if self._trouble is not None:
                # A flow may have taken it for trouble of its own, and have got over it.
                raise self._trouble

    def reach(self, moment: Moment) -> None:
        if self._interruption is not None and self._interruption[0] == moment:
            happens, self._interruption = self._interruption[1], None
            try:
                happens()
            except Exception as trouble:
                self._trouble = trouble
                raise

    # -- The clock ------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """Let seconds pass, everywhere alike."""
        self._move_back(seconds)
        self.passed += seconds
        for one in self.held_up:
            one.age += seconds

    def _move_back(self, seconds: float) -> None:
        """Every time on record, ours and AWS's."""
        span = timedelta(seconds=seconds)
        Token.objects.update(**{name: F(name) - span for name in _TIMES})
        Clock.objects.update(
            rests_until=F("rests_until") - span, off_since=F("off_since") - span, at=F("at") - span
        )
        with contextlib.closing(sqlite3.connect(self.aws.data, timeout=10)) as file, file:
            file.execute(
                "UPDATE tokens SET created = created - ?, expires = expires - ?",
                (seconds, seconds),
            )

    def skew_by(self, seconds: float) -> None:
        """Set AWS's clock ahead of ours; what time it is there is not known any more."""
        self.aws.settings(skew_seconds=seconds)
        self.skew = seconds
        self.were_apart.add(seconds)
        heard.forget()
        clock._Noted.at = float("-inf")

    def mend_our_clock(self) -> None:
        """Set ours by AWS's: what is on record is then so much older, or younger, to us."""
        self._move_back(self.skew)
        for one in self.held_up:
            one.age += self.skew
        self.skew_by(0.0)

    def aws_now(self) -> float:
        """AWS's clock, in epoch seconds."""
        return time.time() + self.skew

    # -- The network ----------------------------------------------------------------------------

    def may_still_arrive(self, create: HeldUp) -> float:
        """Seconds for which AWS would still take this request; none left when negative.

        A few seconds less than AWS grants, which the steps themselves may take.
        """
        return SIGNATURE_SECONDS - self.skew - create.age - 10.0

    def let_arrive(self, create: HeldUp) -> None:
        """A create that was held up reaches AWS after all; nobody hears the answer."""
        self.held_up.remove(create)
        workspace_id, account_id, name, seconds_to_live = create.call
        with contextlib.suppress(GrafanaError), contextlib.closing(Client()) as client:
            client.create_token(
                workspace_id, account_id, name=name, seconds_to_live=seconds_to_live
            )


class _Watched(Client):
    """The client, with moments before and after each call at which the world may step in."""

    world: World

    def list_tokens(self, workspace_id: str, service_account_id: str, **how: Any) -> TokenList:
        self.world.reach(Moment.BEFORE_LIST)
        listed = super().list_tokens(workspace_id, service_account_id, **how)
        self.world.reach(Moment.AFTER_LIST)
        return listed

    def delete_token(self, workspace_id: str, service_account_id: str, token_id: str) -> str:
        self.world.reach(Moment.BEFORE_DELETE)
        request_id = super().delete_token(workspace_id, service_account_id, token_id)
        self.world.reach(Moment.AFTER_DELETE)
        return request_id

    def create_token(
        self, workspace_id: str, service_account_id: str, *, name: str, seconds_to_live: int
    ) -> CreatedToken:
        self.world.reach(Moment.BEFORE_CREATE)
        if self.world.holds_up_next_create:
            self.world.holds_up_next_create = False
            call = (workspace_id, service_account_id, name, seconds_to_live)
            self.world.held_up.append(HeldUp(call))
            raise OutcomeUnknown("held up", operation=Operation.CREATE)
        created = super().create_token(
            workspace_id, service_account_id, name=name, seconds_to_live=seconds_to_live
        )
        passed = self.world.passed
        self.world.reach(Moment.AFTER_CREATE)
        # What has been answered lies as far back as what is on record.
        since = timedelta(seconds=self.world.passed - passed)
        assert created.answered_at is not None
        return replace(created, answered_at=created.answered_at - since)


@contextlib.contextmanager
def watched_world(aws: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world whose flows stop at every moment."""
    world = World(aws)
    seal, append = sealing.seal, audit.append

    def watched_seal(key: str, public_key: bytes, token_id: uuid.UUID) -> bytes:
        world.reach(Moment.BEFORE_SEAL)
        return seal(key, public_key, token_id)

    def watched_append(events: Sequence[AuditEvent]) -> None:
        append(events)
        if events:
            world.reach(Moment.BEFORE_COMMIT)

    monkeypatch.setattr(sealing, "seal", watched_seal)
    monkeypatch.setattr(audit, "append", watched_append)
    monkeypatch.setattr(_Watched, "world", world, raising=False)
    monkeypatch.setattr(clients, "Client", _Watched)
    # A worker's own stopwatch runs with the world's time.
    watch = types.SimpleNamespace(
        monotonic=lambda: time.monotonic() + world.passed, sleep=time.sleep
    )
    monkeypatch.setattr(attempt, "time", watch)
    monkeypatch.setattr(gateway, "time", watch)
    # A pace that was learned from a throttled call would cost seconds of the test's own time.
    monkeypatch.setattr(pace, "SLOWEST", 1000.0)
    clients.forget_clients()
    yield world
