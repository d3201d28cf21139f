"""What workers run: an id in, nothing out, so that no broker, log or result holds more."""

import logging
import uuid
from collections.abc import Callable

from django.db import transaction
from kombu.exceptions import OperationalError

from portal import wakeup
from portal.celery import app
from portal.flows.issue import issue
from portal.flows.prune import prune
from portal.flows.recover import settle
from portal.flows.revoke import delete_at_aws
from portal.flows.sweep import Swept
from portal.models import Heartbeat

log = logging.getLogger(__name__)


@app.task(name="portal.issue")
def issue_token(token_id: str) -> None:
    if issue(uuid.UUID(token_id)):
        wakeup.ring(uuid.UUID(token_id))


@app.task(name="portal.revoke")
def revoke_token(token_id: str) -> None:
    if delete_at_aws(uuid.UUID(token_id)):
        wakeup.ring(uuid.UUID(token_id))


@app.task(name="portal.settle")
def settle_token(token_id: str) -> None:
    settle(uuid.UUID(token_id))


@app.task(name="portal.prune")
def prune_account(service_account_id: int) -> None:
    prune(service_account_id)


@app.task(name="portal.heartbeat", expires=20)
def heartbeat() -> None:
    Heartbeat.beat("worker")


def ask_for_heartbeat() -> None:
    """Have a worker show that it lives: remote control is off, so it can't be asked directly."""
    _send(heartbeat.delay)


def enqueue_issue(token_id: uuid.UUID) -> None:
    """Ask a worker to issue this token, once the row is committed."""
    transaction.on_commit(lambda: _send(issue_token.delay, str(token_id)), robust=True)


def enqueue_revoke(token_id: uuid.UUID) -> None:
    """Ask a worker to delete this token at AWS, once the row is committed."""
    transaction.on_commit(lambda: _send(revoke_token.delay, str(token_id)), robust=True)


def follow_up(swept: Swept) -> None:
    """Do what a sweep asks for."""
    for token_id in swept.issue:
        _send(issue_token.delay, str(token_id))
    for token_id in swept.revoke:
        _send(revoke_token.delay, str(token_id))
    for token_id in swept.settle:
        _send(settle_token.delay, str(token_id))
    for account_id in swept.prune:
        _send(prune_account.delay, account_id)
    wakeup.ring(*swept.changed)


def _send(delay: Callable[..., object], *arguments: str | int) -> None:
    try:
        delay(*arguments)
    except (OperationalError, OSError) as error:
        # The row is committed: the sweep rings again.
        log.warning("broker.unavailable", extra={"error": type(error).__name__})
