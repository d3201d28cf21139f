"""What webhooks are told: from the audit log, each once, to those whose news it is; never a key."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal import audit, life
from portal.audit import SYSTEM
from portal.flows import tell_webhooks as flow
from portal.flows.deadlines import warn_of_ends
from portal.flows.tell_webhooks import tell_webhooks
from portal.life import moves
from portal.models import (
    Action,
    Grant,
    State,
    Tally,
    Team,
    Token,
    User,
    Webhook,
    WebhookDelivery,
    WebhookKind,
)
from portal.webhooks import telling
from tests.conftest import Catalog, acting

pytestmark = pytest.mark.django_db
FINGERPRINT = "f" * 64
KEY = f"glsa_{'k' * 32}_00000000"


def happen(action: Action, token: Token | None = None, **said: Any) -> None:
    with transaction.atomic():
        audit.record(action, actor=SYSTEM, **(said | ({"token": token} if token else {})))


def told(webhook: Webhook) -> list[tuple[str, Any]]:
    return [
        (one.kind, json.loads(one.body))
        for one in WebhookDelivery.objects.filter(webhook=webhook).order_by("pk")
    ]


@pytest.fixture
def token(make_token: Callable[..., Token], engineer: User) -> Token:
    return make_token(
        engineer,
        name="ci",
        state=State.ACTIVE,
        expires_at=timezone.now() + timedelta(days=1),
        fingerprint=FINGERPRINT,
    )


def test_each_kind_of_news_is_told_once(
    make_webhook: Callable[..., Webhook], token: Token, catalog: Catalog
) -> None:
    webhook = make_webhook()
    happen(Action.TOKEN_ISSUED, token, aws_request_id="r")
    happen(Action.TOKEN_REVOKED, token, reason="it leaked")
    happen(Action.TOKEN_REISSUED, token, subject="ci-2 for engineer@example.com, at once")
    happen(Action.TOKEN_REQUESTED, token, subject=State.AWAITING_APPROVAL.label)
    happen(Action.TOKEN_REQUESTED, token, subject="for the browser key " + "e" * 64)
    happen(Action.TOKEN_DELIVERED, token)
    happen(Action.TOKEN_UNCLAIMED, token)
    happen(
        Action.TOKEN_DRIFT_FOUND,
        service_account=catalog.deployer,
        aws_token_id="9",
        aws_request_id="r",
        subject="not issued here: rogue",
    )
    assert tell_webhooks() == 6
    assert tell_webhooks() == 0
    assert [kind for kind, _ in told(webhook)] == [
        WebhookKind.ISSUED,
        WebhookKind.REVOKED,
        WebhookKind.REISSUED,
        WebhookKind.APPROVAL_WANTED,
        WebhookKind.UNCLAIMED,
        WebhookKind.DRIFT_FOUND,
    ]
    for kind, said in told(webhook):
        assert said["type"] == kind
        assert said["timestamp"].endswith("Z")
        assert said["data"]["url"].startswith("http")
        text = json.dumps(said)
        assert FINGERPRINT not in text
        assert "e" * 64 not in text
    issued = told(webhook)[0][1]["data"]
    assert issued["token"]["name"] == "ci"
    assert issued["token"]["owner"] == "engineer@example.com"
    assert issued["workspace"] == {"id": "g-00000000a1", "name": "observability"}
    assert issued["service_account"]["role"] == "EDITOR"
    assert f"/tokens/{token.pk}/" in issued["url"]


def test_a_request_that_waits_is_told_by_the_move_itself_which_asks_nothing_for_it(
    make_webhook: Callable[..., Webhook], make_token: Callable[..., Token], engineer: User
) -> None:
    """The audit log's word for it is the one that is looked for."""
    webhook = make_webhook()
    waiting = make_token(engineer, state=State.AWAITING_RECIPIENT)
    with CaptureQueriesContext(connection) as queries, life.work(acting(engineer)) as work:
        work.move(work.lock(waiting.pk), moves.ASK_APPROVAL)
    assert not any("portal_webhook" in one["sql"] for one in queries)
    tell_webhooks()
    assert [kind for kind, _ in told(webhook)] == [WebhookKind.APPROVAL_WANTED]


def test_what_came_before_a_webhook_is_not_told(
    make_webhook: Callable[..., Webhook], token: Token
) -> None:
    happen(Action.TOKEN_UNCLAIMED, token)
    first = make_webhook()
    happen(Action.TOKEN_UNCLAIMED, token)
    second = make_webhook()
    happen(Action.TOKEN_UNCLAIMED, token)
    tell_webhooks()
    assert (len(told(first)), len(told(second))) == (2, 1)


def test_a_webhook_is_told_what_it_was_made_for_and_of_its_own_team_alone(
    make_webhook: Callable[..., Webhook], token: Token, mobile: Team
) -> None:
    revoked = make_webhook(kinds=[WebhookKind.REVOKED])
    others = make_webhook()
    Webhook.objects.filter(pk=others.pk).update(team=mobile)
    happen(Action.TOKEN_REVOKED, token)
    happen(Action.TOKEN_UNCLAIMED, token)
    tell_webhooks()
    assert [kind for kind, _ in told(revoked)] == [WebhookKind.REVOKED]
    assert told(others) == []


