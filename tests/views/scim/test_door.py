"""Who comes in: the provider with its token, over https, where the operator has set one."""

import pytest
from django.test import Client
from pytest_django import Settings

from portal.environment import SettingError, require_strong
from portal.models import AuditEvent, User
from tests.views.scim.conftest import TOKEN, USERS, Provider

pytestmark = pytest.mark.django_db

SECRET = "0123456789abcdef"
PATHS = ["/scim/v2/", USERS, f"{USERS}/1", "/scim/v2/ServiceProviderConfig", "/scim/v2/nothing"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "shown",
    ["", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", "Bearer \xe9"],
)
def test_without_the_token_there_is_no_way_in(provider: Provider, path: str, shown: str) -> None:
    headers = {"Authorization": shown} if shown else {}
    answer = provider.client.get(path, headers=headers)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="SCIM"')
    assert answer.headers["Content-Type"] == "application/scim+json"


def test_a_session_is_no_token(provider: Provider, admin: User) -> None:
    provider.client.force_login(admin)
    assert provider.client.get(USERS).status_code == 401


def test_a_wrong_token_is_told_once_and_counted(provider: Provider) -> None:
    for _ in range(3):
        provider.client.get(USERS, headers={"Authorization": "Bearer wrong"})
    [event] = AuditEvent.objects.all()
    assert (event.action, event.actor, event.address) == ("signin.failed", "unknown", "127.0.0.1")


@pytest.mark.parametrize("path", PATHS)
def test_without_a_setting_there_is_no_such_address(
    provider: Provider, settings: Settings, path: str
) -> None:
    settings.SCIM_TOKEN = ""
    for shown in (TOKEN, ""):
        answer = Client().get(path, headers={"Authorization": f"Bearer {shown}"})
        assert answer.status_code == 404


def test_over_http_it_is_refused_and_not_redirected(provider: Provider, settings: Settings) -> None:
    settings.HTTPS = settings.SECURE_SSL_REDIRECT = True
    client = Client()
    shown = {"Authorization": f"Bearer {TOKEN}"}
    refused = client.get(USERS, headers=shown)
    assert refused.status_code == 403
    assert "Location" not in refused.headers
    assert client.get(USERS).status_code == 403
    assert client.get(USERS, headers=shown, secure=True).status_code == 200
    assert client.get("/tokens/").status_code == 301, "pages are redirected as before"


def test_the_answer_is_kept_by_no_cache_and_makes_no_session(provider: Provider) -> None:
    answer = provider.client.get(USERS, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.headers["Cache-Control"] == "no-store, private"
    assert not answer.cookies


@pytest.mark.parametrize("token", ["short", "aaaaaaaaaaaaaaaa", "sssssssssssssseck"])
def test_a_token_that_can_be_guessed_stops_a_production(token: str) -> None:
    with pytest.raises(SettingError, match="PORTAL_SCIM_TOKEN"):
        require_strong("s" * 20 + SECRET, "a" * 20 + SECRET, "", token)
