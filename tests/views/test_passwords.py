"""A forgotten password and a new one: who is mailed, what the page says, and which sessions end."""

import re
import smtplib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from portal import tasks
from portal.flows.mail_password import mail_password
from portal.models import AuditEvent, Heartbeat, LimitUse, PasswordMail, User
from portal.scheduler import run_all as sweep
from tests.servers import free_port

pytestmark = pytest.mark.django_db

RESET = "/accounts/password/reset/"
CHANGE = "/accounts/password/change/"
PASSWORD = "correct horse battery staple"
SAVEPOINT = re.compile(r'"(s[0-9]+_x|_django_curs_)[^"]*"')
NEW = "another horse, another staple"


@pytest.fixture
def person(engineer: User) -> User:
    engineer.set_password(PASSWORD)
    engineer.save()
    return engineer


def ask(email: str, client: Client | None = None, *, address: str = "192.0.2.7") -> Any:
    return (client or Client()).post(RESET, {"email": email}, REMOTE_ADDR=address)


def send_what_is_due() -> None:
    """As the scheduler and a worker do."""
    PasswordMail.objects.update(rung_at=None)
    for mail_id in sweep().password_mail:
        mail_password(mail_id)


def link_in(mail: EmailMessage, settings: Settings) -> str:
    [link] = [word for word in str(mail.body).split() if "/password/reset/key/" in word]
    assert link.startswith(f"{settings.PORTAL_ORIGIN}/accounts/password/reset/key/")
    return link.removeprefix(settings.PORTAL_ORIGIN)


def set_by(link: str, client: Client, password: str = NEW) -> Any:
    page = client.get(link, follow=True)
    fields = {"password1": password, "password2": password}
    return client.post(page.request["PATH_INFO"], fields)


def is_in(client: Client) -> bool:
    return client.get("/tokens/").status_code == 200


# -- Asking for a link --------------------------------------------------------------------------


def test_the_link_leads_to_the_portal_whatever_host_was_named_and_works_once(
    person: User, settings: Settings, mailoutbox: list[EmailMessage], enqueued: list[Any]
) -> None:
    """A stranger who asks for another person's mail could else have its secret sent to them."""
    settings.ALLOWED_HOSTS = ["*"]
    assert ask(person.email, Client(headers={"host": "evil.example"})).status_code == 302
    assert mailoutbox == [], "the page itself speaks to no mail server"
    assert enqueued == [("portal.password_mail", PasswordMail.objects.get().pk)]
    send_what_is_due()
    [mail] = mailoutbox
    assert (mail.subject, mail.to) == ("Set a password for the token portal", [person.email])
    assert "evil.example" not in f"{mail.subject}{mail.body}"
    link, client = link_in(mail, settings), Client()
    assert set_by(link, client).status_code == 302
    client.post("/accounts/login/", {"login": person.email, "password": NEW})
    assert is_in(client)
    assert "This link no longer works" in Client().get(link, follow=True).content.decode()


def test_nothing_is_mailed_to_an_address_that_nobody_has(
    person: User, mailoutbox: list[EmailMessage], enqueued: list[Any]
) -> None:
    known, unknown = ask(person.email), ask("nobody@example.com")
    assert (unknown.status_code, unknown.headers["Location"]) == (
        known.status_code,
        known.headers["Location"],
    )
    send_what_is_due()
    assert [mail.to for mail in mailoutbox] == [[person.email]]
    assert not PasswordMail.objects.exists()


def test_nor_to_somebody_who_may_not_sign_in(
    person: User, mailoutbox: list[EmailMessage], enqueued: list[Any]
) -> None:
    ask(person.email)
    User.objects.update(is_active=False)
    ask(person.email)
    send_what_is_due()
    assert mailoutbox == []
    assert not PasswordMail.objects.exists()


def test_the_same_is_done_whether_somebody_has_the_address_or_not(
    person: User, enqueued: list[Any]
) -> None:
    """So the page takes as long: statement by statement."""
    said, pages = [], []
    for number, email in enumerate((person.email, "nobody@example.com")):
        client = Client()
        with CaptureQueriesContext(connection) as asked:
            answer = ask(email, client, address=f"192.0.2.{number}")
        said.append([SAVEPOINT.sub("", query["sql"]).split(" ")[:3] for query in asked])
        pages.append(client.get(answer.headers["Location"]).content)
    assert said[0] == said[1]
    assert pages[0] == pages[1]
    assert len(enqueued) == 2


