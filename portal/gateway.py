"""Every call to AWS takes its turn, and every answer counts as a sign that AWS is there.

Flows ask AWS through a connection's Gateway alone. It holds the client, the pace of the account and
region, and what AWS's answers say about AWS itself.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TypeVar

from django.db import DatabaseError
from django.db.models.functions import Now

from portal import clock, pace, places
from portal.grafana.clients import client_for
from portal.grafana.errors import (
    GrafanaError,
    ResourceNotFoundException,
    ThrottlingException,
)
from portal.grafana.identity import IdentityError, caller
from portal.grafana.types import (
    CreatedToken,
    LeftOut,
    ServiceAccount,
    TokenList,
    Workspace,
)
from portal.incidents import Incident
from portal.models import Connection, Heartbeat
from portal.pace import NotYetError

__all__ = [
    "Gateway",
    "IdentityError",
    "NotYetError",
    "ask_the_time",
    "calls_per_second",
    "note_heard",
    "prepare",
]

HEARD = "aws"
"""The heartbeat that says when AWS last answered."""
NOTED_EVERY = timedelta(seconds=15)
INCIDENT = 900.0
"""Seconds: longer than requests wait for credentials, and than the catalog is not read."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class _Ear:
    """What this process has heard of AWS, and when it last wrote that down."""

    heard = False
    noted_at = float("-inf")
    refusals: dict[int, str] = {}
    """The code with which AWS does not take our credentials or our clock, by the connection's row;
    "" where it takes them again."""


_refused: dict[str, Incident] = {}
"""What the log says of that, by the connection's name."""


class Gateway:
    """AWS as one connection reaches it, for one piece of work.

    ``until`` (``time.monotonic()``) is when the last call may begin. ``patience`` is how many
    seconds this work may wait, altogether, for turns that are far away and for throttled calls,
    which are then sent again: for reading alone. Without it neither is waited for.

    Lists are whole, unless they are given a list ``left_out`` (see ``Client``). Every operation
    raises GrafanaError, or NotYetError when its turn comes too late: ``seconds``
    says how far away it is, and nothing was sent.
    """

    def __init__(
        self, connection: Connection, *, until: float | None = None, patience: float = 0.0
    ) -> None:
        self._client = client_for(**connection.client_settings)
        self._connection = connection
        self._pace = connection.name
        self._until = until
        self._patience = patience

    def list_workspaces(self, *, left_out: list[LeftOut] | None = None) -> tuple[Workspace, ...]:
        """All workspaces; a turn for each page of the list."""
        return self._client.list_workspaces(send=self._in_turn, left_out=left_out)

    def describe_workspace(self, workspace_id: str) -> Workspace:
        return self._in_turn(lambda: self._client.describe_workspace(workspace_id))

    def list_service_accounts(
        self, workspace_id: str, *, left_out: list[LeftOut] | None = None
    ) -> tuple[ServiceAccount, ...]:
        """All service accounts of a workspace; a turn for each page of the list."""
        return self._client.list_service_accounts(
            workspace_id, send=self._in_turn, left_out=left_out
        )

    def create_token(
        self, workspace_id: str, service_account_id: str, *, name: str, seconds_to_live: int
    ) -> CreatedToken:
        """Create a token: sent once, whatever comes of it."""
        if self._patience:
            raise ValueError("a create is never sent again")
        return self._in_turn(
            lambda: self._client.create_token(
                workspace_id, service_account_id, name=name, seconds_to_live=seconds_to_live
            )
        )

    def list_tokens(
        self,
        workspace_id: str,
        service_account_id: str,
        *,
        left_out: list[LeftOut] | None = None,
    ) -> TokenList:
        """Every token of a service account; a turn for each page of the list."""
        return self._client.list_tokens(
            workspace_id, service_account_id, send=self._in_turn, left_out=left_out
        )

    def delete_token(self, workspace_id: str, service_account_id: str, token_id: str) -> str:
        """Delete a token and return AWS's request id. One that AWS does not know is deleted."""
        try:
            return self._in_turn(
                lambda: self._client.delete_token(workspace_id, service_account_id, token_id)
            )
        except ResourceNotFoundException as gone:
            return gone.request_id

    def whoami(self, *, seconds: float) -> str:
        """The ARN under which AWS knows the portal here. Raises IdentityError."""
        return caller(**self._connection.client_settings, seconds=seconds)

    def ask_the_time(self) -> None:
        """Make AWS say what time it is there: an answer is a refusal, too."""
        self._in_turn(self._client.ask_the_time)

    def _in_turn(self, call: Callable[[], T]) -> T:
        attempt = 0
        while True:
            attempt += 1
            failure: NotYetError | ThrottlingException
            try:
                with pace.turn(self._pace, throttled_by=ThrottlingException):
                    if self._until is not None and time.monotonic() > self._until:
                        raise NotYetError(0.0)
                    return self._listening(call)
            except NotYetError as later:
                failure, wait = later, later.seconds
            except ThrottlingException as throttled:
                failure = throttled
                wait = pace.backoff(attempt, least=throttled.retry_after or 0.0)
            if not 0.0 < wait <= self._patience:
                raise failure
            self._patience -= wait
            time.sleep(wait)

    def _listening(self, call: Callable[[], T]) -> T:
        """Make the call; what AWS itself answers, a refusal too, shows that it is there."""
        try:
            answer = call()
        except GrafanaError as error:
            _Ear.heard = _Ear.heard or error.answered
            if not error.answered:
                places.note_silence(self._connection.name)
            if error.refuses_caller:
                self._note_refused(error)
            elif error.answered:
                self._note_accepted()
            raise
        _Ear.heard = True
        self._note_accepted()
        return answer

    def _note_refused(self, error: GrafanaError) -> None:
        name = self._connection.name
        incident = _refused.setdefault(name, Incident(f"aws_credentials.{name}", quiet=INCIDENT))
        incident.note(error)
        _Ear.refusals[self._connection.pk] = error.code[:80]

    def _note_accepted(self) -> None:
        if incident := _refused.get(self._connection.name):
            incident.over()
        if self._connection.refused_since is not None or self._connection.pk in _Ear.refusals:
            _Ear.refusals[self._connection.pk] = ""


