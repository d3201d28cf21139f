"""Calls one receiver with what waits for it, one message after another.

At least once: a worker that dies between the receiver's yes and the commit leaves a message that is
sent once more, under the same id. That a call fails is written before it is made, and taken back
when it did not: a call that kills its worker is not made again at once.
"""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from portal import clock
from portal.models import Token, Webhook, WebhookDelivery
from portal.webhooks import places, signing, wire

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=15), timedelta(minutes=15)
"""After a call that failed, then twice as long each time, at most the second."""
MOST_ASKED_FOR = timedelta(hours=1)
"""Of a pause that a receiver asks for (Retry-After)."""
GIVEN_UP_AFTER = timedelta(days=1)
RUN_SECONDS = 10.0
"""After which the next run goes on: with the lookup (5 s) and the call (10 s) that may just have
begun, below the time of a task (30 s)."""
ABOUT_THIS_ONE = frozenset({400, 405, 406, 409, 411, 412, 413, 414, 415, 417, 422, 431})
"""Statuses by which a receiver refuses one message, and may take the next."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """``trouble`` is empty where the message was taken."""

    trouble: str = ""
    status: int | None = None
    pause: int = 0

    @property
    def holds_up_others(self) -> bool:
        return bool(self.trouble) and self.status not in ABOUT_THIS_ONE


def call_webhook(webhook_id: int) -> int:
    """Send what is due; how many messages were taken. Nothing where another worker has it.

    Stops where the receiver fails: what waits goes to it in its order once it works.
    """
    if not Webhook.objects.claim(webhook_id):
        return 0
    webhook = Webhook.objects.get(pk=webhook_id)
    row = Webhook.objects.filter(pk=webhook.pk, lease_until=webhook.lease_until)
    taken, until = 0, time.monotonic() + RUN_SECONDS
    try:
        while time.monotonic() < until and (message := _next(webhook)) is not None:
            _assume_the_worst(webhook, message)
            outcome = _call(webhook, message)
            _note(webhook, message, outcome)
            if outcome.holds_up_others:
                break
            taken += not outcome.trouble
    finally:
        row.update(lease_until=None, rung_at=None)
    return taken


def _next(webhook: Webhook) -> WebhookDelivery | None:
    return WebhookDelivery.objects.filter(webhook=webhook).due().order_by("pk").first()


def _pause(tries: int) -> timedelta:
    doublings: int = min(max(0, tries - 1), 10)
    return min(LONGEST_PAUSE, FIRST_PAUSE * (1 << doublings))


def _assume_the_worst(webhook: Webhook, message: WebhookDelivery) -> None:
    webhook.tries, message.tries = webhook.tries + 1, message.tries + 1
    WebhookDelivery.objects.filter(pk=message.pk).update(tries=F("tries") + 1, tried_at=Now())
    Webhook.objects.filter(pk=webhook.pk).update(
        tries=F("tries") + 1,
        not_before=Now() + _pause(webhook.tries),
        failing_since=Coalesce(F("failing_since"), Now()),
    )


def _call(webhook: Webhook, message: WebhookDelivery) -> _Outcome:
    try:
        url, secrets = signing.unlock(webhook.address), _secrets(webhook)
    except signing.CannotUnlockError:
        log.error("webhook.cannot_be_read: is a key missing in SECRET_KEYS_RETIRED?")
        return _Outcome("Its address and secret can't be read any more: make another webhook.")
    networks = settings.WEBHOOK_NETWORKS
    at = Token.objects.database_now()
    headers = signing.headers(message.message_id, message.body, secrets=secrets, at=at)
    try:
        place = places.parse(url, networks)
        addresses = places.look_up(place, networks)
        answer = wire.post(place, addresses, message.body.encode(), headers)
    except (places.WrongPlaceError, places.RefusedError, places.NotFoundError) as error:
        return _Outcome(f"Not called. {error}")
    except wire.NoAnswerError as error:
        return _Outcome(str(error))
    if 200 <= answer.status < 300:
        return _Outcome(status=answer.status)
    why = "It answered HTTP {}: redirects are not followed." if 300 <= answer.status < 400 else ""
    return _Outcome(
        (why or "It answered HTTP {}.").format(answer.status), answer.status, answer.pause
    )


def _secrets(webhook: Webhook) -> list[str]:
    """Those that sign: the one of now, and for a day the one before."""
    found = [signing.unlock(webhook.secret)]
    if webhook.before_until is not None and webhook.before_until > Token.objects.database_now():
        found.append(signing.unlock(webhook.secret_before))
    return found


def _note(webhook: Webhook, message: WebhookDelivery, outcome: _Outcome) -> None:
    """Write down how it went: what is left waiting, and what is given up after a day of tries."""
    row = WebhookDelivery.objects.filter(pk=message.pk)
    hook = Webhook.objects.filter(pk=webhook.pk)
    said = {"status": outcome.status, "trouble": outcome.trouble[:200]}
    if not outcome.trouble:
        row.update(**said, taken_at=Now(), not_before=None)
        hook.update(taken_at=Now())
    elif not outcome.holds_up_others:
        row.update(**said, not_before=Now() + _pause(message.tries))
    else:
        row.update(**said)
    if outcome.holds_up_others:
        asked = min(timedelta(seconds=outcome.pause), MOST_ASKED_FOR)
        hook.update(
            trouble=outcome.trouble[:200], not_before=Now() + max(_pause(webhook.tries), asked)
        )
    else:
        webhook.tries = 0
        hook.update(tries=0, not_before=None, failing_since=None, trouble="")
        _lock_anew(webhook)
    if outcome.trouble:
        given_up = _give_up(webhook, message)
        log.warning(
            "webhook.not_taken",
            extra={
                "webhook": webhook.pk,
                "host": webhook.host,
                "status": outcome.status,
                "reason": outcome.trouble,
                "tries": message.tries,
                "given_up": given_up,
            },
        )


def _give_up(webhook: Webhook, message: WebhookDelivery) -> int:
    """What was tried in vain for a day, and what waited behind it for as long; how many.

    Not by a clock that is off.
    """
    if clock.is_off():
        return 0
    old = WebhookDelivery.objects.filter(webhook=webhook).waiting()
    old = old.filter(begun_at__lte=Now() - GIVEN_UP_AFTER)
    is_failing_for_long = Q(webhook__failing_since__lte=Now() - GIVEN_UP_AFTER)
    over = list(old.filter(Q(pk=message.pk) | is_failing_for_long).values_list("pk", flat=True))
    return WebhookDelivery.objects.filter(pk__in=over).update(dropped_at=Now())


def _lock_anew(webhook: Webhook) -> None:
    """With SECRET_KEY of now, so that retired ones can be dropped."""
    if signing.is_locked_with_the_key_of_now(webhook.secret):
        return
    names = ("address", "secret", "secret_before")
    locked = {name: text for name in names if (text := getattr(webhook, name))}
    Webhook.objects.filter(pk=webhook.pk, secret=webhook.secret).update(
        **{name: signing.lock(signing.unlock(text)) for name, text in locked.items()}
    )
    webhook.refresh_from_db()
