"""What a person sees while the database is away, and what becomes of what they had typed."""

import html
import re
from collections.abc import Iterator

import pytest
import requests

from tests.outages.portal import FIELDS, Portal
from tests.person import Person

FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
ACTION = re.compile(r'<form method="post" action="([^"]+)">')


@pytest.fixture
def away(portal: Portal) -> Iterator[None]:
    portal.postgres.stop()
    yield
    portal.postgres.start()


@pytest.fixture
def person(portal: Portal) -> Person:
    return portal.people[0]


def kept(page: requests.Response) -> list[tuple[str, str]]:
    assert page.status_code == 503
    return [(name, html.unescape(value)) for name, value in FIELD.findall(page.text)]


@pytest.mark.usefixtures("away")
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/tokens/",
        "/tokens/new/?name=x",
        "/tokens/00000000-0000-4000-8000-000000000000/",
        "/team/",
        "/audit/",
        "/audit/export.csv",
        "/inventory/",
        "/admin/",
        "/accounts/password/change/",
        "/metrics",
    ],
)
def test_every_address_says_that_nothing_is_lost_and_when_to_come_again(
    person: Person, path: str
) -> None:
    page = person.get(path)
    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
    assert "Nothing is lost" in page.text
    assert "no-store" in page.headers["Cache-Control"]
    if path != "/metrics":
        assert f'href="{html.escape(path)}">Try again</a>' in page.text


@pytest.mark.usefixtures("away")
@pytest.mark.parametrize("path", ["/tokens/name/?workspace=g-00000000a1&name=x", "/readyz"])
def test_addresses_for_programs_answer_in_json(person: Person, path: str) -> None:
    answer = person.get(path)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json()


def test_a_form_is_kept_on_the_page_and_sending_it_again_makes_one_token(
    portal: Portal, person: Person
) -> None:
    typed = {**FIELDS, "name": "kept-by-the-page", "reason": 'for "the" <release> & more'}
    portal.postgres.stop()
    page = person.post("/tokens/new/?from=link", public_key=portal.keys.public, **typed)
    portal.postgres.start()
    fields = dict(kept(page))
    assert fields.pop("csrfmiddlewaretoken")
    assert fields == {**typed, "public_key": portal.keys.public}
    [action] = ACTION.findall(page.text)
    assert action == "/tokens/new/?from=link"
    answers = [
        person.http.post(f"{portal.url}{action}", data=kept(page), allow_redirects=False)
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [302, 302]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert portal.rows("kept-by-the-page") == ["kept-by-the-page"]


@pytest.mark.usefixtures("away")
def test_fields_of_one_name_are_all_kept(portal: Portal, person: Person) -> None:
    page = person.http.post(
        f"{portal.url}/team/platform/revoke/",
        data=[("csrfmiddlewaretoken", person.csrf), ("token", "1"), ("token", "2")],
    )
    assert [(n, v) for n, v in kept(page) if n == "token"] == [("token", "1"), ("token", "2")]


@pytest.mark.usefixtures("away")
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/accounts/login/", {"login": "engineer@example.com", "password": "correct horse"}),
        ("/accounts/password/change/", {"oldpassword": "correct horse", "password1": "correct"}),
        ("/audit/find/", {"fingerprint": "c0ffee" * 10}),
    ],
)
def test_what_is_secret_never_comes_back_on_a_page(
    portal: Portal, person: Person, path: str, fields: dict[str, str]
) -> None:
    person.http.headers["Referer"] = f"{portal.url}/where-it-stood/"
    page = person.post(path, **fields)
    del person.http.headers["Referer"]
    assert page.status_code == 503
    assert kept(page) == []
    for value in fields.values():
        assert value not in page.text
    assert f'href="{portal.url}/where-it-stood/">Open the page again</a>' in page.text


@pytest.mark.usefixtures("away")
def test_a_form_of_a_strangers_page_is_not_put_before_anybody(
    portal: Portal, person: Person
) -> None:
    page = person.http.post(
        f"{portal.url}/tokens/00000000-0000-4000-8000-000000000000/revoke/",
        data={"reason": "a stranger's wish", "csrfmiddlewaretoken": "x" * 64},
        headers={"Origin": "https://stranger.example", "Referer": "https://stranger.example/"},
    )
    assert page.status_code == 503
    assert "stranger" not in page.text


@pytest.mark.usefixtures("away")
def test_a_form_that_is_very_long_is_not_repeated(portal: Portal, person: Person) -> None:
    page = person.post("/tokens/new/", reason="x" * 200_000)
    assert kept(page) == []
    assert "Open the page again" in page.text
