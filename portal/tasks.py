"""What workers run: an id in, nothing out, so that no broker, log or result holds more."""

import gc
import logging
import uuid
from collections.abc import Callable
from typing import Any

from celery.signals import worker_init
from django.db import DatabaseError, transaction
from kombu.exceptions import OperationalError

from portal import wakeup
from portal.audit import Actor
from portal.celery import app
from portal.flows.begin import begin
from portal.flows.end_access import end_access
from portal.flows.end_sessions import end_sessions
from portal.flows.issue import issue
from portal.flows.mail import mail
from portal.flows.mail_password import mail_password
from portal.flows.prune import prune
from portal.flows.recover import settle
from portal.flows.revoke import delete_at_aws
from portal.flows.sweep import Swept
from portal.flows.take_inventory import take_inventory
from portal.grafana.clients import client_for
from portal.models import Connection, Heartbeat, PasswordMail, Token

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


@app.task(name="portal.mail")
def send_mail(notice_id: int) -> None:
    mail(notice_id)


@app.task(name="portal.password_mail")
def send_password_mail(mail_id: int) -> None:
    mail_password(mail_id)


@app.task(name="portal.inventory")
def list_tokens(service_account_id: int) -> None:
    take_inventory(service_account_id)


@app.task(name="portal.heartbeat", expires=20)
def heartbeat() -> None:
    Heartbeat.beat("worker")


def ask_for_heartbeat() -> None:
    """Have a worker show that it lives: remote control is off, so it can't be asked directly."""
    _send(heartbeat.delay)


def enqueue_issue(token_id: uuid.UUID) -> None:
    """Ask a worker to issue this token, once the row is committed."""
    transaction.on_commit(lambda: _ring(issue_token.delay, token_id), robust=True)


def enqueue_revoke(*token_ids: uuid.UUID) -> None:
    """Ask workers to delete these tokens at AWS, once the rows are committed."""
    transaction.on_commit(lambda: _ring(revoke_token.delay, *token_ids), robust=True)


def enqueue_password_mail(mail_id: int) -> None:
    """Ask a worker to send this mail; what the broker does not take, the next sweep asks for."""
    if not _send(send_password_mail.delay, mail_id):
        PasswordMail.objects.filter(pk=mail_id).update(rung_at=None)


def end_lost_access(actor: Actor) -> None:
    """End what people may not have any more, and tell whoever waits for it."""
    end_sessions(actor=actor)
    ended = end_access(actor=actor)
    for token_id in ended.revoke:
        enqueue_revoke(token_id)
    wakeup.ring(*ended.changed)


def follow_up(swept: Swept) -> None:
    """Do what a sweep asks for; what the broker does not take, the next sweep asks for again."""
    messages: list[tuple[Callable[..., object], str | int]] = [
        *((issue_token.delay, str(token_id)) for token_id in swept.issue),
        *((revoke_token.delay, str(token_id)) for token_id in swept.revoke),
        *((settle_token.delay, str(token_id)) for token_id in swept.settle),
        *((prune_account.delay, account_id) for account_id in swept.prune),
        *((send_mail.delay, notice_id) for notice_id in swept.mail),
        *((send_password_mail.delay, mail_id) for mail_id in swept.password_mail),
        *((list_tokens.delay, account_id) for account_id in swept.inventory),
    ]
    # Where one message fails, the others would: a sweep must not wait for each of them.
    if not all(_send(delay, argument) for delay, argument in messages):
        _mark_unheard([*swept.issue, *swept.revoke, *swept.settle])
    wakeup.ring(*swept.changed)


def _ring(delay: Callable[..., object], *token_ids: uuid.UUID) -> None:
    # Where one message fails, the others would: nobody must wait for each of them.
    if not all(_send(delay, str(token_id)) for token_id in token_ids):
        _mark_unheard(list(token_ids))


def _mark_unheard(token_ids: list[uuid.UUID]) -> None:
    """The rows are committed: have the next sweep ring, at once instead of after its pause."""
    Token.objects.filter(pk__in=token_ids).update(rung_at=None)


def _send(delay: Callable[..., object], *arguments: str | int) -> bool:
    """Send a message; False when the broker is not there."""
    try:
        delay(*arguments)
    except (OperationalError, OSError) as error:
        log.warning("broker.unavailable", extra={"error": type(error).__name__})
        return False
    return True