def calls_per_second(connection: Connection) -> float | None:
    """The present pace of a connection; None while AWS throttles nobody."""
    return pace.rate(connection.name)


def prepare(connections: Iterable[Connection]) -> None:
    """Look up regions and endpoints now, and not at each connection's first call; calls nobody."""
    for connection in connections:
        client_for(**connection.client_settings).prepare()


def ask_the_time(connections: Iterable[Connection]) -> None:
    """Have AWS say what time it is there, where that is not known or is not ours; the first
    connection that is answered is enough."""
    if not clock.needs_an_answer():
        return
    for connection in connections:
        with contextlib.suppress(NotYetError):
            try:
                Gateway(connection).ask_the_time()
            except GrafanaError as error:
                if not error.answered:
                    continue
            break
    note_heard()


def note_heard() -> None:
    """Write down that AWS has answered since this was last written down, if it has, whether it has
    come to refuse or to take our credentials, and how our clocks stand to its own.

    Called when a piece of work is done, so that nobody's key waits for it. A process writes once in
    15 s at most, and not at all if another has done so.
    """
    _note_refusals()
    clock.note()
    if not _Ear.heard or time.monotonic() - _Ear.noted_at < NOTED_EVERY.total_seconds():
        return
    try:
        Heartbeat.beat(HEARD, unless_within=NOTED_EVERY)
    except DatabaseError as error:
        log.warning("aws.heard_not_noted", extra={"error": type(error).__name__})
        return
    _Ear.heard, _Ear.noted_at = False, time.monotonic()


def _note_refusals() -> None:
    while _Ear.refusals:
        pk, code = _Ear.refusals.popitem()
        row = Connection.objects.filter(pk=pk)
        try:
            if code:
                row.filter(refused_since=None).update(refused_since=Now(), refused_code=code)
            else:
                row.exclude(refused_since=None).update(refused_since=None, refused_code="")
        except DatabaseError as error:
            log.warning("aws.refusal_not_noted", extra={"error": type(error).__name__})
