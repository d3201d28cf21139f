"""Workers, scheduler and AWS as a discrete-event simulation: the rules are the portal's own, with
the constants of its modules.

What AWS and the portal take for each step are inputs (``Costs``); what comes of them where many
meet is what is simulated. ``tests/test_capacity.py`` holds it to what it is meant to be, and
docs/CAPACITY.md compares it with a real run. Not simulated: crashes, silence of AWS, and that work
on one machine takes turns on its processors.
"""

import heapq
import math
import random
from collections import Counter, deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from bench.clockwork import Bucket, Pace, Setting, Steps, Time
from portal import pace, places
from portal.catalog.reading import PATIENCE as CATALOG_PATIENCE
from portal.flows import read_lists
from portal.flows.sync_catalog import SYNC_SECONDS
from portal.flows.take_inventory import PATIENCE as LIST_PATIENCE
from portal.scheduler import MOST_READERS

TURN_SECONDS = 2.0
"""Of the scheduler (`manage.py sweep --every 2`)."""
LOOKS_AGAIN_SECONDS = 0.05
"""A reading that gives way (portal.flows.read_lists.let_people_go_first)."""


@dataclass(slots=True)
class Account:
    """An account and region of AWS, and what the portal knows of it."""

    number: int
    bucket: Bucket
    pace: Pace = field(default_factory=Pace)
    served: Counter[int] = field(default_factory=Counter)
    """Calls by the minute."""
    throttled: int = 0
    aside: "deque[Task]" = field(default_factory=deque)


@dataclass(slots=True)
class Task:
    account: Account
    steps: Callable[["Task"], Steps]
    is_reading: bool = False
    host: "Host | None" = None


@dataclass(slots=True)
class Host:
    """A worker's host: who holds its places."""

    processes: int
    own: Counter[int] = field(default_factory=Counter)
    """Places by the account's number."""
    taken: int = 0
    read: set[int] = field(default_factory=set)
    """Whose lists are being read."""

    def begin(self, task: Task) -> None:
        task.host = self
        self.own[task.account.number] += 1
        self.taken += 1
        if task.is_reading:
            self.read.add(task.account.number)

    def end(self, task: Task) -> None:
        self.own[task.account.number] -= 1
        self.taken -= 1
        if task.is_reading:
            self.read.discard(task.account.number)

    def may_take(self, task: Task) -> bool:
        """portal/places.py's scripts, where there are several connections."""
        number = task.account.number
        has_room = self.own[number] < places.few(self.processes) or (
            self.taken < places.most(self.processes)
        )
        if not task.is_reading:
            return has_room
        return (
            has_room
            and len(self.read) < places.readings(self.processes)
            and number not in self.read
        )


