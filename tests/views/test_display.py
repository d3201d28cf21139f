"""How a person has pages shown: their theme and zone, on every page, without another question."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, connection
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal import display
from portal.models import State, Token, User

pytestmark = pytest.mark.django_db

SignIn = Callable[[User], Client]
PAGE = "/accounts/display/"
ROOT = re.compile(r"<html lang=\"en\"([^>]*)>")


def root(html: bytes) -> str:
    found = ROOT.search(html.decode())
    assert found
    return found[1].strip()


@pytest.fixture
def in_the_dark(engineer: User, sign_in: SignIn) -> Client:
    """The engineer, who has chosen the dark and Tokyo."""
    client = sign_in(engineer)
    answer = client.post(PAGE, {"theme": "dark", "chosen_zone": "Asia/Tokyo"})
    assert answer.status_code == 302
    return client


def test_who_has_chosen_nothing_gets_what_the_system_has(engineer: User, sign_in: SignIn) -> None:
    answer = sign_in(engineer).get(PAGE)
    assert root(answer.content) == ""
    assert b'<meta name="color-scheme" content="light dark">' in answer.content
    assert display.COOKIE not in answer.cookies


@pytest.mark.parametrize("path", ["/tokens/", "/audit/", "/team/none/", "/accounts/mails/"])
def test_a_choice_holds_on_every_page_and_on_those_about_errors(
    in_the_dark: Client, path: str
) -> None:
    answer = in_the_dark.get(path)
    assert root(answer.content) == 'data-theme="dark" data-time-zone="Asia/Tokyo"'
    assert b'<meta name="color-scheme" content="dark">' in answer.content


def test_pages_that_do_not_know_who_asks_keep_the_theme(in_the_dark: Client) -> None:
    in_the_dark.get("/tokens/")
    assert root(in_the_dark.get("/nothing-here/").content) == 'data-theme="dark"'
    in_the_dark.post("/accounts/logout/")
    assert root(in_the_dark.get("/accounts/login/").content) == 'data-theme="dark"'


def test_a_page_about_an_outage_keeps_the_theme(
    in_the_dark: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_dark.get("/tokens/")
    in_the_dark.raise_request_exception = False

    def away(request: HttpRequest) -> None:
        raise DatabaseError("the database is away")

    monkeypatch.setattr("django.contrib.auth.middleware.get_user", away)
    answer = in_the_dark.get("/tokens/")
    assert answer.status_code >= 500
    assert root(answer.content) == 'data-theme="dark"'


def test_another_browser_of_the_person_learns_the_theme(
    in_the_dark: Client, engineer: User, sign_in: SignIn
) -> None:
    other = sign_in(engineer)
    answer = other.get("/tokens/")
    assert answer.cookies[display.COOKIE].value == "dark"
    in_the_dark.post(PAGE, {"theme": "", "chosen_zone": ""})
    assert other.get("/tokens/").cookies[display.COOKIE].value == ""
    assert display.COOKIE not in other.get("/tokens/").cookies


def test_a_forged_cookie_is_no_theme(client: Client) -> None:
    client.cookies[display.COOKIE] = '"><script>'
    assert root(client.get("/accounts/login/").content) == ""


def test_times_are_written_in_the_chosen_zone(
    in_the_dark: Client, engineer: User, make_token: Callable[..., Token]
) -> None:
    at = datetime(2031, 3, 1, 21, 30, tzinfo=UTC)
    token = make_token(engineer, state=State.ACTIVE, expires_at=at, revoke_at=at)
    html = in_the_dark.get("/tokens/").content.decode()
    assert (
        f'<time datetime="{at.isoformat()}" data-local>2031-03-02 06:30 Asia/Tokyo</time>' in html
    )
    told = in_the_dark.get(f"/tokens/{token.pk}/status/").json()
    assert "works on until 2031-03-02 06:30 Asia/Tokyo" in told["message"]


def test_the_next_person_of_the_same_thread_reads_utc(
    in_the_dark: Client, teammate: User, sign_in: SignIn, make_token: Callable[..., Token]
) -> None:
    in_the_dark.get("/tokens/")
    make_token(teammate, state=State.ACTIVE, expires_at=datetime(2031, 3, 1, 21, 30, tzinfo=UTC))
    assert "2031-03-01 21:30 UTC" in sign_in(teammate).get("/tokens/").content.decode()
    assert display.minute(datetime(2031, 3, 1, 21, 30, tzinfo=UTC)) == "2031-03-01 21:30 UTC"


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ({"chosen_zone": "Europe/Atlantis"}, "no time zone “Europe/Atlantis”"),
        ({"chosen_zone": "../../etc/passwd"}, "no time zone"),
        ({"theme": "pink"}, "Choose light, dark"),
    ],
)
def test_what_nobody_offers_is_refused_beside_its_field_and_nothing_is_kept(
    in_the_dark: Client, engineer: User, sent: dict[str, str], error: str
) -> None:
    answer = in_the_dark.post(PAGE, {"theme": "dark", "chosen_zone": "Asia/Tokyo"} | sent)
    assert answer.status_code == 422
    assert error in answer.content.decode()
    engineer.refresh_from_db()
    assert (engineer.theme, engineer.chosen_zone) == ("dark", "Asia/Tokyo")


def test_mails_at_an_hour_go_by_the_chosen_zone(in_the_dark: Client, engineer: User) -> None:
    engineer.refresh_from_db()
    assert engineer.time_zone == "Asia/Tokyo"


def test_a_choice_costs_a_page_no_question(
    engineer: User, sign_in: SignIn, make_token: Callable[..., Token]
) -> None:
    make_token(engineer, state=State.ACTIVE)
    client = sign_in(engineer)

    def questions() -> int:
        client.get("/tokens/")
        with CaptureQueriesContext(connection) as asked:
            client.get("/tokens/")
        return len(asked)

    before = questions()
    client.post(PAGE, {"theme": "dark", "chosen_zone": "Asia/Tokyo"})
    assert questions() == before


def test_djangos_admin_has_the_theme_before_it_is_painted(admin: User, sign_in: SignIn) -> None:
    client = sign_in(admin)
    client.post(PAGE, {"theme": "dark", "chosen_zone": ""})
    html = client.get("/admin/").content.decode()
    head = html.partition("</head>")[0]
    assert re.search(r'<script src="[^"]*js/admin-theme[^"]*" data-theme="dark"></script>', head)
    assert '<meta name="color-scheme" content="dark">' in head
    assert "theme.js" not in head.replace("admin-theme", "")