def test_drift_is_told_to_teams_that_are_granted_the_account(
    make_webhook: Callable[..., Webhook], catalog: Catalog
) -> None:
    webhook = make_webhook()
    for account in (catalog.deployer, catalog.mobile_account):
        happen(
            Action.TOKEN_DRIFT_FOUND,
            service_account=account,
            aws_token_id="9",
            aws_request_id="r",
            subject="not issued here: x",
        )
    tell_webhooks()
    [(_, said)] = told(webhook)
    assert said["data"]["service_account"]["id"] == catalog.deployer.aws_id
    assert said["data"]["token"] is None
    Grant.objects.update(suspended_at=timezone.now())
    happen(
        Action.TOKEN_DRIFT_FOUND,
        service_account=catalog.deployer,
        aws_token_id="10",
        aws_request_id="r",
        subject="not issued here: y",
    )
    tell_webhooks()
    assert len(told(webhook)) == 1


def test_a_closed_team_is_told_nothing(
    make_webhook: Callable[..., Webhook], token: Token, platform: Team
) -> None:
    webhook = make_webhook()
    Team.objects.filter(pk=platform.pk).update(closed_at=timezone.now())
    happen(Action.TOKEN_UNCLAIMED, token)
    tell_webhooks()
    assert told(webhook) == []


def test_many_events_are_told_in_several_turns(
    make_webhook: Callable[..., Webhook], token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "AT_ONCE", 2)
    webhook = make_webhook()
    for _ in range(5):
        happen(Action.TOKEN_UNCLAIMED, token)
        happen(Action.TOKEN_DELIVERED, token)
    assert [tell_webhooks() for _ in range(4)] == [2, 2, 1, 0]
    assert len(told(webhook)) == 5


def test_of_two_schedulers_that_read_the_same_one_writes(
    make_webhook: Callable[..., Webhook], token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = make_webhook()
    happen(Action.TOKEN_UNCLAIMED, token)
    real = telling.messages_of

    def and_so_does_another(*arguments: Any) -> Any:
        with monkeypatch.context() as one:
            one.setattr(flow, "messages_of", real)
            assert tell_webhooks() == 1
        return real(*arguments)

    monkeypatch.setattr(flow, "messages_of", and_so_does_another)
    assert tell_webhooks() == 0
    assert len(told(webhook)) == 1


def test_a_message_is_not_written_twice_where_the_number_was_lost(
    make_webhook: Callable[..., Webhook], token: Token
) -> None:
    webhook = make_webhook()
    happen(Action.TOKEN_UNCLAIMED, token)
    tell_webhooks()
    before = WebhookDelivery.objects.get().message_id
    Tally.objects.filter(metric="webhooks_read_to").update(value=0)
    tell_webhooks()
    assert WebhookDelivery.objects.get(webhook=webhook).message_id == before


def test_without_webhooks_a_turn_of_the_scheduler_asks_once(token: Token) -> None:
    happen(Action.TOKEN_UNCLAIMED, token)
    with CaptureQueriesContext(connection) as queries:
        tell_webhooks()
    assert len(queries) == 1


@pytest.mark.parametrize(
    ("left", "number"),
    [(timedelta(hours=20), 1), (timedelta(days=5), 1), (timedelta(days=20), 0)],
)
def test_an_end_that_comes_near_is_told_once(
    make_webhook: Callable[..., Webhook], token: Token, left: timedelta, number: int
) -> None:
    webhook = make_webhook(kinds=[WebhookKind.ENDS_SOON])
    deaf = make_webhook(kinds=[WebhookKind.REVOKED])
    end = timezone.now() + left
    Token.objects.filter(pk=token.pk).update(expires_at=end, seconds_to_live=30 * 86_400)
    for _ in range(3):
        warn_of_ends()
    assert len(told(webhook)) == number
    assert told(deaf) == []
    for kind, said in told(webhook):
        assert kind == WebhookKind.ENDS_SOON
        assert said["data"]["token"]["expires_at"] == f"{end:%Y-%m-%dT%H:%M:%SZ}"
        assert FINGERPRINT not in json.dumps(said)


# -- Slack, Teams, and what people paste --------------------------------------------------------


def body(webhook: Webhook) -> Any:
    return json.loads(WebhookDelivery.objects.get(webhook=webhook).body)


def test_slack_and_teams_get_bodies_of_their_own_in_which_names_do_nothing(
    make_webhook: Callable[..., Webhook], make_token: Callable[..., Token], engineer: User
) -> None:
    slack, teams = make_webhook(form="slack"), make_webhook(form="teams")
    name = "<!channel> <https://evil.example|x> [y](https://evil.example) & *z*"
    happen(Action.TOKEN_UNCLAIMED, make_token(engineer, name=name))
    tell_webhooks()
    said = body(slack)
    assert "&lt;!channel&gt; &lt;https://evil.example|x&gt;" in said["text"]
    assert "&amp; *z*" in said["text"]
    assert said["blocks"][0]["text"]["type"] == "plain_text"
    assert name in said["blocks"][0]["text"]["text"]
    [card] = body(teams)["attachments"]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    [block] = card["content"]["body"]
    assert block["type"] == "RichTextBlock", "in which no Markdown is read"
    assert name in block["inlines"][0]["text"]
    assert card["content"]["actions"][0]["url"].startswith("http")


@pytest.mark.parametrize("form", ["standard", "slack", "teams"])
def test_a_key_that_somebody_pasted_is_in_no_message(
    make_webhook: Callable[..., Webhook], token: Token, form: str
) -> None:
    webhook = make_webhook(form=form)
    Token.objects.filter(pk=token.pk).update(name=KEY, end_reason=KEY)
    token.refresh_from_db()
    happen(Action.TOKEN_REVOKED, token, reason=f"leaked: {KEY}")
    tell_webhooks()
    text = WebhookDelivery.objects.get(webhook=webhook).body
    assert "glsa_(hidden)" in text
    assert "k" * 32 not in text
    assert json.loads(text)
