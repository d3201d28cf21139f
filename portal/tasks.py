"""What workers run: an id in, nothing out, so that no broker, log or result holds more."""

import functools
import json
import logging
import uuid
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, InterfaceError
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from portal import gateway, outage, places, valkey, wakeup
from portal.audit import Actor
from portal.celery import app
from portal.flows.call_webhook import call_webhook
from portal.flows.end_access import end_access
from portal.flows.end_listed import delete_listed
from portal.flows.end_sessions import end_sessions
from portal.flows.issue import issue
from portal.flows.mail import mail
from portal.flows.mail_account import mail_account
from portal.flows.mail_lead import mail_lead
from portal.flows.mail_password import mail_password
from portal.flows.prune import prune
from portal.flows.prune_foreign import prune_foreign
from portal.flows.read_lists import let_people_go_first
from portal.flows.recover import settle
from portal.flows.revoke import delete_at_aws
from portal.flows.take_inventory import take_inventory
from portal.incidents import Incident
from portal.life import Effects
from portal.models import (
    AccountMail,
    Heartbeat,
    ListedToken,
    PasswordMail,
    ServiceAccount,
    Token,
)
from portal.models.prepared import Prepared

log = logging.getLogger(__name__)
_incident = Incident("broker")


def bears_outages(run: Callable[..., None]) -> Callable[..., None]:
    """A task that meets a database which can't be used leaves its row to the sweep."""

    @functools.wraps(run)
    def bear(*arguments: Any) -> None:
        try:
            run(*arguments)
        except (DatabaseError, InterfaceError) as error:
            if not outage.is_outage(error):
                raise
            outage.note(error)
        else:
            outage.over(has_written=False)

    return bear


Task = Callable[[Any], None]


def takes_a_place(
    task: str, connection_of: Callable[[Any], str | None], *, is_reading: bool = False
) -> Callable[[Task], Task]:
    """A task that calls AWS, for a connection that may have filled its share of the places:
    ``connection_of`` names that of the task's argument, None where there is nothing to do."""

    def decorate(run: Task) -> Task:
        @functools.wraps(run)
        def placed(argument: Any) -> None:
            place: places.Place | None = places.Place()
            if (is_reading or places.are_shared()) and (connection := connection_of(argument)):
                work = json.dumps([task, argument])
                take = places.take_for_reading if is_reading else places.take
                place = take(connection, work)
            if place is None:
                return
            try:
                run(argument)
            finally:
                for found in places.leave(place):
                    name, put_aside = json.loads(found)
                    _send(app.tasks[name].delay, put_aside)

        return placed

    return decorate


_of_token = Prepared(
    lambda pk: Token.objects.filter(pk=pk).order_by().values_list("workspace__connection__name"),
    like=[uuid.UUID(int=0)],
)
_of_account = Prepared(
    lambda pk: (
        ServiceAccount.objects.filter(pk=pk).order_by().values_list("workspace__connection__name")
    ),
    like=[-1],
)

_of_listed = Prepared(
    lambda pk: (
        ListedToken.objects.filter(pk=pk)
        .order_by()
        .values_list("service_account__workspace__connection__name")
    ),
    like=[-1],
)


def _connection_of_token(token_id: str) -> str | None:
    found = _of_token.one(uuid.UUID(token_id))
    return found[0] if found else None


def _connection_of_account(service_account_id: int) -> str | None:
    found = _of_account.one(service_account_id)
    return found[0] if found else None


def _connection_of_listed(listed_id: int) -> str | None:
    found = _of_listed.one(listed_id)
    return found[0] if found else None


@app.task(name="portal.issue")
@bears_outages
@takes_a_place("portal.issue", _connection_of_token)
def issue_token(token_id: str) -> None:
    follow_up(issue(uuid.UUID(token_id)))
    gateway.note_heard()


@app.task(name="portal.revoke")
@bears_outages
@takes_a_place("portal.revoke", _connection_of_token)
def revoke_token(token_id: str) -> None:
    follow_up(delete_at_aws(uuid.UUID(token_id)))
    gateway.note_heard()


