"""Ninety days: schedulers and workers that are killed, a broker that is emptied, and a receiver
that fails for an hour every tenth day."""

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from portal import audit
from portal.audit import SYSTEM
from portal.flows import call_webhook as flow
from portal.flows import tell_webhooks as tell_flow
from portal.flows.call_webhook import LONGEST_PAUSE, call_webhook
from portal.flows.sweep import webhooks_to_call
from portal.flows.tell_webhooks import tell_webhooks
from portal.models import Action, Token, User, Webhook, WebhookDelivery
from tests.webhooks.receiver import Receiver
from tests.webhooks.waiting import pass_time

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
STEP = timedelta(minutes=5)
"""Between two turns while something waits: longer than a killed worker's lease."""
NEVER = timedelta(days=1000)


class KilledError(BaseException):
    """The worker dies: nothing after it runs."""


class Days:
    """Simulated time, two schedulers and their workers. Each turn runs everything twice."""

    def __init__(self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = timedelta(0)
        self.away_until = timedelta(0)
        self.came: dict[str, timedelta] = {}
        self.turns = self.calls = self.posts = 0
        self._receiver, self._patch = receiver, monkeypatch
        receiver.answer = lambda: 500 if self.now < self.away_until else 200

    def wait(self, span: timedelta) -> None:
        pass_time(span)
        self.now += span

    def turn(self) -> None:
        self.turns += 1
        if not self.turns % 3:
            self._die_telling()
        tell_webhooks()
        tell_webhooks()
        rung = [*webhooks_to_call().webhook, *webhooks_to_call().webhook] * 2
        if not self.turns % 5:
            rung = []
        for pk in rung:
            self.calls += 1
            if self.calls % 7:
                call_webhook(pk)
            else:
                self._die(pk)
        for posted in self._receiver.posted[self.posts :]:
            if self.now >= self.away_until:
                self.came.setdefault(posted.id, self.now)
        self.posts = len(self._receiver.posted)

    def _die_telling(self) -> None:
        """A scheduler is killed after it has noted how far it has read, and before it has written
        the messages."""

        def die(*said: Any) -> None:
            note(*said)
            raise KilledError

        with self._patch.context() as killed:
            note = tell_flow._note
            killed.setattr(tell_flow, "_note", die)
            with contextlib.suppress(KilledError):
                tell_webhooks()

    def _die(self, pk: int) -> None:
        """The receiver has answered, and the worker is killed before it has written that down."""

        def die(*_: Any) -> None:
            raise KilledError

        with self._patch.context() as killed:
            killed.setattr(flow, "_note", die)
            with contextlib.suppress(KilledError):
                call_webhook(pk)


def test_each_message_comes_at_least_once_under_one_id_and_none_later_than_its_retry(
    make_webhook: Callable[..., Webhook],
    make_token: Callable[..., Token],
    engineer: User,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_webhook()
    token = make_token(engineer)
    days = Days(receiver, monkeypatch)
    happened: dict[int, timedelta] = {}
    outages: list[tuple[timedelta, timedelta]] = []
    for day in range(90):
        if day % 10 == 3:
            days.away_until = days.now + HOUR
            outages.append((days.now, days.away_until))
        with transaction.atomic():
            event = audit.record(Action.TOKEN_UNCLAIMED, actor=SYSTEM, token=token)
        happened[event.seq] = days.now
        days.turn()
        left = timedelta(hours=24)
        while WebhookDelivery.objects.waiting().exists():
            days.wait(STEP)
            left -= STEP
            days.turn()
        days.wait(left)
    ids = dict(WebhookDelivery.objects.values_list("about", "message_id"))
    assert ids.keys() == {f"event {seq}" for seq in happened}
    assert len(set(ids.values())) == len(happened)
    assert days.posts > len(happened), "some came twice"
    for seq, at in happened.items():
        end = next((end for begin, end in outages if begin <= at < end), at)
        late = days.came.get(ids[f"event {seq}"], NEVER) - end
        # A call that was lost with the broker is one step late.
        assert late <= LONGEST_PAUSE + 2 * STEP, seq
    assert not WebhookDelivery.objects.exclude(dropped_at=None).exists()
