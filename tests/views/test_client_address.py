"""Where a request comes from: what proxies write beside an address, and what is none."""

import pytest
from django.test import Client, RequestFactory
from pytest_django import Settings

from portal.client_address import client_address, parse_address
from portal.models import AuditEvent, User

PEER = "192.0.2.7"

READABLE = [
    ("203.0.113.5", "203.0.113.5"),
    (" 203.0.113.5 ", "203.0.113.5"),
    ("203.0.113.5:8080", "203.0.113.5"),
    ('"203.0.113.5:8080"', "203.0.113.5"),
    ("2001:db8::7", "2001:db8::7"),
    ("2001:DB8:0:0::7", "2001:db8::7"),
    ("[2001:db8::7]", "2001:db8::7"),
    ("[2001:db8::7]:443", "2001:db8::7"),
    ('"[2001:db8::7]:443"', "2001:db8::7"),
    ("fe80::1%eth0", "fe80::1"),
    ("[fe80::1%25eth0]:443", "fe80::1"),
    ("::ffff:203.0.113.5", "203.0.113.5"),
    ("[::ffff:203.0.113.5]:8080", "203.0.113.5"),
]
UNREADABLE = [
    "unknown", "_hidden", "", " ", "-", "localhost", "203.0.113", "203.0.113.5.6", "300.0.113.5",
    "203.0.113.5:", "203.0.113.5:port", "[2001:db8::7", "2001:db8::7]", "[]", "[]:443", ":443",
    "2001:db8::7::1", "[203.0.113.5", "for=203.0.113.5", "203.0.113.05", "\x00",
    "\uff11\uff19\uff12.0.2.9", "[" * 2000, "9" * 4000,
]  # fmt: skip


@pytest.mark.parametrize(("text", "address"), READABLE)
def test_an_address_is_read_without_what_stands_beside_it(text: str, address: str) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", UNREADABLE, ids=lambda text: repr(text[:20]))
def test_what_can_t_be_read_is_no_address(text: str) -> None:
    assert parse_address(text) is None


def seen(forwarded: str | None, *, peer: str = PEER) -> str | None:
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    return client_address(RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer))


@pytest.mark.parametrize("text", UNREADABLE, ids=lambda text: repr(text[:20]))
def test_the_peers_counts_then(text: str, settings: Settings) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert seen(text) == PEER
    assert seen(f"198.51.100.1, {text}") == PEER


def test_with_two_proxies_the_entry_of_the_outer_one_counts(settings: Settings) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 2
    assert seen("6.6.6.6, 203.0.113.5:1234, 10.0.0.1") == "203.0.113.5"
    assert seen("6.6.6.6, unknown, 10.0.0.1") == PEER
    assert seen("10.0.0.1") == PEER, "a proxy was passed by, or wrote nothing"
    assert seen(None) == PEER


def test_without_proxies_nothing_is_believed(settings: Settings) -> None:
    assert seen("203.0.113.5") == PEER


def test_behind_a_unix_socket_there_is_no_address_without_a_proxy_that_tells(
    settings: Settings,
) -> None:
    assert seen(None, peer="") is None
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert seen("203.0.113.5", peer="") == "203.0.113.5"


@pytest.mark.django_db
@pytest.mark.parametrize("proxies", [0, 1, 2])
@pytest.mark.parametrize(
    "text", ["[2001:db8::7]", "unknown", '"[2001:db8::7]:4711"', "fe80::1%eth0", "", "x" * 500]
)
def test_nobody_is_refused_for_what_a_proxy_writes(
    text: str, proxies: int, engineer: User, settings: Settings
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    engineer.set_password("correct horse battery staple")
    engineer.save()
    for peer in (PEER, ""):
        client = Client(headers={"x-forwarded-for": text}, REMOTE_ADDR=peer)
        assert client.get("/accounts/login/").status_code == 200
        for password, status in (("wrong", 200), ("correct horse battery staple", 302)):
            fields = {"login": engineer.email, "password": password}
            assert client.post("/accounts/login/", fields).status_code == status
        assert client.get("/tokens/").status_code == 200
        assert Client(headers={"x-forwarded-for": text}, REMOTE_ADDR=peer).post(
            "/accounts/password/reset/", {"email": engineer.email}
        ).status_code == 302  # fmt: skip
    assert AuditEvent.objects.filter(action="signin.succeeded").count() == 2
