"""A team's webhooks on their pages: who may, what is said beside a field, a secret shown once."""

import html
import re
from collections.abc import Callable
from datetime import UTC, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks import Webhook as Verifier

from portal import limits
from portal.flows.call_webhook import call_webhook
from portal.limits import table
from portal.models import Action, AuditEvent, Team, User, Webhook, WebhookDelivery, WebhookKind
from portal.webhooks import signing
from tests.reading import words
from tests.views.conftest import Post
from tests.webhooks.receiver import Receiver
from tests.webhooks.waiting import pass_time, write

pytestmark = pytest.mark.django_db
NEW = "/team/platform/webhooks/new/"
URL = "https://hooks.slack.com/services/T0/B0/verysecretpart"
EVERY: dict[str, str | list[str]] = {
    "url": URL,
    "format": "slack",
    "events": list(WebhookKind.values),
}


@pytest.fixture
def client(lead: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(lead)


@pytest.fixture
def webhook(client: Client, post: Post, platform: Team) -> Webhook:
    assert post(client, NEW, **EVERY).status_code == 302
    return Webhook.objects.get()


def path(webhook: Webhook, action: str = "") -> str:
    return f"/team/platform/webhooks/{webhook.pk}/{action}"


def shown_secret(answer: Any) -> str:
    found = re.search(r'value="(whsec_[^"]+)"', answer.content.decode())
    return html.unescape(found[1]) if found else ""


def subjects() -> list[str]:
    return list(
        AuditEvent.objects.filter(action=Action.SETTINGS_CHANGED)
        .order_by("seq")
        .values_list("subject", flat=True)
    )


# -- Making one ---------------------------------------------------------------------------------


def test_a_lead_adds_one_and_is_shown_its_secret_until_it_is_stored(
    client: Client, post: Post, admin: User, sign_in: Callable[[User], Client]
) -> None:
    answer = post(client, NEW, **EVERY)
    webhook = Webhook.objects.get()
    assert answer.headers["Location"] == path(webhook)
    page = client.get(path(webhook))
    assert page.headers["Cache-Control"] == "no-store, private"
    secret = shown_secret(page)
    assert secret == signing.unlock(webhook.secret)
    assert shown_secret(client.get(path(webhook))) == secret, "a reload loses nothing"
    assert not shown_secret(sign_in(admin).get(path(webhook))), "nobody else is shown it"
    assert post(client, path(webhook, "stored/")).status_code == 302
    assert not shown_secret(client.get(path(webhook)))
    assert webhook.name == "hooks.slack.com"


def test_a_secret_that_nobody_stored_is_hidden_after_a_while(
    client: Client, webhook: Webhook
) -> None:
    assert shown_secret(client.get(path(webhook)))
    pass_time(timedelta(minutes=15))
    assert not shown_secret(client.get(path(webhook)))


def test_no_page_and_no_event_shows_address_or_secret(
    client: Client, webhook: Webhook, post: Post
) -> None:
    post(client, path(webhook, "rotate/"))
    post(client, path(webhook, "stored/"))
    for page in ("", "deliveries/"):
        assert "verysecretpart" not in client.get(path(webhook, page)).content.decode()
    assert "verysecretpart" not in client.get("/team/platform/webhooks/").content.decode()
    said = subjects()
    assert len(said) == 2
    assert "hooks.slack.com" in said[0]
    assert "verysecretpart" not in " ".join(said)
    assert "whsec_" not in " ".join(said)


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"url": ""}, "url", "Write the address"),
        ({"url": "http://hooks.example.com/"}, "url", "Write https://"),
        ({"url": "https://169.254.169.254/latest/"}, "url", "credentials"),
        ({"url": "https://10.0.0.1/"}, "url", "private"),
        ({"url": "https://2130706433/"}, "url", "four decimal numbers"),
        ({"url": f"https://hooks.example.com/glsa_{'k' * 32}"}, "url", "Grafana key"),
        ({"url": "https://hooks.example.com/" + "x" * 3000}, "url", "2,000"),
        ({"name": "x" * 81}, "name", "80 characters"),
        ({"name": "a\u202eb"}, "name", "U+202E"),
        ({"events": []}, "events", "at least one"),
        ({"events": ["token.deleted"]}, "events", "from the list"),
        ({"format": "xml"}, "format", "one of the formats"),
    ],
)
def test_a_mistake_stands_beside_its_field_and_what_was_typed_is_kept(
    client: Client, post: Post, changed: dict[str, Any], field: str, said: str
) -> None:
    answer = post(client, NEW, **{"name": "ops", **EVERY, **changed})
    assert answer.status_code == 422
    text = html.unescape(answer.content.decode())
    [error] = re.findall(rf'<ul class="errorlist"[^>]*id="id_{field}_error".*?</ul>', text, re.S)
    assert said in error
    assert f'aria-describedby="id_{field}' in text
    assert f'value="{changed.get("name", "ops")}"' in text
    assert str(changed.get("url", URL)) in text
    assert not Webhook.objects.exists()