@app.task(name="portal.settle")
@bears_outages
@takes_a_place("portal.settle", _connection_of_token)
def settle_token(token_id: str) -> None:
    settle(uuid.UUID(token_id))
    gateway.note_heard()


@app.task(name="portal.prune")
@bears_outages
@takes_a_place("portal.prune", _connection_of_account)
def prune_account(service_account_id: int) -> None:
    prune(service_account_id)
    prune_foreign(service_account_id)
    gateway.note_heard()


@app.task(name="portal.mail")
@bears_outages
def send_mail(notice_id: int) -> None:
    mail(notice_id)


@app.task(name="portal.password_mail")
@bears_outages
def send_password_mail(mail_id: int) -> None:
    mail_password(mail_id)


@app.task(name="portal.account_mail")
@bears_outages
def send_account_mail(mail_id: int) -> None:
    mail_account(mail_id)


@app.task(name="portal.lead_mail")
@bears_outages
def send_lead_mail(mail_id: int) -> None:
    mail_lead(mail_id)


@app.task(name="portal.webhook")
@bears_outages
def call_receiver(webhook_id: int) -> None:
    call_webhook(webhook_id)


@app.task(name="portal.inventory")
@bears_outages
@takes_a_place("portal.inventory", _connection_of_account, is_reading=True)
def list_tokens(service_account_id: int) -> None:
    let_people_go_first()
    take_inventory(service_account_id)
    gateway.note_heard()


@app.task(name="portal.end_listed")
@bears_outages
@takes_a_place("portal.end_listed", _connection_of_listed)
def end_listed_token(listed_id: int) -> None:
    follow_up(delete_listed(listed_id))
    gateway.note_heard()


@app.task(name="portal.heartbeat", expires=20)
@bears_outages
def heartbeat() -> None:
    Heartbeat.beat("worker")
    outage.over(has_written=True)


def ask_for_heartbeat() -> None:
    """Have a worker show that it lives: remote control is off, so it can't be asked directly."""
    _send(heartbeat.delay)


def end_lost_access(actor: Actor) -> None:
    """End sessions, requests and keys that people may not have any more."""
    end_sessions(actor=actor)
    follow_up(end_access(actor=actor))


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
        *((send_password_mail.delay, mail_id) for mail_id in effects.password_mail),
        *((send_account_mail.delay, mail_id) for mail_id in effects.account_mail),
        *((send_lead_mail.delay, mail_id) for mail_id in effects.lead_mail),
        *((list_tokens.delay, account_id) for account_id in effects.inventory),
        *((end_listed_token.delay, listed_id) for listed_id in effects.end_listed),
        *((call_receiver.delay, webhook_id) for webhook_id in effects.webhook),
    ]
    # Where one message fails, the others would: nobody must wait for each of them.
    if not all(_send(delay, argument) for delay, argument in messages):
        _mark_unheard(effects)
    wakeup.publish(*effects.changed)


def _mark_unheard(effects: Effects) -> None:
    """The rows are committed, so that whoever asked is answered well, whatever becomes of this."""
    try:
        tokens = [*effects.issue, *effects.revoke, *effects.settle]
        Token.objects.filter(pk__in=tokens).update(rung_at=None)
        PasswordMail.objects.filter(pk__in=effects.password_mail).update(rung_at=None)
        AccountMail.objects.filter(pk__in=effects.account_mail).update(rung_at=None)
        ListedToken.objects.filter(pk__in=effects.end_listed).update(rung_at=None)
    except (DatabaseError, InterfaceError) as error:
        if not outage.is_outage(error):
            raise
        outage.note(error)


def _send(delay: Callable[..., object], *arguments: str | int) -> bool:
    """Send a message; False when the broker does not take it."""
    try:
        delay(*arguments)
    except (OperationalError, OSError, RedisError) as error:
        _incident.note(error, is_misconfigured=valkey.is_misconfigured(error))
        return False
    _incident.over()
    return True
