"""A receiver is called with what waits: signed, at least once, and again when it failed."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from portal import clock
from portal.audit import Actor
from portal.flows import call_webhook as flow
from portal.flows.call_webhook import LONGEST_PAUSE, call_webhook
from portal.flows.change_webhook import change_webhook
from portal.flows.forget_messages import forget_messages
from portal.flows.rotate_webhook import rotate_webhook
from portal.flows.sweep import webhooks_to_call
from portal.flows.try_webhook import send_again, try_webhook
from portal.models import Team, User, Webhook, WebhookDelivery
from portal.webhooks import signing
from tests.webhooks.names import Names
from tests.webhooks.receiver import Receiver
from tests.webhooks.waiting import pass_time, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def webhook(make_webhook: Callable[..., Webhook]) -> Webhook:
    return make_webhook()


def row(message: WebhookDelivery) -> WebhookDelivery:
    return WebhookDelivery.objects.get(pk=message.pk)


def hook(webhook: Webhook) -> Webhook:
    return Webhook.objects.get(pk=webhook.pk)


def due() -> list[int]:
    return webhooks_to_call().webhook


def secret_of(webhook: Webhook) -> str:
    return signing.unlock(hook(webhook).secret)


def test_a_message_is_signed_as_standard_webhooks_has_it(
    webhook: Webhook, receiver: Receiver
) -> None:
    message = write(webhook, "§ “ok”")
    assert due() == [webhook.pk]
    assert call_webhook(webhook.pk) == 1
    [posted] = receiver.posted
    assert posted.headers["content-type"] == "application/json"
    assert posted.id == message.message_id
    assert Verifier(secret_of(webhook)).verify(posted.body, posted.headers) == posted.said
    with pytest.raises(WebhookVerificationError):
        Verifier(secret_of(webhook)).verify(posted.body + " ", posted.headers)
    after = row(message)
    assert (after.status, after.tries, after.trouble) == (200, 1, "")
    assert after.taken_at is not None
    assert due() == []
    assert hook(webhook).tries == 0


def test_the_signature_is_the_one_that_the_specification_shows() -> None:
    headers = signing.headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        '{"test": 2432232314}',
        secrets=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        at=datetime.fromisoformat("2021-02-25T16:02:10+01:00"),
    )
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_after_a_rotation_both_secrets_sign_for_a_day(
    webhook: Webhook, receiver: Receiver, lead: User
) -> None:
    before = secret_of(webhook)
    rotate_webhook(webhook, actor=Actor(user=lead))
    after = secret_of(webhook)
    assert before != after
    write(webhook)
    call_webhook(webhook.pk)
    [posted] = receiver.posted
    for secret in (before, after):
        Verifier(secret).verify(posted.body, posted.headers)
    pass_time(timedelta(hours=24, minutes=10))
    write(webhook)
    call_webhook(webhook.pk)
    Verifier(after).verify(receiver.posted[1].body, receiver.posted[1].headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(before).verify(receiver.posted[1].body, receiver.posted[1].headers)


def test_secret_and_address_stay_readable_when_secret_key_changes_and_are_locked_anew(
    webhook: Webhook, receiver: Receiver, settings: Settings
) -> None:
    before, old = secret_of(webhook), settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "n" * 50, [old]
    write(webhook)
    assert call_webhook(webhook.pk) == 1
    settings.SECRET_KEY_FALLBACKS = []
    assert secret_of(webhook) == before
    write(webhook)
    assert call_webhook(webhook.pk) == 1
    settings.SECRET_KEY = "m" * 50
    message = write(webhook)
    assert call_webhook(webhook.pk) == 0
    assert "make another webhook" in row(message).trouble


def test_no_row_shows_secret_or_address(webhook: Webhook, receiver: Receiver) -> None:
    values = " ".join(map(str, Webhook.objects.values().get(pk=webhook.pk).values()))
    assert secret_of(webhook) not in values
    assert "/in" not in values


# -- What fails ---------------------------------------------------------------------------------


def test_a_receiver_that_fails_is_called_ever_more_seldom_and_then_gets_all_in_order(
    webhook: Webhook, receiver: Receiver
) -> None:
    messages = [write(webhook) for _ in range(3)]
    receiver.answer = lambda: 500
    pauses = []
    for _ in range(9):
        assert due() == [webhook.pk]
        assert call_webhook(webhook.pk) == 0
        assert due() == [], "not at once"
        after = hook(webhook)
        assert after.not_before is not None
        pause = after.not_before - timezone.now()
        pauses.append(round(pause.total_seconds()))
        pass_time(pause)
    assert pauses == [15, 30, 60, 120, 240, 480, 900, 900, 900]
    assert {one.id for one in receiver.posted} == {messages[0].message_id}, "one at a time"
    assert row(messages[0]).trouble == "It answered HTTP 500."
    assert hook(webhook).failing_since is not None
    receiver.posted.clear()
    receiver.answer = lambda: 200
    assert call_webhook(webhook.pk) == 3
    assert [one.id for one in receiver.posted] == [one.message_id for one in messages]
    assert hook(webhook).failing_since is None
    assert hook(webhook).trouble == ""


def test_one_message_that_is_refused_holds_up_no_other(
    webhook: Webhook, receiver: Receiver
) -> None:
    refused, following = write(webhook, "bad"), write(webhook)
    receiver.answer = lambda: 422 if "bad" in receiver.posted[-1].body else 204
    assert call_webhook(webhook.pk) == 1
    assert row(following).taken_at is not None
    assert (row(refused).status, row(refused).taken_at) == (422, None)
    assert hook(webhook).tries == 0
    assert due() == []
    pass_time(timedelta(seconds=15))
    assert due() == [webhook.pk]


@pytest.mark.parametrize(("asked", "seconds"), [("120", 120), ("1", 15), ("999999", 3600)])
def test_a_pause_that_a_receiver_asks_for_is_kept_up_to_an_hour(
    webhook: Webhook, receiver: Receiver, asked: str, seconds: int
) -> None:
    write(webhook)
    receiver.answer = lambda: (429, {"Retry-After": asked})
    call_webhook(webhook.pk)
    after = hook(webhook)
    assert after.not_before is not None
    assert round((after.not_before - timezone.now()).total_seconds()) == seconds


def test_after_a_day_of_tries_it_is_given_up_with_what_waited_as_long(
    webhook: Webhook, receiver: Receiver
) -> None:
    old, behind = write(webhook), write(webhook)
    receiver.answer = lambda: 500
    call_webhook(webhook.pk)
    pass_time(timedelta(hours=23))
    young = write(webhook)
    call_webhook(webhook.pk)
    assert [row(one).dropped_at for one in (old, behind, young)] == [None] * 3
    pass_time(timedelta(hours=1))
    call_webhook(webhook.pk)
    assert row(old).dropped_at is not None
    assert row(behind).dropped_at is not None
    assert row(young).dropped_at is None
    receiver.posted.clear()
    receiver.answer = lambda: 200
    pass_time(LONGEST_PAUSE)
    assert call_webhook(webhook.pk) == 1
    assert [one.id for one in receiver.posted] == [young.message_id]


def test_what_waited_while_the_portal_was_away_is_tried_for_its_day(
    webhook: Webhook, receiver: Receiver
) -> None:
    first, second = write(webhook), write(webhook)
    pass_time(timedelta(days=3))
    receiver.answer = lambda: 500
    call_webhook(webhook.pk)
    assert row(second).dropped_at is None, "nobody has tried it yet"
    receiver.answer = lambda: 200
    pass_time(timedelta(minutes=1))
    call_webhook(webhook.pk)
    assert row(second).taken_at is not None
    assert row(first).dropped_at is not None


def test_a_clock_that_is_off_gives_nothing_up(
    webhook: Webhook, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = write(webhook)
    pass_time(timedelta(days=3))
    receiver.answer = lambda: 500
    monkeypatch.setattr(clock, "is_off", lambda: True)
    call_webhook(webhook.pk)
    assert row(message).dropped_at is None


@pytest.mark.parametrize(
    "answer", [(302, {"Location": "http://169.254.169.254/"}), (307, {}), (404, {}), (410, {})]
)
def test_redirects_and_places_that_are_gone_are_failures(
    webhook: Webhook, receiver: Receiver, answer: tuple[int, dict[str, str]]
) -> None:
    message = write(webhook)
    receiver.answer = lambda: answer
    assert call_webhook(webhook.pk) == 0
    assert f"HTTP {answer[0]}" in row(message).trouble
    assert len(receiver.posted) == 1


def test_a_name_that_leads_inside_by_now_is_not_called(
    make_webhook: Callable[..., Webhook], receiver: Receiver, names: Names, settings: Settings
) -> None:
    """It was of outside when it was written, or of a network that is no longer named."""
    webhook = make_webhook(url=receiver.url("moves.example"))
    message = write(webhook)
    for inside in ("10.0.0.7", "169.254.169.254", "::ffff:127.0.0.1", "::1", "0.0.0.0"):
        names.say("moves.example", [inside])
        pass_time(LONGEST_PAUSE)
        assert call_webhook(webhook.pk) == 0
        assert row(message).trouble.startswith("Not called.")
        assert inside not in row(message).trouble
    settings.WEBHOOK_NETWORKS = []
    names.say("moves.example", ["127.0.0.1"])
    pass_time(LONGEST_PAUSE)
    assert call_webhook(webhook.pk) == 0
    assert receiver.posted == []


# -- Workers ------------------------------------------------------------------------------------


def test_one_worker_at_a_time_calls_a_receiver(webhook: Webhook, receiver: Receiver) -> None:
    write(webhook)
    assert Webhook.objects.claim(webhook.pk)
    assert call_webhook(webhook.pk) == 0
    assert due() == []
    pass_time(timedelta(seconds=60))
    assert due() == [webhook.pk], "its worker is gone"
    assert call_webhook(webhook.pk) == 1


class KilledError(BaseException):
    """The worker dies: nothing after it runs."""


def test_a_worker_that_dies_before_it_knows_sends_once_more_under_the_same_id(
    webhook: Webhook, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = write(webhook)

    def die(*_: Any) -> None:
        raise KilledError

    with monkeypatch.context() as killed:
        killed.setattr(flow, "_note", die)
        with pytest.raises(KilledError):
            call_webhook(webhook.pk)
    assert row(message).taken_at is None
    assert due() == [], "not at once: the call may be what kills"
    pass_time(timedelta(seconds=60))
    assert due() == [webhook.pk]
    assert call_webhook(webhook.pk) == 1
    assert [one.id for one in receiver.posted] == [message.message_id] * 2


def test_few_workers_at_once_are_asked_to_call_and_each_webhook_has_its_turn(
    make_webhook: Callable[..., Webhook], settings: Settings
) -> None:
    settings.WORKER_PROCESSES = 8
    webhooks = [make_webhook() for _ in range(5)]
    for one in webhooks:
        write(one)
    first = due()
    assert len(first) == 2
    assert due() == [], "these are under way"
    for pk in first:
        call_webhook(pk)
        write(Webhook.objects.get(pk=pk))
    assert set(due()).isdisjoint(first)


def test_a_run_ends_though_there_is_more(
    webhook: Webhook, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "RUN_SECONDS", 0.0)
    write(webhook)
    assert call_webhook(webhook.pk) == 0
    assert due() == [webhook.pk]


def test_the_webhook_of_a_closed_team_is_not_called(
    webhook: Webhook, receiver: Receiver, platform: Team
) -> None:
    write(webhook)
    Team.objects.filter(pk=platform.pk).update(closed_at=timezone.now())
    assert due() == []
    assert call_webhook(webhook.pk) == 0
    assert receiver.posted == []


# -- What people do -----------------------------------------------------------------------------


def test_a_test_goes_at_once_and_says_that_it_is_one(
    webhook: Webhook, receiver: Receiver, lead: User
) -> None:
    Webhook.objects.filter(pk=webhook.pk).update(not_before=timezone.now() + timedelta(hours=1))
    effects = try_webhook(webhook, actor=Actor(user=lead))
    assert effects.webhook == [webhook.pk]
    assert call_webhook(webhook.pk) == 1
    assert receiver.posted[0].said["type"] == "webhook.test"


def test_a_message_is_sent_again_under_its_id_with_a_new_day_of_tries(
    webhook: Webhook, receiver: Receiver, lead: User
) -> None:
    message = write(webhook)
    WebhookDelivery.objects.update(
        begun_at=F("begun_at") - timedelta(days=9), dropped_at=timezone.now()
    )
    send_again(row(message), actor=Actor(user=lead))
    receiver.answer = lambda: 500
    call_webhook(webhook.pk)
    assert row(message).dropped_at is None
    receiver.answer = lambda: 200
    send_again(row(message), actor=Actor(user=lead))
    assert call_webhook(webhook.pk) == 1
    assert {one.id for one in receiver.posted} == {message.message_id}
    assert row(message).again_by == lead.email


def test_what_waits_goes_to_the_new_address(
    webhook: Webhook, receiver: Receiver, lead: User
) -> None:
    message = write(webhook)
    receiver.answer = lambda: 500
    call_webhook(webhook.pk)
    with Receiver() as other:
        change_webhook(
            webhook,
            name="",
            url=other.url(),
            form=webhook.format,
            kinds=webhook.kinds,
            actor=Actor(user=lead),
        )
        assert call_webhook(webhook.pk) == 1, "without the pause of the one before"
    assert [one.id for one in other.posted] == [message.message_id]


def test_messages_are_forgotten_after_a_month(webhook: Webhook) -> None:
    old, young = write(webhook), write(webhook)
    WebhookDelivery.objects.filter(pk=old.pk).update(
        created_at=timezone.now() - timedelta(days=30, minutes=1)
    )
    assert forget_messages() == 1
    assert list(WebhookDelivery.objects.all()) == [young]