def test_no_link_stands_in_the_database(
    person: User, mailoutbox: list[EmailMessage], settings: Settings, enqueued: list[Any]
) -> None:
    ask(person.email)
    assert set(PasswordMail.objects.values()[0]) == {
        "id", "person_id", "created_at", "not_before", "rung_at", "tries", "address", "user_agent",
    }  # fmt: skip
    send_what_is_due()
    assert link_in(mailoutbox[0], settings)
    assert not PasswordMail.objects.exists()


def test_a_request_is_a_line_of_the_log_that_names_who_is_here_and_nobody_else(
    person: User, caplog: pytest.LogCaptureFixture, enqueued: list[Any]
) -> None:
    caplog.set_level("INFO")
    ask(person.email)
    ask("hunter2@secret.example")
    lines = [record for record in caplog.records if record.message == "reset.requested"]
    assert [record.person for record in lines] == [person.pk, None]  # type: ignore[attr-defined]
    assert "hunter2" not in caplog.text


def test_asked_for_three_times_while_the_mail_server_is_away_it_goes_out_once(
    person: User, mailoutbox: list[EmailMessage], enqueued: list[Any]
) -> None:
    for _ in range(3):
        ask(person.email)
    mail_password(PasswordMail.objects.latest("pk").pk)
    send_what_is_due()
    assert len(mailoutbox) == 1


# -- A mail server that is away -----------------------------------------------------------------