def test_a_team_has_twenty_at_most(client: Client, post: Post, webhook: Webhook) -> None:
    kept = {name: one for name, one in Webhook.objects.values().get().items() if name != "id"}
    Webhook.objects.bulk_create(Webhook(**kept) for _ in range(19))
    answer = post(client, NEW, **EVERY)
    assert answer.status_code == 422
    assert "20 webhooks" in answer.content.decode()
    assert Webhook.objects.count() == 20


# -- Changing, rotating, deleting ---------------------------------------------------------------


def test_a_change_is_an_event_and_an_empty_address_keeps_the_one_it_has(
    client: Client, post: Post, webhook: Webhook
) -> None:
    fields: dict[str, str | list[str]] = {
        **{"url": "", "name": "ops", "format": "slack"},
        "events": ["token.revoked"],
    }
    assert post(client, path(webhook), **fields).status_code == 302
    after = Webhook.objects.get()
    assert (after.name, after.kinds) == ("ops", ["token.revoked"])
    assert signing.unlock(after.address) == URL
    assert subjects()[1] == "webhook hooks.slack.com: named ops; for token.revoked"
    assert post(client, path(webhook), **fields).status_code == 302
    assert len(subjects()) == 2, "what changes nothing is no event"
    answer = post(client, path(webhook), **fields | {"url": "https://10.0.0.1/"})
    assert answer.status_code == 422
    assert "<details" in answer.content.decode()
    post(client, path(webhook), **fields | {"url": "https://example.org/x"})
    assert signing.unlock(Webhook.objects.get().address) == "https://example.org/x"
    assert subjects()[2] == "webhook ops: to example.org"


def test_a_new_secret_is_shown_like_the_first(client: Client, post: Post, webhook: Webhook) -> None:
    first = shown_secret(client.get(path(webhook)))
    post(client, path(webhook, "stored/"))
    post(client, path(webhook, "rotate/"))
    page = client.get(path(webhook))
    assert shown_secret(page) not in ("", first)
    assert "Two secrets sign" in page.content.decode()
    assert subjects()[1] == "webhook hooks.slack.com: another secret"


def test_one_that_is_deleted_takes_its_messages_along(
    client: Client, post: Post, webhook: Webhook
) -> None:
    write(webhook)
    assert post(client, path(webhook, "delete/")).status_code == 302
    assert not WebhookDelivery.objects.exists()
    assert subjects()[1] == "webhook hooks.slack.com: deleted"
    assert client.get(path(webhook)).status_code == 404
    assert post(client, path(webhook, "delete/")).status_code == 404


def test_a_secret_that_cannot_be_read_any_more_is_said(
    client: Client, webhook: Webhook, settings: Settings
) -> None:
    Webhook.objects.update(secret="x", address="x")
    answer = client.get(path(webhook))
    assert answer.status_code == 200
    assert "be read any more" in answer.content.decode()


# -- Test, log, send again ----------------------------------------------------------------------


def test_a_test_is_rung_at_once_and_the_log_says_how_it_went(
    client: Client, post: Post, enqueued: list[Any], settings: Settings
) -> None:
    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.1/32")]
    with Receiver() as receiver:
        post(client, NEW, **EVERY | {"url": receiver.url(), "format": "standard"})
        webhook = Webhook.objects.get()
        secret = shown_secret(client.get(path(webhook)))
        answer = post(client, path(webhook, "test/"))
        assert answer.headers["Location"] == path(webhook, "deliveries/")
        assert ("portal.webhook", webhook.pk) in enqueued
        assert "waits" in client.get(path(webhook, "deliveries/")).content.decode()
        call_webhook(webhook.pk)
        [posted] = receiver.posted
        assert Verifier(secret).verify(posted.body, posted.headers)["type"] == "webhook.test"
        text = client.get(path(webhook, "deliveries/")).content.decode()
        assert "HTTP 200" in text
        assert posted.id in text
        message = WebhookDelivery.objects.get()
        post(client, path(webhook, f"deliveries/{message.pk}/again/"))
        call_webhook(webhook.pk)
    assert [one.id for one in receiver.posted] == [posted.id] * 2
    assert (
        "sent again by lead@example.com"
        in client.get(path(webhook, "deliveries/")).content.decode()
    )


def test_the_log_has_pages(client: Client, webhook: Webhook) -> None:
    messages = [write(webhook) for _ in range(30)]
    first = client.get(path(webhook, "deliveries/"))
    text = first.content.decode()
    assert messages[29].message_id in text
    assert messages[0].message_id not in text
    further = client.get(path(webhook, "deliveries/"), {"page": first.context["page"].next})
    assert messages[0].message_id in further.content.decode()


def test_what_a_body_holds_is_shown_as_text(client: Client, webhook: Webhook) -> None:
    write(webhook, "<script>alert(1)</script>")
    assert "<script>alert" not in client.get(path(webhook, "deliveries/")).content.decode()


