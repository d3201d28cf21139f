"""A portal that people come to by SAML, and a browser that carries what the provider answers."""

import base64
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings as portal
from django.test import Client
from pytest_django import Settings

from portal.models import AuditEvent, Right, Team, User
from portal.models.people import GroupRight
from portal.saml_settings import Saml
from tests.saml.process import ProviderProcess

LOGIN = "/accounts/saml/sso/login/"
ACS = "/accounts/saml/sso/acs/"
FINISH = "/accounts/saml/sso/finish/"
METADATA = "/accounts/saml/sso/metadata/"
ENTITY_ID = f"{portal.PORTAL_ORIGIN}{METADATA}"
ACS_URL = f"{portal.PORTAL_ORIGIN}{ACS}"
AGENT = {"user-agent": "a browser"}


@pytest.fixture(scope="session")
def process() -> Iterator[ProviderProcess]:
    with ProviderProcess() as process:
        yield process


@pytest.fixture
def provider(process: ProviderProcess, settings: Settings, db: None) -> ProviderProcess:
    """The provider, and the portal set up for it; each has read the other's metadata."""
    settings.SAML = Saml(process.entity_id, "", "", ENTITY_ID, ACS_URL)
    metadata = Client().get(METADATA)
    assert metadata.status_code == 200
    process.meet(ENTITY_ID, ACS_URL, metadata.text)
    return process


@pytest.fixture
def mapping(platform: Team) -> None:
    """Groups that make somebody something here."""
    Team.objects.filter(pk=platform.pk).update(
        idp_groups=["grafana-platform"], lead_idp_groups=["0a1b2c3d-leads"]
    )
    GroupRight.objects.create(group="portal-admins", right=Right.ADMIN)


class Browser:
    """A browser at the portal, whose cookies do not go with what another site posts."""

    def __init__(self, provider: ProviderProcess) -> None:
        self.client = Client(headers=AGENT, REMOTE_ADDR="192.0.2.7")
        self._provider = provider
        self.request = ""
        self.sent: dict[str, str] = {}

    def begin(self, way: str = "") -> "Browser":
        """Press the button; the answer leads to the provider with a request."""
        answer = self.client.post(LOGIN, {"next": way} if way else {})
        assert answer.status_code == 302, answer.content.decode()
        self.go(answer.headers["Location"])
        return self

    def go(self, location: str) -> None:
        assert location.startswith(f"{self._provider.url}/sso?")
        query = parse_qs(urlsplit(location).query, keep_blank_values=True)
        self.sent = {name: values[0] for name, values in query.items()}
        self.request = self._provider.asked(self.sent["SAMLRequest"])["id"]

    def answer(self, **told: Any) -> str:
        """What the provider answers this browser's request."""
        said: dict[str, Any] = {"name_id": "engineer@example.com", "request": self.request}
        return self._provider.answer(**said | told)

    def post(self, xml: str, relay_state: str | None = None) -> Any:
        """The provider's page posts its answer: across sites, so without the session."""
        relay = self.sent.get("RelayState", "") if relay_state is None else relay_state
        across = Client(headers=AGENT, REMOTE_ADDR="192.0.2.7")
        encoded = base64.b64encode(xml.encode()).decode()
        answer = across.post(ACS, {"SAMLResponse": encoded, "RelayState": relay})
        for name, morsel in across.cookies.items():
            self.client.cookies[name] = morsel.value
        return answer

    def arrive(self, xml: str, relay_state: str | None = None) -> Any:
        """Bring the answer; returns the last page, or the redirect by which a sign-in ends."""
        answer = self.post(xml, relay_state)
        if answer.status_code == 302:
            assert answer.headers["Location"] == FINISH
            answer = self.client.get(FINISH)
        return answer

    def sign_in(self, way: str = "", **told: Any) -> Any:
        self.begin(way)
        return self.arrive(self.answer(**told))

    @property
    def person(self) -> str:
        """Whom the portal takes the browser for; empty for nobody."""
        key = self.client.session.get("_auth_user_id")
        return User.objects.get(pk=key).email if key else ""


@pytest.fixture
def browser(provider: ProviderProcess, enqueued: list[tuple[str, str]]) -> Browser:
    return Browser(provider)


def events() -> list[tuple[str, str, str]]:
    """Sign-ins in the audit log: action, person and code."""
    found = AuditEvent.objects.filter(action__startswith="signin.").order_by("seq")
    return list(found.values_list("action", "actor", "error_code"))
