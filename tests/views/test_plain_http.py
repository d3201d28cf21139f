"""What comes over http although the portal has https: people are sent on, programs are refused."""

import pytest
from django.test import Client
from pytest_django import Settings

from portal.models import User
from tests.views.every_path import JSON, PATHS

pytestmark = pytest.mark.django_db


@pytest.fixture
def plain(settings: Settings) -> Client:
    settings.SECURE_SSL_REDIRECT = True
    settings.PORTAL_ORIGIN = "https://tokens.example.com"
    return Client(raise_request_exception=False)


@pytest.mark.parametrize("path", [path for path in PATHS if JSON.fullmatch(path)])
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_address_that_answers_json_refuses(plain: Client, path: str, method: str) -> None:
    answer = getattr(plain, method)(f"/{path}")
    assert answer.status_code == 403
    assert "https://tokens.example.com" in answer.json()["message"]
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"accept": "application/json"},
        {"content-type": "application/scim+json"},
        {"authorization": "Bearer a token that was read along"},
    ],
)
def test_a_program_is_known_by_what_it_sends(plain: Client, headers: dict[str, str]) -> None:
    content_type = headers.pop("content-type", "text/plain")
    answer = plain.post("/anything/", b"{}", content_type=content_type, headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("path", [path for path in PATHS if not JSON.fullmatch(path)])
def test_people_are_sent_to_https(plain: Client, path: str) -> None:
    answer = plain.get(f"/{path}", headers={"accept": "text/html"})
    if path in ("healthz", "readyz", "metrics"):
        assert answer.status_code == 200
    elif path.startswith(("scim/", "accounts/oidc/sso/logout/")):
        assert answer.status_code in (403, 404, 405), "programs alone come there"
    else:
        assert (answer.status_code, answer.headers["Location"]) == (
            301,
            f"https://testserver/{path}",
        )


def test_monitors_may_bring_their_token(plain: Client, settings: Settings) -> None:
    settings.MONITOR_TOKEN = "a token of the monitor"
    right = {"authorization": "Bearer a token of the monitor", "accept": "application/json"}
    assert plain.get("/readyz", headers=right).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_every_text_says_how_it_is_written(path: str, admin: User) -> None:
    client = Client(raise_request_exception=False)
    for person in (None, admin):
        if person is not None:
            client.force_login(person)
        for answer in (client.get(f"/{path}"), client.post(f"/{path}")):
            kind = answer.headers.get("Content-Type", "")
            if kind.startswith("text/") and answer.getvalue():
                assert "charset=utf-8" in kind.lower().replace('"', ""), (
                    path,
                    answer.status_code,
                    kind,
                )
