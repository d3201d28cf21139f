"""What the scheduler does: one table of jobs, run in this order on any number of hosts at once.

A job finds what is due by a question of its own, and does it or names it for a task. It reads
before it writes, and every write is conditional on what it read: two at once do nothing twice.
"""

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from portal import clock, gateway, outage, tasks
from portal.audit import SYSTEM
from portal.audit.publishing import publish_head
from portal.clock import Verdict
from portal.flows import deadlines, sweep
from portal.flows.answer_handover import end_offers
from portal.flows.end_access import end_access
from portal.flows.end_provider_sessions import forget_provider_sessions
from portal.flows.end_quiet import end_quiet
from portal.flows.end_sessions import end_sessions
from portal.flows.forget_messages import forget_messages
from portal.flows.forget_sessions import forget_sessions
from portal.flows.note_recipients import note_recipients
from portal.flows.provision_groups import follow_changed_groups
from portal.flows.read_lists import accounts_to_list
from portal.flows.refuse import forget_old_uses, record_counted_refusals
from portal.flows.sign_in import record_counted_failures
from portal.flows.spend_assertion import forget_spent_assertions
from portal.flows.sync_catalog import SYNC_SECONDS, sync_catalog
from portal.flows.tell_webhooks import tell_webhooks
from portal.flows.watch_quota import watch_quota
from portal.flows.write_digests import write_digests
from portal.incidents import Incident
from portal.life import Effects
from portal.metrics import history
from portal.models import Connection, Heartbeat

log = logging.getLogger(__name__)

ASK_THE_TIME_SECONDS = 30.0
"""Between two looks at whether AWS has to be asked what time it is."""


@dataclass(frozen=True, slots=True)
class Job:
    """``every`` is how many seconds lie between two runs at least; 0.0 runs it in each turn."""

    name: str
    run: Callable[[], Effects | object]
    every: Callable[[], float] | float = 0.0
    may_run: Callable[[Verdict], bool] | None = None
    """By what is known of the database's clock, where the job ends something by it."""

    @property
    def pause(self) -> float:
        return self.every() if callable(self.every) else self.every


def show_life() -> None:
    """This process is alive; and so is a worker, if one takes the task."""
    Heartbeat.beat("scheduler")
    outage.over(has_written=True)
    tasks.ask_for_heartbeat()


_TOKENS, _KEYS, _REQUESTS = (
    attrgetter(name) for name in ("may_end_tokens", "may_end_keys", "may_end_requests")
)
MOVES_AND_MESSAGES = (
    Job("end sessions of people who lost what they may do", end_sessions),
    Job("requeue attempts whose lease ended", sweep.release_expired_leases),
    Job(
        "fail requests that waited for an hour", sweep.fail_those_queued_too_long, may_run=_REQUESTS
    ),
    Job("end requests and sealed keys of people who lost access", end_access),
    Job("revoke keys that nobody fetched", sweep.revoke_unclaimed, may_run=_KEYS),
    Job("expire tokens whose time is over", sweep.end_expired, may_run=_TOKENS),
    Job(
        "end revocations that time overtook",
        sweep.end_revocations_that_time_overtook,
        may_run=_TOKENS,
    ),
    Job(
        "cancel requests that people did not answer in a week",
        deadlines.give_up_waiting,
        may_run=_REQUESTS,
    ),
    Job("end offers of tokens that nobody answered in a week", end_offers, 10.0, _REQUESTS),
    Job("revoke replaced tokens whose overlap is over", deadlines.end_overlaps, may_run=_TOKENS),
    Job("revoke replaced tokens that nothing uses any more", end_quiet, 30.0, _TOKENS),
    Job("mail owners whose token ends soon", deadlines.warn_of_ends, 10.0, _TOKENS),
    Job("follow groups whose change was left half done", follow_changed_groups, 60.0),
    Job("note the recipients of keys that an older version delivered", note_recipients, 10.0),
    Job("have queued requests issued", sweep.requests_to_issue),
    Job("have revoked tokens deleted at AWS", sweep.tokens_to_delete),
    Job("have creates of unknown outcome settled", sweep.tokens_to_settle),
    Job("have expired tokens pruned at AWS", sweep.accounts_to_prune),
    Job(
        "have expired tokens pruned that nobody here issued, where that is permitted",
        sweep.accounts_with_foreign_tokens_to_prune,
        60.0,
        _TOKENS,
    ),
    Job("have mails sent", sweep.mails_to_send),
    Job("have links to set a password sent", sweep.password_mails_to_send),
    Job("have mails about accounts sent", sweep.account_mails_to_send),
    Job("tell leads of workspaces that are nearly full", watch_quota, 60.0),
    Job("write the digests of the week", write_digests, 300.0),
    Job("have mails to leads sent", sweep.lead_mails_to_send),
    Job("write the messages of webhooks from the audit log", tell_webhooks),
    Job("have webhooks called", sweep.webhooks_to_call),
    Job("have AMG's own lists of tokens read", accounts_to_list),
    Job("have tokens deleted that nobody here issued", sweep.listed_tokens_to_end),
    Job("record refused sign-ins as one event each", record_counted_failures),
    Job("record met limits as one event each", record_counted_refusals),
    Job("forget limits that nobody met for a day", forget_old_uses, 300.0),
    Job("forget sign-ins at the provider whose session is over", forget_provider_sessions, 300.0),
    Job("forget answers of SAML whose time is over", forget_spent_assertions, 300.0),
    Job("forget what was shown of sessions that are over", forget_sessions, 300.0),
    Job("forget messages of webhooks after a month", forget_messages, 300.0),
)
TABLE = (
    # First, because it is what tells of a log that takes no events any more.
    Job("publish the audit log's head", publish_head, lambda: settings.AUDIT_HEAD_SECONDS),
    *MOVES_AND_MESSAGES,
    Job("count for monitors what the audit log tells", history.fold, 5.0),
    Job("show that scheduler and workers live", show_life, 20.0),
)
"""Beside it the catalog of each connection is read by a thread of its own (CatalogReaders)."""

