"""A running product, everything around it that can be made to fail, and the people who use it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import cast

import redis

from tests import environment
from tests.grafana.aws_clients import boto3_client
from tests.grafana.sandbox_process import PROD
from tests.person import KeyPair
from tests.product import ROOT, Product, within
from tests.reliability import matrix
from tests.reliability.asked import Asked
from tests.reliability.matrix import CREATE, Fault
from tests.reliability.records import Records
from tests.servers import Redis

PAGES = 48
LONGEST_LIFE_OF_A_PAGE = 150.0
QUEUE = "celery"
PACE = "portal:pace:main"
BLOCKING_POP_SECONDS = 1.5
"""A worker's blocking pop ends after a second: what comes later stays in the queue."""


class Broker:
    """The product's broker: its own Valkey on the embedded default, else a Redis of the test's."""

    def __init__(self) -> None:
        self._redis = Redis() if environment.STACK == "production" else None
        self._product: Product | None = None
        if self._redis is not None:
            self._redis.start()

    @property
    def settings(self) -> dict[str, str]:
        return {"CELERY_BROKER_URL": self._redis.url} if self._redis else {}

    def belongs_to(self, product: Product) -> None:
        self._product = product

    def stop(self) -> None:
        """End it as a crash does. The embedded one comes back within a second, by itself."""
        if self._redis is not None:
            self._redis.stop()
        elif self._product is not None:
            self._product.kill("broker")

    def start(self) -> None:
        """Have it back, and wait until it answers. Raises TimeoutError."""
        if self._redis is not None:
            self._redis.start()
        if not within(30, self._answers):
            raise TimeoutError("the broker did not come back")

    def close(self) -> None:
        if self._redis is not None:
            self._redis.stop()

    @contextlib.contextmanager
    def connected(self) -> Iterator[redis.Redis]:
        if self._redis is not None:
            client = redis.Redis.from_url(self._redis.url)
        elif self._product is not None:
            client = redis.Redis(unix_socket_path=str(self._product.data_dir / "broker.sock"))
        else:
            raise RuntimeError("the broker belongs to no product yet")
        with client:
            yield client

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), self.connected() as client:
            return bool(client.ping())
        return False


class Stage:
    """What a play needs. ``asked`` has the request of each fault, by the fault's id."""

    def __init__(self, product: Product, broker: Broker) -> None:
        self.product = product
        self.broker = broker
        self.sandbox = product.sandbox
        self.records = Records(product)
        self.asked: dict[str, Asked] = {}
        self.notes: dict[str, dict[str, object]] = {}
        self.strangers: set[str] = set()
        """AWS ids of tokens in the same workspace that were not made through the portal."""
        self._keys = KeyPair()
        self._people = [
            product.sign_in(f"{name}@example.com") for name in ("engineer", "teammate", "lead")
        ]
        self._pool = ThreadPoolExecutor(PAGES)
        self._pages: list[Future[None]] = []

    def close(self) -> None:
        self._pool.shutdown()

    # -- People ---------------------------------------------------------------------------------

    def prepare(self, fault: Fault, *, takes: bool = True) -> Asked:
        """A request that is to meet the fault; it is not sent yet."""
        person = self._people[len(self.asked) % len(self._people)]
        brief = fault.told in matrix.SAID_BRIEFLY
        asked = Asked(person, self._keys, fault.id, takes=takes, patient=not brief)
        self.asked[fault.id] = asked
        if fault.name_taken:
            self._let_a_stranger_take(asked.name)
        self.sandbox.faults(*({**order, "name": asked.name} for order in fault.orders))
        return asked

    def ask(self, fault: Fault) -> Asked:
        """Send a request that is to meet the fault, and leave its page open."""
        asked = self.prepare(fault)
        asked.submit()
        self.open_page(asked)
        return asked

    def open_page(self, asked: Asked, *, seconds: float = LONGEST_LIFE_OF_A_PAGE) -> None:
        self._pages.append(self._pool.submit(asked.watch, seconds))

    def wait_for_pages(self) -> None:
        """Until every open page has come to its end."""
        while self._pages:
            self._pages.pop().result()

    def note(self, fault: Fault, **facts: object) -> None:
        self.notes.setdefault(fault.id, {}).update(facts)

    def _let_a_stranger_take(self, name: str) -> None:
        with boto3_client(self.sandbox) as client:
            made = client.create_workspace_service_account_token(
                workspaceId=PROD, serviceAccountId="3", name=name, secondsToLive=3600
            )
        self.strangers.add(made["serviceAccountToken"]["id"])

    # -- AWS ------------------------------------------------------------------------------------

    def creates(self, asked: Asked) -> list[dict[str, object]]:
        """The calls that were to create this request's token, in order of arrival."""
        return [call for call in self.sandbox.calls(CREATE) if call["name"] == asked.name]

    def wait_for_create(self, asked: Asked, *, answered: bool) -> None:
        """Until AWS has its call, and has answered it if so asked. Raises TimeoutError."""

        def seen() -> bool:
            return any(call["status"] or not answered for call in self.creates(asked))

        if not within(20, seen):
            raise TimeoutError(f"{asked.name} did not reach AWS")

    # -- Processes ------------------------------------------------------------------------------

    def kill_workers(self) -> None:
        """End the worker and all of its pool at the same moment, as a crash of the host does."""
        for pid in self.product.pids("worker"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @contextlib.contextmanager
    def standing_still(self, name: str) -> Iterator[None]:
        """The processes of this name do nothing, as if they were dead, and nobody restarts them."""
        pids = self.product.pids(name)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    @contextlib.contextmanager
    def queue_held(self) -> Iterator[redis.Redis]:
        """Nobody takes messages from the queue; the broker, to look into it."""
        with self.standing_still("worker"), self.broker.connected() as broker:
            time.sleep(BLOCKING_POP_SECONDS)
            yield broker

    @contextlib.contextmanager
    def more_sweeps(self, number: int) -> Iterator[None]:
        """Further schedulers, as other hosts have them, that hardly pause."""
        command = [sys.executable, str(ROOT / "manage.py"), "sweep", "--every", "0.2"]
        processes = [
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.product.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            for _ in range(number)
        ]
        try:
            yield
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(30)

    @staticmethod
    def messages(broker: redis.Redis, asked: Asked) -> list[bytes]:
        """Those in the queue that speak of this request."""
        queued = cast(list[bytes], broker.lrange(QUEUE, 0, -1))
        return [message for message in queued if asked.id.encode() in message]

    # -- The pace -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def next_turn_in(self, seconds: float) -> Iterator[None]:
        """AWS may be called again in so many seconds only (portal/pace.py)."""
        with self.broker.connected() as broker:
            now = time.time()
            broker.hset(PACE, mapping={"rate": 1, "next": now + seconds, "grown": now})
            try:
                yield
            finally:
                broker.delete(PACE)
