"""Single sign-on against a provider that answers over HTTP."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.test import Client
from pytest_django import Settings

from portal.models import AuditEvent, GroupRight, Right, Team
from tests.identity_provider import ErringProvider, choose, running
from tests.views.conftest import quick_settings, quiet_end, static_files

__all__ = ["quick_settings", "quiet_end", "static_files"]

START, CALLBACK = "/accounts/oidc/sso/login/", "/accounts/oidc/sso/login/callback/"


@pytest.fixture(scope="session")
def the_provider() -> Iterator[ErringProvider]:
    with running("http://127.0.0.1:8000") as provider:
        yield provider


@pytest.fixture
def provider(
    the_provider: ErringProvider, settings: Settings, db: None, enqueued: list[Any]
) -> ErringProvider:
    the_provider.reset()
    settings.OPENID = the_provider.settings
    settings.PORTAL_ORIGIN = "http://127.0.0.1:8000"
    return the_provider


@pytest.fixture
def mapping(platform: Team, mobile: Team) -> None:
    Team.objects.filter(pk=platform.pk).update(
        idp_groups=["grafana-platform"], lead_idp_groups=["grafana-leads"]
    )
    GroupRight.objects.create(group="portal-admins", right=Right.ADMIN)
    GroupRight.objects.create(group="security", right=Right.AUDITOR)


class Browser(Client):
    """A browser that follows the way to the provider and back."""

    def begin(self, next_url: str = "") -> str:
        """Press the button; returns where the provider is."""
        answer = self.post(START, {"next": next_url} if next_url else {})
        assert answer.status_code == 302, answer.content.decode()
        return str(answer.headers["Location"])

    def come_back(self, address: str, email: str, **changed: str | None) -> Any:
        """Choose a person there; ``changed`` are parameters of the answer that somebody forged."""
        way = urlsplit(choose(address, email))
        query = dict(parse_qsl(way.query)) | changed
        return self.get(way.path, {name: one for name, one in query.items() if one is not None})

    def sign_in(self, email: str, next_url: str = "") -> Any:
        return self.come_back(self.begin(next_url), email)

    @property
    def is_signed_in(self) -> bool:
        return bool(self.get("/tokens/").status_code == 200)


@pytest.fixture
def browser(provider: ErringProvider) -> Browser:
    return Browser()


def events(action: str) -> list[tuple[str, str, str]]:
    """Who, with which code, and why."""
    rows = AuditEvent.objects.filter(action=action).order_by("seq")
    return list(rows.values_list("actor", "error_code", "reason"))
