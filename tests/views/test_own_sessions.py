"""One's own sessions: what the page shows, how they are ended, and when they end by themselves."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from portal.models import ProviderSession, Token, User, UserSession
from portal.scheduler import run_all as sweep
from portal.sessions import BEGAN, SessionStore
from tests.views.factors import PASSWORD, is_in, sign_in, told, with_password

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("enqueued")]

PAGE = "/accounts/sessions/"
END = "/accounts/sessions/end/"


@pytest.fixture
def person(engineer: User) -> User:
    return with_password(engineer)


def from_browser(user_agent: str, address: str) -> Client:
    return Client(headers={"user-agent": user_agent}, REMOTE_ADDR=address)


@pytest.fixture
def here(person: User) -> Client:
    firefox = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"
    return sign_in(person, from_browser(firefox, "192.0.2.7"))[0]


@pytest.fixture
def there(person: User) -> Client:
    safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"
    return sign_in(person, from_browser(safari, "198.51.100.9"))[0]


def key_of(client: Client) -> str:
    return str(client.session.session_key)


def number_of(client: Client) -> int:
    return UserSession.objects.get(session_key=key_of(client)).pk


# -- The page -----------------------------------------------------------------------------------


def test_the_page_lists_one_s_sessions_with_place_and_time(
    here: Client, there: Client, person: User
) -> None:
    page = here.get(PAGE).content.decode()
    for said in ("Firefox on Windows", "192.0.2.7", "Safari on iPhone or iPad", "198.51.100.9"):
        assert said in page
    assert page.count("data-local") == 4
    assert page.count("this one") == 1


def test_it_shows_nobody_else_s(here: Client, lead: User) -> None:
    client, _ = sign_in(with_password(lead), from_browser("curl/8", "203.0.113.1"))
    page = client.get(PAGE).content.decode()
    assert "203.0.113.1" in page
    assert "192.0.2.7" not in page
    assert client.post(END, {"session": str(number_of(here))}).status_code == 302
    assert is_in(here)


def test_one_session_is_ended(here: Client, there: Client, person: User) -> None:
    third, _ = sign_in(person)
    assert here.post(END, {"session": str(number_of(there))}).headers["Location"] == PAGE
    assert [is_in(client) for client in (here, there, third)] == [True, False, True]
    assert told("session.ended") == [(person.email, f"{person.email}: one was ended", 1)]
    assert "198.51.100.9" not in here.get(PAGE).content.decode()


def test_all_others_are_ended(here: Client, there: Client, person: User) -> None:
    third, _ = sign_in(person)
    assert here.post(PAGE).headers["Location"] == PAGE
    assert [is_in(client) for client in (here, there, third)] == [True, False, False]
    assert told("session.ended") == [(person.email, f"{person.email}: all others were ended", 2)]
    assert "There is no other session" in here.get(PAGE).content.decode()


@pytest.mark.parametrize("typed", ["", "0", "-1", "x", "9" * 18, "9" * 400, "１", "\0"])  # noqa: RUF001
def test_a_number_that_is_no_session_ends_none(typed: str, here: Client, there: Client) -> None:
    assert here.post(END, {"session": typed}).headers["Location"] == PAGE
    assert is_in(there)


def test_ending_this_very_session_is_signing_out(here: Client) -> None:
    answer = here.post(END, {"session": str(number_of(here))})
    assert answer.headers["Location"] == "/accounts/logout/"


def test_where_addresses_are_not_kept_none_is_shown(person: User, settings: Settings) -> None:
    settings.AUDIT_ADDRESSES = False
    client, _ = sign_in(person, from_browser("Firefox/1", "192.0.2.7"))
    assert UserSession.objects.values_list("address", "user_agent").get() == (None, "")
    assert "not kept" in client.get(PAGE).content.decode()


def test_a_browser_s_odd_name_breaks_nothing(person: User) -> None:
    client, _ = sign_in(person, from_browser("<b>\0\ud800" + "x" * 1000, "192.0.2.7"))
    assert "<b>" not in client.get(PAGE).content.decode()


def test_signing_out_takes_the_row_along(here: Client) -> None:
    here.post("/accounts/logout/")
    assert not UserSession.objects.exists()


def test_rows_of_sessions_that_are_over_are_cleared_away(here: Client, there: Client) -> None:
    Session.objects.filter(pk=key_of(there)).update(expire_date=timezone.now())
    assert "198.51.100.9" not in here.get(PAGE).content.decode()
    sweep()
    assert UserSession.objects.count() == 1


# -- When they end by themselves ----------------------------------------------------------------


def move_clock(monkeypatch: pytest.MonkeyPatch, *, hours: float) -> None:
    now = datetime.now(UTC) + timedelta(hours=hours)
    monkeypatch.setattr(timezone, "now", lambda: now)


def test_a_session_ends_when_its_person_did_nothing_for_four_hours(
    here: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_clock(monkeypatch, hours=3.9)
    assert is_in(here)
    move_clock(monkeypatch, hours=7.8)
    assert is_in(here), "what they did has put the end off"
    move_clock(monkeypatch, hours=11.81)
    assert not is_in(here)


def test_and_after_twelve_whatever_they_do(here: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for hours in (3, 6, 9, 11.9):
        move_clock(monkeypatch, hours=hours)
        assert is_in(here)
    move_clock(monkeypatch, hours=12.01)
    assert not is_in(here)


def test_what_a_page_asks_by_itself_puts_nothing_off(
    here: Client,
    person: User,
    make_token: Callable[..., Token],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = make_token(person)
    for hours in (1, 2, 3, 3.9):
        move_clock(monkeypatch, hours=hours)
        assert here.get(f"/tokens/{token.pk}/status/").status_code == 200
    move_clock(monkeypatch, hours=4.1)
    assert here.get(f"/tokens/{token.pk}/status/").status_code == 401


def test_what_is_done_within_a_minute_costs_no_write(here: Client) -> None:
    here.get("/tokens/")
    with CaptureQueriesContext(connection) as asked:
        here.get("/tokens/")
    assert [one["sql"] for one in asked if one["sql"].startswith(("UPDATE", "INSERT"))] == []


def test_limits_of_sessions_of_before_count_from_their_next_request(
    person: User,
) -> None:
    client = Client()
    client.force_login(person)
    key = key_of(client)
    assert BEGAN not in SessionStore(key).load()
    assert is_in(client)
    assert abs(SessionStore(key).load()[BEGAN] - timezone.now().timestamp()) < 60
    assert UserSession.objects.get().session_key == key


def test_what_is_kept_of_a_session_goes_with_it_under_its_new_key(
    here: Client, person: User
) -> None:
    before = key_of(here)
    began = UserSession.objects.get(session_key=before).began_at
    ProviderSession.objects.create(session_key=before, user=person, subject="s")
    store = SessionStore(before)
    store.cycle_key()
    assert store.session_key != before
    assert UserSession.objects.get().session_key == store.session_key
    assert UserSession.objects.get().began_at == began
    assert ProviderSession.objects.get().session_key == store.session_key
    assert not Session.objects.filter(pk=before).exists()


def test_a_session_that_is_to_end_sooner_does(db: None) -> None:
    store = SessionStore()
    store.set_expiry(300)
    store.create()
    left = Session.objects.get().expire_date - timezone.now()
    assert timedelta(seconds=290) < left <= timedelta(seconds=300)


def test_the_cookie_ends_with_the_browser(person: User) -> None:
    client, _ = sign_in(person)
    cookie = client.cookies["sessionid"]
    assert (cookie["max-age"], cookie["expires"]) == ("", "")
    assert cookie["httponly"]


def test_nothing_of_the_password_stands_in_the_session(here: Client) -> None:
    assert PASSWORD not in json.dumps(SessionStore(key_of(here)).load())


def test_a_sign_in_gets_a_new_key(person: User) -> None:
    client = Client()
    planted = SessionStore()
    planted["planted"] = True
    planted.save()
    client.cookies["sessionid"] = str(planted.session_key)
    sign_in(person, client)
    assert key_of(client) != planted.session_key
    assert is_in(client)
    assert not Session.objects.filter(pk=planted.session_key).exists()