def test_one_that_fails_shows_on_its_page_the_list_and_the_desk(
    client: Client, webhook: Webhook
) -> None:
    assert "webhook is failing" not in client.get("/team/platform/").content.decode()
    Webhook.objects.update(
        failing_since=timezone.now() - timedelta(hours=1), trouble="It answered HTTP 500."
    )
    for page in (path(webhook), path(webhook, "deliveries/"), "/team/platform/webhooks/"):
        assert "It answered HTTP 500." in client.get(page).content.decode()
    assert "webhook is failing" in client.get("/team/platform/").content.decode()


def failing_webhooks() -> float:
    said = Client().get("/metrics").content.decode()
    [line] = re.findall(r"^portal_webhooks_failing (.+)$", said, re.M)
    return float(line)


def test_monitors_are_told_how_many_receivers_have_failed_for_ten_minutes(
    webhook: Webhook, platform: Team
) -> None:
    now = timezone.now()
    for failing_since, told in (
        (None, 0),
        (now - timedelta(minutes=9), 0),
        (now - timedelta(minutes=11), 1),
    ):
        Webhook.objects.update(failing_since=failing_since, trouble="It answered HTTP 500.")
        assert failing_webhooks() == told
    Team.objects.filter(pk=platform.pk).update(closed_at=now)
    assert failing_webhooks() == 0, "nothing is sent for a closed team"


def test_admins_see_which_team_s_receiver_has_been_failing_since_when(
    webhook: Webhook,
    platform: Team,
    admin: User,
    auditor: User,
    engineer: User,
    sign_in: Callable[[User], Client],
) -> None:
    page = "/accounts/mails/sending/"

    def row(person: User) -> str:
        html = words(sign_in(person).get(page).content.decode())
        return html.partition('data-testid="webhook-trouble"')[2].partition("</table>")[0]

    assert row(admin) == "", "it is well"
    write(webhook)
    write(webhook)
    since = timezone.now() - timedelta(hours=3)
    Webhook.objects.update(failing_since=since, trouble="It answered HTTP 500.")
    for person, opens in ((admin, True), (auditor, False)):
        found = row(person)
        for said in (
            platform.name,
            webhook.name,
            webhook.host,
            "failing since",
            "It answered HTTP 500.",
        ):
            assert said in found
        assert f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%S}" in found
        assert '<td data-label="Messages that wait">2</td>' in found
        assert (path(webhook) in found) == opens
    assert sign_in(engineer).get(page).status_code == 403


def test_a_receiver_that_refuses_one_message_is_named_until_that_is_given_up(
    webhook: Webhook, admin: User, sign_in: Callable[[User], Client]
) -> None:
    client = sign_in(admin)

    def is_named() -> bool:
        html = client.get("/accounts/mails/sending/").content.decode()
        return "refuses a message" in html

    write(webhook)
    assert not is_named(), "it waits for its first call"
    WebhookDelivery.objects.update(tries=2, trouble="It answered HTTP 422.")
    assert is_named()
    WebhookDelivery.objects.update(dropped_at=timezone.now())
    assert not is_named()


# -- Rights -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status"), [("engineer", 403), ("auditor", 403), ("outsider", 404), ("admin", 200)]
)
def test_only_who_manages_the_team_reaches_one(
    webhook: Webhook,
    who: str,
    status: int,
    request: pytest.FixtureRequest,
    sign_in: Callable[[User], Client],
    post: Post,
) -> None:
    client = sign_in(request.getfixturevalue(who))
    message = write(webhook)
    for page in ("", "deliveries/"):
        assert client.get(path(webhook, page)).status_code == status
    if status != 200:
        for action in ("test/", "rotate/", "stored/", f"deliveries/{message.pk}/again/", "delete/"):
            assert post(client, path(webhook, action)).status_code == status
        assert post(client, path(webhook), **EVERY).status_code == status
        assert WebhookDelivery.objects.count() == 1
        assert len(subjects()) == 1


def test_a_webhook_of_another_team_is_not_there(
    client: Client, post: Post, webhook: Webhook, mobile: Team
) -> None:
    message = write(webhook)
    Webhook.objects.update(team=mobile)
    assert client.get(path(webhook)).status_code == 404
    assert post(client, path(webhook, f"deliveries/{message.pk}/again/")).status_code == 404
    assert post(client, path(webhook, "delete/")).status_code == 404


def test_nobody_changes_and_tries_them_without_end(
    client: Client, post: Post, webhook: Webhook, lead: User
) -> None:
    for _ in range(table.WEBHOOKS.burst - 1):
        limits.take(table.WEBHOOKS, str(lead.pk), person=lead)
    assert post(client, path(webhook, "test/")).status_code == 429
    assert post(client, path(webhook, "delete/")).status_code == 302, "that is always to be had"