class Company:
    """Everything together. ``ask`` is a person's request; what came of it is in ``seconds``."""

    def __init__(self, setting: Setting, *, seed: int) -> None:
        random.seed(seed)
        self.setting, self.time = setting, Time()
        self.accounts = [Account(n, Bucket(setting.limit)) for n in range(setting.connections)]
        self.hosts = [Host(setting.processes) for _ in range(setting.hosts)]
        self.seconds: list[float] = []
        """From the request to the sealed key, of each."""
        self.sealed_at: list[float] = []
        self.catalog_pauses: list[float] = []
        self.list_pauses: list[float] = []
        self._first: deque[Task] = deque()
        self._last: deque[Task] = deque()
        self._readings_aside: deque[Task] = deque()
        self._being_made = 0
        self._under_way: Counter[int] = Counter()
        self._lists: list[tuple[float, int]] = []
        self._begun: deque[float] = deque()

    # -- People ---------------------------------------------------------------------------------

    def ask(self, account: int, at: float) -> None:
        self.time.begin(self._asked(self.accounts[account]), at)

    def prune(self, account: int, at: float) -> None:
        """An expired token of this account is deleted: a list, and a delete."""
        self.time.begin(self._pruned(self.accounts[account]), at)

    def _asked(self, account: Account) -> Steps:
        self._being_made += 1
        began = self.time.now

        def create(task: Task) -> Steps:
            costs = self.setting.costs
            yield costs.create_here
            wait = yield from self._call(account, costs.create_at_aws, 0.0)
            self._leave(task)
            if not wait:
                self._being_made -= 1
                self.seconds.append(self.time.now - began)
                self.sealed_at.append(self.time.now)
                return
            # The scheduler rings for it in its first turn after that.
            again = math.ceil((self.time.now + wait) / TURN_SECONDS) * TURN_SECONDS
            self.time.begin(self._ring(Task(account, create)), again)

        yield from self._ring(Task(account, create))

    def _pruned(self, account: Account) -> Steps:
        def delete(task: Task) -> Steps:
            for _ in range(2):
                wait = yield from self._call(account, self.setting.costs.call_at_aws, 0.0)
                if wait:
                    break
            self._leave(task)

        yield from self._ring(Task(account, delete))

    # -- The scheduler --------------------------------------------------------------------------

    def schedule(self, *, seconds: float) -> None:
        """Read catalogs and lists meanwhile, as if that had been going on for long."""
        setting = self.setting
        per_account = setting.workspaces * setting.accounts
        for account in self.accounts:
            for _ in range(per_account):
                asked = -random.uniform(0, setting.inventory_seconds)
                heapq.heappush(self._lists, (asked, account.number))
        due = deque(sorted((random.uniform(0, SYNC_SECONDS), one.number) for one in self.accounts))
        for _ in range(MOST_READERS):
            self.time.begin(self._read_catalogs(due))
        self.time.begin(self._turns(seconds))

    def _read_catalogs(self, due: deque[tuple[float, int]]) -> Steps:
        """One of the scheduler's readers; it takes what is due for longest."""
        costs = self.setting.costs
        while True:
            at, number = due[0]
            if at > self.time.now:
                yield at - self.time.now
                continue
            due.popleft()
            account, patience = self.accounts[number], CATALOG_PATIENCE
            self.catalog_pauses.append(SYNC_SECONDS + self.time.now - at)
            for _ in range(1 + self.setting.workspaces):
                seconds = costs.call_at_aws + costs.catalog_call_here
                yield from self._call(account, seconds, patience)
            due.append((self.time.now + SYNC_SECONDS, number))

    def _turns(self, seconds: float) -> Steps:
        setting = self.setting
        most = read_lists.MOST_IN_A_TURN * places.readings(setting.processes)
        share = (
            setting.connections * setting.workspaces * setting.accounts * read_lists.SPREAD_SECONDS
        ) * read_lists.CATCH_UP
        while self.time.now < seconds:
            now = self.time.now
            while self._begun and self._begun[0] < now - read_lists.SPREAD_SECONDS:
                self._begun.popleft()
            room = min(most, math.ceil(share / setting.inventory_seconds) - len(self._begun))
            held = []
            while room > 0 and self._lists:
                asked, number = self._lists[0]
                if asked > now - setting.inventory_seconds:
                    break
                heapq.heappop(self._lists)
                if self._under_way[number] >= read_lists.MOST_LISTS:
                    held.append((asked, number))
                    continue
                self._list(asked, number)
                room -= 1
            for one in held:
                heapq.heappush(self._lists, one)
            yield TURN_SECONDS

    def _list(self, asked: float, number: int) -> None:
        now, account = self.time.now, self.accounts[number]
        self._under_way[number] += 1
        self._begun.append(now)
        heapq.heappush(self._lists, (now, number))
        self.list_pauses.append(now - asked)

        def read(task: Task) -> Steps:
            costs, waited = self.setting.costs, 0.0
            while self._being_made and waited < read_lists.LETS_GO_FIRST:
                waited += LOOKS_AGAIN_SECONDS
                yield LOOKS_AGAIN_SECONDS
            yield from self._call(account, costs.call_at_aws + costs.list_here, LIST_PATIENCE)
            self._under_way[number] -= 1
            self._leave(task)

        self._last.append(Task(account, read, is_reading=True))
        self._hand_out()

    # -- Workers --------------------------------------------------------------------------------

    def _ring(self, task: Task) -> Steps:
        self._first.append(task)
        self._hand_out()
        yield from ()

    def _hand_out(self) -> None:
        """To each process that has nothing to do, what came first; readings after all others."""
        are_shared = self.setting.connections > 1
        for queue, aside in ((self._first, None), (self._last, self._readings_aside)):
            while queue:
                host = min(self.hosts, key=lambda one: one.taken)
                if host.taken >= host.processes:
                    return
                task = queue.popleft()
                if are_shared and not host.may_take(task):
                    (task.account.aside if aside is None else aside).append(task)
                    continue
                host.begin(task)
                self.time.begin(task.steps(task))

    def _leave(self, task: Task) -> None:
        assert task.host is not None
        task.host.end(task)
        if task.account.aside:
            self._first.append(task.account.aside.popleft())
        if task.is_reading and self._readings_aside:
            self._last.append(self._readings_aside.popleft())
        self._hand_out()

    # -- AWS ------------------------------------------------------------------------------------

    def _call(
        self, account: Account, seconds: float, patience: float
    ) -> Generator[float, None, float]:
        """One call in its turn, as portal.gateway makes it.

        0 where it was served; else in how many seconds to come again.
        """
        attempt = 0
        while True:
            attempt += 1
            wait, at = account.pace.turn(self.time.now)
            if wait <= pace.LONGEST_TURN:
                if wait:
                    yield wait
                retry_after = account.bucket.take(self.time.now)
                if not retry_after:
                    account.served[int(self.time.now // 60)] += 1
                    yield seconds
                    account.pace.served(self.time.now)
                    return 0.0
                account.throttled += 1
                yield self.setting.costs.refusal
                account.pace.throttled(self.time.now, at)
                wait = pace.backoff(attempt, least=retry_after)
            if not 0.0 < wait <= patience:
                return wait
            patience -= wait
            yield wait
