"""What workers run: an id in, nothing out, so that no broker, log or result holds more."""

import gc
import logging
import uuid
from collections.abc import Callable
from typing import Any

from celery.signals import worker_init
from django.db import DatabaseError
from kombu.exceptions import OperationalError

from portal import wakeup
from portal.celery import app
from portal.flows.begin import begin
from portal.flows.issue import issue
from portal.flows.mail import mail
from portal.flows.prune import prune
from portal.flows.recover import settle
from portal.flows.revoke import delete_at_aws
from portal.flows.take_inventory import take_inventory
from portal.grafana.clients import client_for
from portal.life import Effects
from portal.models import Connection, Heartbeat, Token

log = logging.getLogger(__name__)


@worker_init.connect
def check_before_the_first_task(**_: Any) -> None:
    begin()


@worker_init.connect
def prepare_clients(**_: Any) -> None:
    """Before the workers fork, so that none of them makes its first person wait for it."""
    try:
        for connection in Connection.objects.all():
            client_for(**connection.client_settings).prepare()
    except DatabaseError as error:
        log.warning("clients.not_prepared", extra={"error": type(error).__name__})
    # What is loaded now stays: collecting garbage need not walk through it, nor copy its pages.
    gc.freeze()


@app.task(name="portal.issue")
def issue_token(token_id: str) -> None:
    follow_up(issue(uuid.UUID(token_id)))


@app.task(name="portal.revoke")
def revoke_token(token_id: str) -> None:
    follow_up(delete_at_aws(uuid.UUID(token_id)))


@app.task(name="portal.settle")
def settle_token(token_id: str) -> None:
    settle(uuid.UUID(token_id))


@app.task(name="portal.prune")
def prune_account(service_account_id: int) -> None:
    prune(service_account_id)


@app.task(name="portal.mail")
def send_mail(notice_id: int) -> None:
    mail(notice_id)


@app.task(name="portal.inventory")
def list_tokens(service_account_id: int) -> None:
    take_inventory(service_account_id)


@app.task(name="portal.heartbeat", expires=20)
def heartbeat() -> None:
    Heartbeat.beat("worker")


def ask_for_heartbeat() -> None:
    """Have a worker show that it lives: remote control is off, so it can't be asked directly."""
    _send(heartbeat.delay)


def follow_up(effects: Effects) -> None:
    """Do what is left to do once rows are committed: send messages to workers, wake waiting pages.

    What the broker does not take, the next sweep asks for again, at once instead of after its
    pause.
    """
    messages: list[tuple[Callable[..., object], str | int]] = [
        *((issue_token.delay, str(token_id)) for token_id in effects.issue),
        *((revoke_token.delay, str(token_id)) for token_id in effects.revoke),
        *((settle_token.delay, str(token_id)) for token_id in effects.settle),
        *((prune_account.delay, account_id) for account_id in effects.prune),
        *((send_mail.delay, notice_id) for notice_id in effects.mail),
        *((list_tokens.delay, account_id) for account_id in effects.inventory),
    ]
    # Where one message fails, the others would: nobody must wait for each of them.
    if not all(_send(delay, argument) for delay, argument in messages):
        unheard = [*effects.issue, *effects.revoke, *effects.settle]
        Token.objects.filter(pk__in=unheard).update(rung_at=None)
    wakeup.publish(*effects.changed)


def _send(delay: Callable[..., object], *arguments: str | int) -> bool:
    """Send a message; False when the broker is not there."""
    try:
        delay(*arguments)
    except (OperationalError, OSError) as error:
        log.warning("broker.unavailable", extra={"error": type(error).__name__})
        return False
    return True
