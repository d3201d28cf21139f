"""Signing in: what it leaves behind, and that nobody signs up. Limits: test_guessing.py."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from portal.models import AuditEvent, User
from tests.servers import free_port

pytestmark = pytest.mark.django_db

LOGIN = "/accounts/login/"
PASSWORD = "correct horse battery staple"
WRONG = "Tr0ub4dor&3 is not it"


@pytest.fixture
def person(engineer: User) -> User:
    engineer.set_password(PASSWORD)
    engineer.save()
    return engineer


def attempt(
    login: str, password: str, client: Client | None = None, *, forwarded_for: str = ""
) -> Any:
    forwarded = {"x-forwarded-for": forwarded_for} if forwarded_for else {}
    return (client or Client()).post(
        LOGIN,
        {"login": login, "password": password},
        headers={"user-agent": "a browser", **forwarded},
        REMOTE_ADDR="192.0.2.7",
    )


def is_in(client: Client) -> bool:
    return client.get("/tokens/").status_code == 200


# -- Success ------------------------------------------------------------------------------------


def test_a_person_signs_in_and_out(person: User) -> None:
    client = Client()
    answer = attempt(person.email, PASSWORD, client)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/tokens/")
    assert is_in(client)
    assert client.get("/accounts/logout/").status_code == 200
    assert is_in(client), "asking changes nothing"
    assert client.post("/accounts/logout/").headers["Location"] == LOGIN
    assert not is_in(client)
    assert not Session.objects.exists()


def test_the_letter_case_of_the_address_does_not_matter(person: User) -> None:
    client = Client()
    attempt("Engineer@Example.COM", PASSWORD, client)
    assert is_in(client)


def test_a_sign_in_leaves_an_event(person: User) -> None:
    attempt(person.email, PASSWORD)
    event = AuditEvent.objects.get()
    assert (event.action, event.outcome) == ("signin.succeeded", "succeeded")
    assert (event.actor, event.actor_id) == (person.email, person.pk)
    assert (event.address, event.user_agent) == ("192.0.2.7", "a browser")


def test_the_session_key_changes_at_sign_in(person: User) -> None:
    """Whoever has planted or seen the key from before has nothing (session fixation)."""
    client = Client()
    session = client.session
    session["anything"] = 1
    session.save()
    before = session.session_key
    attempt(person.email, PASSWORD, client)
    after = client.session.session_key
    assert before != after
    assert list(Session.objects.values_list("session_key", flat=True)) == [after]


def test_the_csrf_token_changes_at_sign_in(person: User) -> None:
    client = Client()
    client.get(LOGIN)
    before = client.cookies["csrftoken"].value
    attempt(person.email, PASSWORD, client)
    client.get("/tokens/new/")
    assert client.cookies["csrftoken"].value != before


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", "/\\evil.example"]
)
def test_a_sign_in_leads_nowhere_else(person: User, elsewhere: str) -> None:
    answer = Client().post(LOGIN, {"login": person.email, "password": PASSWORD, "next": elsewhere})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/tokens/")


def test_a_sign_in_leads_back_to_where_the_person_wanted_to_go(person: User) -> None:
    wanted = "/tokens/new/?name=ci"
    answer = Client().post(LOGIN, {"login": person.email, "password": PASSWORD, "next": wanted})
    assert answer.headers["Location"] == wanted


# -- Failure ------------------------------------------------------------------------------------


def everything_written() -> str:
    return repr(list(AuditEvent.objects.values()))


def test_a_wrong_password_of_a_person_is_recorded_under_their_name(person: User) -> None:
    answer = attempt(person.email, WRONG)
    assert answer.status_code == 200
    event = AuditEvent.objects.get()
    assert (event.action, event.outcome) == ("signin.failed", "failed")
    assert (event.actor, event.actor_id) == (person.email, person.pk)
    assert (event.address, event.user_agent) == ("192.0.2.7", "a browser")
    assert WRONG not in everything_written()
    assert WRONG not in answer.content.decode()


def test_what_names_nobody_is_not_recorded_for_it_may_be_a_password(person: User) -> None:
    attempt("hunter2@secret.example", WRONG)
    event = AuditEvent.objects.get()
    assert (event.action, event.actor, event.actor_id) == ("signin.failed", "unknown", None)
    assert "hunter2" not in everything_written()


def test_the_page_does_not_tell_whether_a_person_exists(person: User) -> None:
    said = [
        attempt(login, WRONG).content.decode().replace(login, "")
        for login in (person.email, "nobody@example.com")
    ]
    assert "alert" in said[0]
    assert _without_tokens(said[0]) == _without_tokens(said[1])


def _without_tokens(html: str) -> str:
    return "\n".join(line for line in html.splitlines() if "csrfmiddlewaretoken" not in line)


def test_a_person_who_may_not_sign_in_does_not_get_in(person: User) -> None:
    person.is_active = False
    person.save()
    client = Client()
    attempt(person.email, PASSWORD, client)
    assert not is_in(client)


def test_a_person_without_a_password_does_not_get_in(engineer: User) -> None:
    for password in ("", "!", engineer.password):
        client = Client()
        attempt(engineer.email, password, client)
        assert not is_in(client)


def test_a_sign_in_without_the_csrf_token_is_refused(person: User) -> None:
    client = Client(enforce_csrf_checks=True)
    assert attempt(person.email, PASSWORD, client).status_code == 403
    assert not is_in(client)


def test_nobody_can_pretend_to_come_from_elsewhere(person: User) -> None:
    attempt(person.email, WRONG, forwarded_for="203.0.113.5")
    assert AuditEvent.objects.get().address == "192.0.2.7"


def test_a_trusted_proxy_tells_where_a_person_comes_from(person: User, settings: Settings) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    attempt(person.email, WRONG, forwarded_for="198.51.100.1, 203.0.113.5")
    attempt(person.email, WRONG, forwarded_for="no address")
    seen = AuditEvent.objects.values_list("address", flat=True)
    assert "203.0.113.5" in seen
    assert "198.51.100.1" not in seen


def test_without_the_cache_people_still_get_in(person: User, settings: Settings) -> None:
    gone = {**settings.CACHES["default"], "LOCATION": [f"redis://127.0.0.1:{free_port()}"]}
    settings.CACHES = {"default": gone}
    client = Client()
    attempt(person.email, PASSWORD, client)
    assert is_in(client)


def test_without_the_server_that_counts_limits_hold(person: User, settings: Settings) -> None:
    gone = {**settings.CACHES["default"], "LOCATION": [f"redis://127.0.0.1:{free_port()}"]}
    settings.CACHES = {"default": gone}
    answers = [attempt(person.email, WRONG) for _ in range(40)]
    refused = [a for a in answers if a.status_code == 429 or "Too many tries" in a.content.decode()]
    assert len(refused) >= 30, "40 of 40 were tried when nobody counted"


def test_a_wrong_password_says_what_to_do(person: User) -> None:
    page = attempt(person.email, WRONG).content.decode()
    assert "The address or the password is wrong. Check both, or choose a new password" in page


# -- Other doors --------------------------------------------------------------------------------


def test_nobody_signs_up() -> None:
    cache.clear()  # who else has tried is counted there
    answer = Client().post("/accounts/signup/", {"email": "new@example.com", "password1": PASSWORD})
    assert answer.status_code == 200
    assert 'name="password1"' not in answer.content.decode()
    assert not User.objects.exists()


def test_djangos_own_sign_in_is_no_back_door(admin: User) -> None:
    """It would neither limit attempts nor record them."""
    admin.set_password(PASSWORD)
    admin.save()
    client = Client()
    answer = client.post("/admin/login/", {"username": admin.email, "password": PASSWORD})
    assert answer.headers["Location"].startswith(LOGIN)
    assert not is_in(client)


def test_not_even_an_admin_tries_passwords_by_djangos_own_sign_in(
    admin: User, person: User, sign_in: Callable[[User], Client]
) -> None:
    client = sign_in(admin)
    answer = client.post("/admin/login/", {"username": person.email, "password": PASSWORD})
    assert answer.headers["Location"] == "/admin/"
    assert client.session["_auth_user_id"] == str(admin.pk)


def test_nobody_changes_the_address_that_they_are_known_by(person: User) -> None:
    """Access files and the audit log name people by it: it is no setting of their own."""
    client = Client()
    client.force_login(person)
    new = {"email": "next.lead@example.com"}
    client.post("/accounts/email/", {**new, "action_add": ""})
    client.post("/accounts/email/", {**new, "action_primary": ""})
    person.refresh_from_db()
    assert person.email == "engineer@example.com"


def test_a_person_changes_their_password_and_needs_the_old_one(person: User) -> None:
    client = Client()
    client.force_login(person)
    page = "/accounts/password/change/"
    wanted = {"password1": WRONG, "password2": WRONG}
    client.post(page, {"oldpassword": "a guess", **wanted})
    person.refresh_from_db()
    assert person.check_password(PASSWORD)
    client.post(page, {"oldpassword": PASSWORD, **wanted})
    person.refresh_from_db()
    assert person.check_password(WRONG)
