"""A team's webhook, and a receiver on this machine, which the settings allow."""

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from pytest_django import Settings

from portal.audit import Actor
from portal.flows.add_webhook import add_webhook
from portal.models import Team, User, Webhook, WebhookKind
from tests.conftest import Catalog
from tests.webhooks.names import Names
from tests.webhooks.receiver import Receiver


@pytest.fixture
def catalog(rows: Catalog) -> Catalog:
    """No sandbox is asked here."""
    return rows


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.0/8")]
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def make_webhook(receiver: Receiver, platform: Team, lead: User) -> Callable[..., Webhook]:
    """A webhook of team platform, for everything unless ``kinds`` are named."""

    def make(**changed: Any) -> Webhook:
        fields: dict[str, Any] = {
            "name": "ops",
            "url": receiver.url(),
            "form": "standard",
            "kinds": list(WebhookKind.values),
        }
        made = add_webhook(platform, actor=Actor(user=lead), **(fields | changed))
        return Webhook.objects.get(pk=made.pk)

    return make