PAUSE_AFTER_ERROR = 60.0
"""Seconds for which a job rests that met an error of ours; the others go on."""
READ_AGAIN_SECONDS = 15.0
"""After the start, and after a reading that missed a part; twice as long each time it does so."""
MOST_READERS = 12
"""Catalogs that are read at once: each holds a connection of the database's, of which a process has
20 (portal/postgresql/pool.py)."""


def run_all(jobs: tuple[Job, ...] = MOVES_AND_MESSAGES) -> Effects:
    """Run each job once, whenever it ran last, and return what is left to do."""
    effects = Effects()
    verdict = functools.cache(clock.verdict)
    for job in jobs:
        if job.may_run is not None and not job.may_run(verdict()):
            continue
        done = job.run()
        if isinstance(done, Effects):
            effects += done
    return effects


class Scheduler:
    """Runs the table again and again."""

    def __init__(self, jobs: Iterable[Job] = TABLE) -> None:
        self._due = dict.fromkeys(jobs, 0.0)
        """By ``time.monotonic()``."""
        self._incident = Incident("scheduler")

    def turn(self) -> None:
        """Run each job that is due. Without a database the turn ends: the others need it too."""
        try:
            verdict = functools.cache(clock.verdict)
            for job, due in self._due.items():
                if time.monotonic() < due:
                    continue
                if job.may_run is None or job.may_run(verdict()):
                    self._due[job] = time.monotonic() + self._run(job)
        except (DatabaseError, InterfaceError) as error:
            # The database comes back or it does not: either way there is a next turn.
            if outage.is_outage(error):
                outage.note(error)
            else:
                self._incident.note(error, is_misconfigured=True)
                connection.close()
        else:
            outage.over(has_written=False)
            self._incident.over()

    def _run(self, job: Job) -> float:
        """Run it; returns the pause until it is due again."""
        try:
            done = job.run()
            if isinstance(done, Effects):
                tasks.follow_up(done)
        except (DatabaseError, InterfaceError):
            raise
        except Exception:
            log.exception("job.failed", extra={"job": job.name})
            return PAUSE_AFTER_ERROR
        return job.pause


@dataclass(slots=True)
class _Reader:
    thread: threading.Thread | None = None
    due: float = 0.0
    again: float = READ_AGAIN_SECONDS
    """The pause after a reading that misses a part."""

    @property
    def is_at_work(self) -> bool:
        return self.thread is not None and self.thread.is_alive()


@dataclass(slots=True)
class CatalogReaders:
    """Reads the catalog of each connection, beside the table and beside the other connections: AWS
    may be slow, and nobody else must wait for it."""

    _readers: dict[int, _Reader] = field(default_factory=dict)

    def turn(self) -> None:
        """Start what is due. Raises DatabaseError or InterfaceError."""
        now = time.monotonic()
        first = now + READ_AGAIN_SECONDS
        waiting = []
        for row in Connection.objects.all():
            reader = self._readers.setdefault(row.pk, _Reader(due=first))
            if not reader.is_at_work and now >= reader.due:
                waiting.append((reader, row))
        at_work = sum(reader.is_at_work for reader in self._readers.values())
        waiting.sort(key=lambda pair: pair[0].due)
        for reader, row in waiting[: max(0, MOST_READERS - at_work)]:
            reader.thread = threading.Thread(target=_read, args=(row, reader), daemon=True)
            reader.thread.start()


@dataclass(slots=True)
class Beside:
    """One piece of work in a thread beside the table: who answers it may be slow, or away."""

    run: Callable[[], object]
    name: str
    _thread: threading.Thread | None = None

    def turn(self) -> None:
        """Begin, unless the last time still goes on."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        with _in_a_thread("job.failed", job=self.name):
            self.run()


def ask_the_time() -> None:
    """Have AWS say what time it is there; at once, so that what is over need not wait for the first
    reading of a catalog."""
    gateway.ask_the_time(Connection.objects.all())


@contextlib.contextmanager
def _in_a_thread(failed: str, **told: str) -> Iterator[None]:
    """Whatever happens in a thread of its own stops nothing else, and is logged."""
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        outage.note(error)
    except Exception:
        log.exception(failed, extra=told)
    finally:
        connection.close()


def _read(row: Connection, reader: _Reader) -> None:
    is_whole = False
    with _in_a_thread("catalog.failed", connection=row.name):
        is_whole = not sync_catalog(row, actor=SYSTEM).unread
        gateway.note_heard()
    if is_whole:
        reader.due, reader.again = time.monotonic() + SYNC_SECONDS, READ_AGAIN_SECONDS
    else:
        reader.due = time.monotonic() + reader.again
        reader.again = min(2 * reader.again, SYNC_SECONDS)
