"""``next`` leads to the portal's own origin, scheme included, and nowhere else."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from portal.models import User

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery staple"
ORIGIN = "https://tokens.example.com"
ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "http://tokens.example.com/tokens/",
    "http://localhost/tokens/",
    "https://localhost/tokens/",
    "http://testserver/tokens/",
    "https://testserver/tokens/",
    "https://tokens.example.com.evil.example/",
    "https://tokens.example.com@evil.example/",
    "https://tokens.example.com//evil.example/",
    "https://tokens.example.com\\@evil.example/",
    "https://tokens.example.com:8443/tokens/",
    "https://other.example.com/tokens/",
    "javascript:alert(1)",
    "data:text/html,x",
    "ftp://tokens.example.com/",
    " https://evil.example/",
    "\thttps://evil.example/",
    "https:evil.example",
    "https:///evil.example",
]
HERE = ["/tokens/new/?name=ci", f"{ORIGIN}/tokens/new/?name=ci", "/"]


@pytest.fixture(autouse=True)
def _origin(settings: Settings) -> None:
    """Several hosts are allowed, and one of them is what people open."""
    settings.PORTAL_ORIGIN = ORIGIN
    settings.ALLOWED_HOSTS = ["tokens.example.com", "other.example.com", "localhost", "testserver"]
    settings.CSRF_TRUSTED_ORIGINS = [ORIGIN, "https://other.example.com"]


@pytest.fixture
def person(engineer: User) -> User:
    engineer.set_password(PASSWORD)
    engineer.save()
    return engineer


def sign_in(person: User, back: str, sign_in: Any) -> Any:
    return Client().post(
        "/accounts/login/", {"login": person.email, "password": PASSWORD, "next": back}
    )


def sign_in_by_query(person: User, back: str, sign_in: Any) -> Any:
    fields = {"login": person.email, "password": PASSWORD}
    return Client().post("/accounts/login/", fields, query_params={"next": back})


def come_signed_in(person: User, back: str, sign_in: Any) -> Any:
    return sign_in(person).get("/accounts/login/", {"next": back})


def sign_out(person: User, back: str, sign_in: Any) -> Any:
    return sign_in(person).post("/accounts/logout/", {"next": back})


def confirm(person: User, back: str, sign_in: Any) -> Any:
    fields = {"password": PASSWORD, "next": back}
    return sign_in(person).post("/accounts/reauthenticate/", fields)


def change_password(person: User, back: str, sign_in: Any) -> Any:
    new = "another horse, another staple"
    fields = {"oldpassword": PASSWORD, "password1": new, "password2": new, "next": back}
    return sign_in(person).post("/accounts/password/change/", fields)


def ask_for_a_link(person: User, back: str, sign_in: Any) -> Any:
    return Client().post("/accounts/password/reset/", {"email": person.email, "next": back})


def admins_door(person: User, back: str, sign_in: Any) -> Any:
    return Client().get("/admin/login/", {"next": back})


PLACES = [
    sign_in,
    sign_in_by_query,
    come_signed_in,
    sign_out,
    confirm,
    change_password,
    ask_for_a_link,
    admins_door,
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
@pytest.mark.parametrize("back", ELSEWHERE)
def test_nothing_leads_elsewhere(
    back: str,
    place: Callable[[User, str, Any], Any],
    person: User,
    sign_in: Callable[[User], Client],
    enqueued: list[Any],
) -> None:
    answer = place(person, back, sign_in)
    assert answer.status_code == 302
    leads_to = answer.headers["Location"]
    assert leads_to.startswith("/")
    assert not leads_to.startswith(("//", "/\\"))
    assert "evil" not in leads_to or place is admins_door


@pytest.mark.parametrize("place", [p for p in PLACES if p not in (admins_door, ask_for_a_link)])
@pytest.mark.parametrize("back", HERE)
def test_the_way_back_is_taken(
    back: str,
    place: Callable[[User, str, Any], Any],
    person: User,
    sign_in: Callable[[User], Client],
) -> None:
    assert place(person, back, sign_in).headers["Location"] == back