@pytest.fixture
def no_mail_server(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()


def degraded() -> list[str]:
    found: list[str] = Client().get("/readyz").json()["degraded"]
    return [name for name in found if name == "mail"]


@pytest.mark.usefixtures("no_mail_server")
def test_without_the_mail_server_the_page_answers_alike_and_readyz_names_it(
    person: User, enqueued: list[Any]
) -> None:
    assert degraded() == []
    assert ask(person.email).status_code == ask("nobody@example.com").status_code == 302
    send_what_is_due()
    row = PasswordMail.objects.get()
    assert (row.person, row.tries, row.rung_at) == (person, 1, None)
    assert sweep().password_mail == [], "it waits before it is tried again"
    assert degraded() == ["mail"]


def test_it_goes_out_when_the_server_is_back(
    person: User, settings: Settings, mailoutbox: list[EmailMessage], enqueued: list[Any]
) -> None:
    working = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    ask(person.email)
    send_what_is_due()
    settings.EMAIL_BACKEND = working
    PasswordMail.objects.update(not_before=F("not_before") - timedelta(minutes=1))
    send_what_is_due()
    assert [mail.to for mail in mailoutbox] == [[person.email]]
    assert degraded() == []


@pytest.mark.usefixtures("no_mail_server")
def test_after_a_day_it_is_given_up(person: User, enqueued: list[Any]) -> None:
    ask(person.email)
    PasswordMail.objects.update(created_at=F("created_at") - timedelta(hours=25))
    send_what_is_due()
    assert not PasswordMail.objects.exists()


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (smtplib.SMTPRecipientsRefused({}), []),
        (smtplib.SMTPDataError(550, b"no such text"), []),
        (smtplib.SMTPAuthenticationError(535, b"wrong password"), ["mail"]),
        (smtplib.SMTPServerDisconnected(), ["mail"]),
        (TimeoutError(), ["mail"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_server_that_refuses_one_recipient_is_not_away(
    error: OSError,
    named: list[str],
    person: User,
    monkeypatch: pytest.MonkeyPatch,
    enqueued: list[Any],
) -> None:
    def refuse(_: EmailMessage) -> int:
        raise error

    monkeypatch.setattr(EmailMessage, "send", refuse)
    ask(person.email)
    send_what_is_due()
    assert PasswordMail.objects.get().tries == 1
    assert degraded() == named


def test_the_heartbeats_of_mail_are_no_process_in_the_metrics(db: None) -> None:
    for kind in ("worker", "mail", "mail_trouble"):
        Heartbeat.beat(kind)
    page = Client().get("/metrics").content.decode()
    assert 'portal_last_heard_seconds{kind="worker"}' in page
    assert "mail" not in page


def test_without_the_broker_the_sweep_asks_for_it(
    person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_send", lambda *_: False)
    assert ask(person.email).status_code == 302
    assert sweep().password_mail == [PasswordMail.objects.get().pk]


def test_two_workers_send_a_mail_once(
    person: User, mailoutbox: list[EmailMessage], enqueued: list[Any]
) -> None:
    ask(person.email)
    pk = PasswordMail.objects.get().pk
    assert PasswordMail.objects.claim(pk)
    assert not mail_password(pk)
    assert mailoutbox == []


# -- Limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize("email", ["engineer@example.com", "nobody@example.com"])
def test_links_for_one_address_are_limited_and_the_page_says_what_to_do(
    email: str, person: User, enqueued: list[Any]
) -> None:
    answers = [ask(email, address=f"192.0.2.{number}") for number in range(7)]
    assert [answer.status_code for answer in answers] == [302] * 5 + [429] * 2
    assert len(enqueued) == 5
    page = answers[-1].content.decode()
    assert "those that were mailed still work. Try again in 12 minutes, at " in page
    assert 700 <= int(answers[-1].headers["Retry-After"]) <= 720
    assert "Token portal" in page
    [event] = AuditEvent.objects.filter(action="limit.exceeded")
    assert event.subject == "password.reset"
    assert event.actor == (email if email == person.email else "unknown")


def test_links_for_many_addresses_from_one_are_limited(person: User, enqueued: list[Any]) -> None:
    answers = [ask(f"nobody{number}@example.com") for number in range(52)]
    assert [answer.status_code for answer in answers] == [302] * 50 + [429] * 2
    assert ask(person.email, address="192.0.2.8").status_code == 302


def test_but_not_for_a_person_in_a_browser_that_has_signed_them_in(
    person: User, enqueued: list[Any]
) -> None:
    home = Client()
    home.post("/accounts/login/", {"login": person.email, "password": PASSWORD})
    home.post("/accounts/logout/")
    for number in range(52):
        ask(f"nobody{number}@example.com")
    assert ask(person.email).status_code == 429
    assert ask(person.email, home).status_code == 302


def test_limits_can_be_turned_off(person: User, settings: Settings, enqueued: list[Any]) -> None:
    settings.RATE_LIMITS = False
    assert {ask(person.email).status_code for _ in range(20)} == {302}
    assert not LimitUse.objects.exists()


# -- A new password -----------------------------------------------------------------------------


def told(action: str) -> list[tuple[Any, ...]]:
    events = AuditEvent.objects.filter(action=action).order_by("seq")
    return list(events.values_list("actor", "subject", "count"))


def test_a_new_password_ends_every_other_session(
    person: User, sign_in: Callable[[User], Client]
) -> None:
    here, there, elsewhere = sign_in(person), sign_in(person), sign_in(person)
    fields = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    assert here.post(CHANGE, fields).status_code == 302
    assert [is_in(client) for client in (here, there, elsewhere)] == [True, False, False]
    assert told("signin.factor_changed") == [(person.email, "password", None)]
    assert told("session.ended") == [(person.email, f"{person.email}: another password", 2)]


def test_a_password_that_was_reset_ends_all_of_them(
    person: User,
    sign_in: Callable[[User], Client],
    settings: Settings,
    mailoutbox: list[EmailMessage],
    enqueued: list[Any],
) -> None:
    before = [sign_in(person), sign_in(person)]
    ask(person.email)
    send_what_is_due()
    assert set_by(link_in(mailoutbox[0], settings), Client()).status_code == 302
    assert [is_in(client) for client in before] == [False, False]
    assert told("signin.factor_changed") == [(person.email, "password", None)]
    assert told("session.ended") == [(person.email, f"{person.email}: another password", 2)]


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("fourteen chars", "at least 15 characters"),
        ("grafana-token-portal-2026", "Anybody would try “grafana”, “portal”, “token” here"),
        ("engineer@example.com1", "Anybody would try “com”, “engineer”, “example” here first"),
        ("Ada-Lovelace-portal", "Anybody would try “ada”, “lovelace”, “portal” here first"),
        ("127.0.0.1:127.0.0.1", "Anybody would try “127” here first"),
        ("111111111111111", "entirely numeric"),
    ],
)
def test_a_password_that_anybody_would_try_is_refused(
    password: str, said: str, person: User, sign_in: Callable[[User], Client]
) -> None:
    person.name = "Ada Lovelace"
    person.save()
    fields = {"oldpassword": PASSWORD, "password1": password, "password2": password}
    answer = sign_in(person).post(CHANGE, fields)
    assert answer.status_code == 200
    assert said in answer.content.decode()
    person.refresh_from_db()
    assert person.check_password(PASSWORD)


@pytest.mark.parametrize(
    "password",
    ["my grafana draws mountains", "fifteen letters", "пятнадцать букв", "監視" * 8, " " * 4 + NEW],
)
def test_a_long_one_may_hold_such_words_and_any_characters(
    password: str, person: User, sign_in: Callable[[User], Client]
) -> None:
    fields = {"oldpassword": PASSWORD, "password1": password, "password2": password}
    assert sign_in(person).post(CHANGE, fields).status_code == 302
    person.refresh_from_db()
    assert person.check_password(password)
