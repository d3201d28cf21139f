"""Wrong passwords: strangers are slowed, and the real person is not kept out by them."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.db import DatabaseError
from django.db.models import F
from django.test import Client, RequestFactory
from pytest_django import Settings

from portal.limits import LimitExceededError
from portal.models import AuditEvent, LimitUse, User
from portal.notify import compose_password_link
from portal.scheduler import run_all as sweep
from portal.sessions import SessionStore
from portal.views import limiting
from portal.views.accounts import adapter
from tests.servers import free_port

pytestmark = pytest.mark.django_db

LOGIN = "/accounts/login/"
PASSWORD = "correct horse battery staple"
WRONG = "Tr0ub4dor&3 is not it"
STRANGER = "203.0.113.66"
HOME = "192.0.2.7"
MOST_AN_HOUR = 24
"""Of one person's passwords, tried by strangers (docs/decisions/0018)."""


class Counting(MD5PasswordHasher):
    """Counts how often a password is looked into."""

    algorithm = "counting"
    looked = 0

    def encode(self, password: str, salt: str) -> str:
        Counting.looked += 1
        return super().encode(password, salt)


@pytest.fixture(autouse=True)
def _counting(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.Counting"]
    Counting.looked = 0


@pytest.fixture
def person(engineer: User) -> User:
    engineer.set_password(PASSWORD)
    engineer.save()
    Counting.looked = 0
    return engineer


@pytest.fixture
def lead_with_password(lead: User) -> User:
    lead.set_password(PASSWORD)
    lead.save()
    return lead


def attempt(
    email: str,
    password: str,
    client: Client | None = None,
    *,
    address: str = STRANGER,
    accept: str = "text/html",
) -> Any:
    return (client or Client()).post(
        LOGIN,
        {"login": email, "password": password},
        headers={"user-agent": "a browser", "accept": accept},
        REMOTE_ADDR=address,
    )


def is_in(client: Client) -> bool:
    return client.get("/tokens/").status_code == 200


@pytest.fixture
def home(person: User) -> Client:
    """The person's own browser: it has signed them in, and out again."""
    client = Client()
    attempt(person.email, PASSWORD, client, address=HOME)
    assert is_in(client)
    client.post("/accounts/logout/")
    assert not is_in(client)
    Counting.looked = 0
    return client


def pass_time(seconds: float) -> None:
    span = timedelta(seconds=seconds)
    LimitUse.objects.update(
        level_at=F("level_at") - span,
        blocked_until=F("blocked_until") - span,
        told_at=F("told_at") - span,
    )


# -- The real person ----------------------------------------------------------------------------


def test_from_a_known_browser_the_right_password_gets_in_after_a_strangers_tries(
    person: User, home: Client
) -> None:
    answers = [attempt(person.email, WRONG).status_code for _ in range(12)]
    assert answers == [200] * 5 + [429] * 7
    assert attempt(person.email, PASSWORD).status_code == 429, "even for one who has guessed it"
    assert attempt(person.email, PASSWORD, home, address=HOME).status_code == 302
    assert is_in(home)


def test_so_it_does_from_the_strangers_own_address(person: User, home: Client) -> None:
    for _ in range(12):
        attempt(person.email, WRONG)
    attempt(person.email, PASSWORD, home, address=STRANGER)
    assert is_in(home)


def test_ten_wrong_ones_from_an_address_refuse_nobody_else_behind_it(
    person: User, lead_with_password: User
) -> None:
    for number in range(10):
        attempt(f"nobody{number}@example.com", WRONG)
    for _ in range(10):
        attempt(person.email, WRONG)
    client = Client()
    attempt(lead_with_password.email, PASSWORD, client)
    assert is_in(client)


def test_who_mistypes_five_times_in_a_new_browser_waits_for_seconds(person: User) -> None:
    for _ in range(5):
        attempt(person.email, WRONG)
    client = Client()
    answer = attempt(person.email, PASSWORD, client)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 5
    pass_time(5)
    attempt(person.email, PASSWORD, client)
    assert is_in(client)


def test_who_sets_a_new_password_by_a_link_gets_in_where_they_set_it(
    person: User, settings: Settings
) -> None:
    """The way in for somebody whose only browser is new while a stranger goes on trying."""
    client = Client()
    [link] = [word for word in compose_password_link(person).body.split() if "/key/" in word]
    page = client.get(link.removeprefix(settings.PORTAL_ORIGIN), follow=True)
    new = {"password1": "another horse, another staple", "password2": ""}
    new["password2"] = new["password1"]
    assert client.post(page.request["PATH_INFO"], new).status_code == 302
    for _ in range(12):
        attempt(person.email, WRONG)
    assert attempt(person.email, new["password1"], client).status_code == 302
    assert is_in(client)


def test_several_people_may_share_a_browser(
    person: User, home: Client, lead_with_password: User
) -> None:
    attempt(lead_with_password.email, PASSWORD, home, address=HOME)
    home.post("/accounts/logout/")
    for email in (person.email, lead_with_password.email):
        for _ in range(12):
            attempt(email, WRONG)
        assert attempt(email, PASSWORD, home).status_code == 302
        home.post("/accounts/logout/")


def test_a_browser_knows_the_last_five_of_its_people(home: Client, person: User) -> None:
    for number in range(5):
        other = User.objects.create_user(f"other{number}@example.com", PASSWORD)
        attempt(other.email, PASSWORD, home)
        home.post("/accounts/logout/")
    for _ in range(12):
        attempt(person.email, WRONG)
    assert attempt(person.email, PASSWORD, home).status_code == 429


# -- The stranger -------------------------------------------------------------------------------


def test_ten_thousand_tries_from_two_hundred_addresses_are_few_guesses(
    person: User, home: Client
) -> None:
    """As the sign-in's form asks, which draws no page for each."""
    refused = 0
    for number in range(10_000):
        request = RequestFactory().post(
            LOGIN,
            headers={"accept": "application/json"},
            REMOTE_ADDR=f"203.0.113.{number % 200}",
        )
        request.user, request.session = AnonymousUser(), SessionStore()
        try:
            adapter.AccountAdapter().authenticate(request, email=person.email, password=WRONG)
        except LimitExceededError as exceeded:
            limiting.answer(request, exceeded)
            refused += 1
        if number % 1000 == 0:
            before = Counting.looked
            assert attempt(person.email, PASSWORD, home, address=HOME).status_code == 302
            home.post("/accounts/logout/")
            Counting.looked = before
    assert Counting.looked == 10_000 - refused
    assert 5 <= Counting.looked <= MOST_AN_HOUR
    attempt(person.email, PASSWORD, home, address=HOME)
    assert is_in(home)


def test_in_any_hour_a_stranger_gets_few_guesses_however_long_they_wait(person: User) -> None:
    """Trying again the second that the portal names, for six hours."""
    moments, now = [], 0.0
    while now < 6 * 3600:
        answer = attempt(person.email, WRONG, accept="application/json")
        if answer.status_code == 400:
            moments.append(now)
        wait = int(answer.headers.get("Retry-After", "0"))
        pass_time(wait)
        now += wait
    most = max(sum(begin <= at < begin + 3600 for at in moments) for begin in moments)
    assert MOST_AN_HOUR / 2 <= most <= MOST_AN_HOUR


def test_spraying_many_people_from_one_address_is_slowed(person: User) -> None:
    answers = [attempt(f"nobody{number}@example.com", WRONG).status_code for number in range(60)]
    assert answers == [200] * 50 + [429] * 10
    assert attempt("somebody@example.com", WRONG, address="203.0.113.67").status_code == 200


def test_the_addresses_of_one_ipv6_customer_are_one(person: User) -> None:
    for number in range(50):
        attempt(f"nobody{number}@example.com", WRONG, address=f"2001:db8::{number + 1:x}")
    assert attempt("x@example.com", WRONG, address="2001:db8::ffff:1").status_code == 429
    assert attempt("x@example.com", WRONG, address="2001:db8:0:1::1").status_code == 200


def test_a_forged_or_altered_cookie_makes_no_browser_known(person: User, home: Client) -> None:
    value = home.cookies["known-browser"].value
    for _ in range(12):
        attempt(person.email, WRONG)
    for forged in (value[:-1], f"x{value}", "[1]", '{"name": "x", "people": [1]}', "x" * 4000):
        stranger = Client()
        stranger.cookies["known-browser"] = forged
        assert attempt(person.email, PASSWORD, stranger).status_code == 429


def test_a_known_browser_is_known_for_its_own_people_alone(
    person: User, home: Client, lead_with_password: User
) -> None:
    for _ in range(12):
        attempt(lead_with_password.email, WRONG, home)
    assert attempt(lead_with_password.email, PASSWORD, home).status_code == 429


def test_a_stolen_browser_is_limited_too(person: User, home: Client) -> None:
    answers = [attempt(person.email, WRONG, home).status_code for _ in range(110)]
    assert answers == [200] * 100 + [429] * 10


def test_the_cookie_is_kept_from_scripts_and_other_sites_and_outlasts_the_session(
    home: Client,
) -> None:
    cookie = home.cookies["known-browser"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert cookie["max-age"] == 365 * 86_400
    assert cookie["domain"] == ""


# -- What counts --------------------------------------------------------------------------------


def test_a_right_password_is_not_counted(person: User) -> None:
    for _ in range(20):
        assert attempt(person.email, PASSWORD).status_code == 302
    assert {use.level for use in LimitUse.objects.all()} == {0}


def test_a_sign_in_that_ended_in_an_error_is_not_counted(
    person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DatabaseError

    with monkeypatch.context() as broken:
        broken.setattr(adapter, "sign_in_failed", fail)
        for _ in range(12):
            with pytest.raises(DatabaseError):
                attempt(person.email, WRONG)
    assert attempt(person.email, PASSWORD).status_code == 302


def test_the_limits_hold_without_the_cache(person: User, settings: Settings) -> None:
    gone = {**settings.CACHES["default"], "LOCATION": f"redis://127.0.0.1:{free_port()}"}
    settings.CACHES = {"default": gone}
    assert [attempt(person.email, WRONG).status_code for _ in range(7)] == [200] * 5 + [429] * 2


def test_the_limits_hold_when_the_cache_is_emptied(person: User) -> None:
    for _ in range(5):
        attempt(person.email, WRONG)
        cache.clear()
    assert attempt(person.email, WRONG).status_code == 429


def test_limits_can_be_turned_off_for_load_tests(person: User, settings: Settings) -> None:
    settings.RATE_LIMITS = False
    for _ in range(60):
        assert attempt(person.email, WRONG).status_code == 200
    client = Client()
    attempt(person.email, PASSWORD, client)
    assert is_in(client)


# -- What it says -------------------------------------------------------------------------------


def test_the_page_says_when_to_try_again_and_keeps_the_address(person: User) -> None:
    for _ in range(5):
        attempt(person.email, WRONG)
    answer = attempt(person.email, WRONG)
    page = answer.content.decode()
    assert answer.status_code == 429
    assert "Too many wrong passwords were tried for this address. Try again in " in page
    assert " UTC. A browser that you have signed in with before lets you in at once" in page
    assert f'value="{person.email}"' in page
    assert WRONG not in page


def test_a_program_is_told_in_json(person: User) -> None:
    for _ in range(5):
        attempt(person.email, WRONG)
    answer = attempt(person.email, WRONG, accept="application/json")
    said = answer.json()
    assert said["retry_after"] == int(answer.headers["Retry-After"])
    assert said["message"].startswith("Too many wrong passwords")
    assert said["retry_at"].endswith("+00:00")


def test_an_unknown_person_is_refused_like_a_known_one(person: User) -> None:
    """The same statuses, the same words, and each password looked into once."""
    said = []
    for email in (person.email, "nobody@example.com"):
        Counting.looked = 0
        answers = [attempt(email, WRONG, address=f"203.0.113.{number}") for number in range(12)]
        pages = [answer.content.decode().replace(email, "") for answer in answers]
        words = [[line for line in page.splitlines() if "Too many" in line] for page in pages]
        moment = [[part.partition(" in ")[0] for part in line] for line in words]
        said.append(([answer.status_code for answer in answers], moment, Counting.looked))
    assert said[0] == said[1]
    assert said[0][2] == 5


def test_the_time_to_refuse_tells_nothing(person: User, settings: Settings) -> None:
    """What is done for a known person and not for others (an event) takes none of it."""
    settings.REFUSAL_SECONDS = 0.25
    took: dict[str, list[float]] = {}
    for email in (person.email, "nobody@example.com"):
        for number in range(5):
            began = time.perf_counter()
            attempt(email, WRONG, address=f"203.0.113.{number}")
            took.setdefault(email, []).append(time.perf_counter() - began)
    known, unknown = (sorted(times)[2] for times in took.values())
    assert min(known, unknown) >= 0.25
    assert abs(known - unknown) < 0.05


# -- The audit log ------------------------------------------------------------------------------


def told() -> list[tuple[Any, ...]]:
    events = AuditEvent.objects.filter(action="limit.exceeded").order_by("seq")
    return list(events.values_list("actor", "address", "subject", "count", "outcome"))


def test_the_audit_log_is_told_of_the_first_at_once_and_of_more_by_their_number(
    person: User,
) -> None:
    for _ in range(12):
        attempt(person.email, WRONG)
    assert told() == [(person.email, STRANGER, "signin.person", None, "failed")]
    pass_time(301)
    sweep()
    sweep()
    assert told()[1:] == [(person.email, None, "signin.person", 6, "failed")]


def test_an_unknown_name_is_told_nowhere(db: None) -> None:
    for _ in range(12):
        attempt("hunter2@secret.example", WRONG)
    pass_time(301)
    sweep()
    assert [row[0] for row in told()] == ["unknown", "unknown"]
    everything = [*AuditEvent.objects.values(), *LimitUse.objects.values()]
    assert "hunter2" not in repr(everything)


def test_an_address_over_its_limit_is_told(db: None) -> None:
    for number in range(53):
        attempt(f"nobody{number}@example.com", WRONG)
    pass_time(301)
    sweep()
    assert told() == [
        ("unknown", STRANGER, "signin.address", None, "failed"),
        ("unknown", STRANGER, "signin.address", 2, "failed"),
    ]


def test_without_addresses_none_is_kept(settings: Settings) -> None:
    settings.AUDIT_ADDRESSES = False
    for number in range(53):
        attempt(f"nobody{number}@example.com", WRONG)
    assert {row[1] for row in told()} == {None}
    assert set(LimitUse.objects.values_list("address", flat=True)) == {""}


def test_old_rows_are_forgotten(person: User) -> None:
    attempt(person.email, WRONG)
    sweep()
    assert LimitUse.objects.exists()
    pass_time(86_401)
    sweep()
    assert not LimitUse.objects.exists()


# -- Other places where a password is tried -----------------------------------------------------


def test_the_old_password_is_guessed_no_oftener_than_at_the_sign_in(
    person: User, sign_in: Callable[[User], Client]
) -> None:
    client = sign_in(person)
    fields = {"oldpassword": WRONG, "password1": WRONG, "password2": WRONG}
    answers = [client.post("/accounts/password/change/", fields) for _ in range(102)]
    assert [answer.status_code for answer in answers] == [200] * 100 + [429] * 2
    person.refresh_from_db()
    assert person.check_password(PASSWORD)


def test_a_strangers_tries_refuse_nobody_who_confirms_their_password(
    person: User, home: Client
) -> None:
    attempt(person.email, PASSWORD, home)
    for _ in range(12):
        attempt(person.email, WRONG)
    answer = home.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": "/tokens/"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/tokens/")
    answers = [home.post("/accounts/reauthenticate/", {"password": WRONG}) for _ in range(101)]
    assert [answer.status_code for answer in answers] == [200] * 100 + [429]
