"""What a sign-in in between must not lose: the way back, a long link, a form that is too old."""

import random
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client, RequestFactory

from portal import drafts
from portal.models import Membership, Role, State, Team, Token, User, Webhook, WebhookDelivery
from tests.views.every_path import JSON, OPEN_TO_ALL, PATHS, STANDS_ON, TOKEN_ID

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_counts() -> None:
    """Attempts to sign in are counted in the cache, and other tests sign in too."""
    cache.clear()


LOGIN = "/accounts/login/"
PASSWORD = "correct horse battery staple"


def way_in(answer: Any) -> str:
    """Where the sign-in that this answer leads to leads on to."""
    assert answer.status_code == 302, answer.status_code
    address = urlsplit(answer.headers["Location"])
    assert address.path == LOGIN
    return str(parse_qs(address.query)["next"][0])


@pytest.fixture
def everything(platform: Team, admin: User, make_token: Callable[..., Token]) -> User:
    """Somebody who may do all there is to a token and a team at the addresses of PATHS."""
    Team.objects.filter(pk=platform.pk).update(slug="1")
    Membership.objects.create(user=admin, team=platform, role=Role.LEAD)
    User.objects.filter(pk=admin.pk).update(is_auditor=True)
    make_token(admin, pk=TOKEN_ID, state=State.ACTIVE, aws_token_id="7")
    webhook = Webhook.objects.create(pk=1, team=platform, format="standard", after_event=0)
    WebhookDelivery.objects.create(pk=1, webhook=webhook)
    admin.refresh_from_db()
    return admin


# -- An action after the session's end ------------------------------------------------------------


def test_whatever_is_sent_after_the_session_ended_goes_on_where_its_form_stands(
    everything: User, sign_in: Callable[[User], Client]
) -> None:
    browser = sign_in(everything)
    wrong = []
    for path in PATHS:
        if path in OPEN_TO_ALL or JSON.fullmatch(path):
            continue
        way = way_in(Client().post(f"/{path}", {"reason": "no longer needed"}))
        answer = browser.get(way)
        if way != f"/{STANDS_ON.get(path, path)}" or answer.status_code == 405:
            wrong.append((path, way, answer.status_code))
    assert wrong == []
    assert browser.get(f"/tokens/{TOKEN_ID}/").context["token"].state == State.ACTIVE


def test_no_address_answers_405_to_somebody_who_opens_it(
    everything: User, sign_in: Callable[[User], Client]
) -> None:
    browser = sign_in(everything)
    refused = [path for path in PATHS if browser.get(f"/{path}").status_code == 405]
    for_programs = [
        "accounts/oidc/sso/logout/",
        f"tokens/{TOKEN_ID}/delivered/",
        f"tokens/{TOKEN_ID}/first-use/",
    ]
    assert refused == for_programs


@pytest.mark.parametrize(("path", "page"), STANDS_ON.items(), ids=STANDS_ON)
def test_an_action_that_is_opened_leads_to_where_its_form_stands(
    everything: User, sign_in: Callable[[User], Client], path: str, page: str
) -> None:
    browser = sign_in(everything)
    for ask in (browser.get, browser.head):
        answer = ask(f"/{path}")
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/{page}")
    assert browser.get(f"/{page}").status_code == 200


def test_the_sign_in_says_that_nothing_has_happened_yet(everything: User) -> None:
    browser = Client()
    browser.post(f"/tokens/{TOKEN_ID}/revoke/", {"reason": "no longer needed"})
    page = browser.get(LOGIN).content.decode()
    assert "so nothing has happened yet" in page
    asked = Client()
    asked.get(f"/tokens/{TOKEN_ID}/")
    assert "nothing has happened" not in asked.get(LOGIN).content.decode()


def test_405_is_a_page_of_ours_and_json_for_programs(
    everything: User, sign_in: Callable[[User], Client]
) -> None:
    browser = sign_in(everything)
    for method in ("PUT", "DELETE", "PATCH"):
        answer = browser.generic(method, f"/tokens/{TOKEN_ID}/revoke/")
        assert answer.status_code == 405
        assert "POST" in answer.headers["Allow"]
        assert "Token portal" in answer.content.decode()
        assert "nothing has happened" in answer.content.decode()
    answer = browser.post("/tokens/")
    assert (answer.status_code, "Token portal" in answer.content.decode()) == (405, True)
    answer = browser.get(f"/tokens/{TOKEN_ID}/delivered/")
    assert (answer.status_code, list(answer.json())) == (405, ["message"])


# -- A long link ----------------------------------------------------------------------------------

LONGEST_LINE = 8190
"""Of a request, in bytes: deploy/gunicorn.conf.py."""


def longest_wish() -> dict[str, str]:
    """The longest that the form takes, in letters of which none is like the one before."""
    letters = random.Random(7)
    long = "".join(chr(letters.randrange(0x20000, 0x2A6D6)) for _ in range(628))
    return {
        "workspace": "g-00000000a1",
        "service_account": "2",
        "name": long[:128],
        "seconds_to_live": "2592000",
        "reason": long[128:],
        "team": "t" * 64,
    }


@pytest.mark.parametrize("wish", [longest_wish(), {"name": "ci", "reason": "nightly & <daily>"}])
def test_every_link_that_the_form_makes_opens_after_a_sign_in(
    engineer: User, wish: dict[str, str]
) -> None:
    engineer.set_password(PASSWORD)
    engineer.save()
    browser = Client()
    link = f"/tokens/new/?{urlencode(wish)}"
    assert len(f"GET {link} HTTP/1.1") <= LONGEST_LINE
    answer = browser.get(link)
    assert len(answer.headers["Location"]) < 4000, "proxies and servers take it"
    assert sum(len(cookie.OutputString()) for cookie in browser.cookies.values()) < 4096
    form = {"login": engineer.email, "password": PASSWORD, "next": way_in(answer)}
    answer = browser.post(LOGIN, form, follow=True)
    assert answer.status_code == 200
    address = urlsplit(str(answer.redirect_chain[-1][0]))
    assert (address.path, dict(parse_qsl(address.query))) == ("/tokens/new/", wish)
    assert {name: answer.context["form"][name].value() for name in wish} == wish
    assert "way" not in {name for name, cookie in browser.cookies.items() if cookie.value}


def test_a_long_way_back_is_this_browsers_alone_and_leads_nowhere_else(
    engineer: User, sign_in: Callable[[User], Client]
) -> None:
    link = f"/tokens/new/?{urlencode(longest_wish())}"
    asked = Client()
    way = way_in(asked.get(link))
    cookie = asked.cookies["way"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    another = sign_in(engineer)
    for value in ("", cookie.value[:-1], "x:y:z"):
        another.cookies["way"] = value
        answer = another.get(way, follow=True)
        assert answer.redirect_chain[-1][0] == "/tokens/"
        assert "open it again" in answer.content.decode()
    another.cookies["way"] = cookie.value
    other = way.replace(way[-5:], "0000/")
    assert another.get(other).headers["Location"] == "/tokens/"
    assert another.get(way).headers["Location"].startswith("/tokens/new/?")


def test_a_link_that_no_cookie_holds_leads_to_its_page_and_says_so(engineer: User) -> None:
    browser = Client()
    letters = random.Random(7)
    q = "".join(chr(letters.randrange(0x4E00, 0x9FFF)) for _ in range(2500))
    assert way_in(browser.get("/audit/", {"q": q})) == "/audit/"
    assert "too long to be kept" in browser.get(LOGIN).content.decode()


# -- A form that is too old -----------------------------------------------------------------------

HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
TYPED = {"reason": "it leaked into <a wiki>", "draft": "a" * 32}


def careful(user: User) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    return client


def test_a_form_that_is_too_old_comes_back_with_what_was_typed(
    engineer: User, make_token: Callable[..., Token], enqueued: list[tuple[str, str]]
) -> None:
    token = make_token(engineer, state=State.ACTIVE, aws_token_id="7")
    browser, action = careful(engineer), f"/tokens/{token.pk}/revoke/"
    answer = browser.post(action, TYPED | {"csrfmiddlewaretoken": "x" * 64})
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "it leaked into &lt;a wiki&gt;" in page
    assert f'action="{action}"' in page
    fresh = dict(HIDDEN.findall(page))
    assert set(fresh) == {"csrfmiddlewaretoken", "reason", "draft"}
    token.refresh_from_db()
    assert token.state == State.ACTIVE
    assert browser.post(action, fresh).status_code == 302
    token.refresh_from_db()
    assert token.state == State.REVOKING


def test_a_form_with_a_key_pair_is_opened_again_filled_in(
    engineer: User, sign_in: Callable[[User], Client]
) -> None:
    wish = longest_wish() | {"public_key": "A" * 560}
    page = careful(engineer).post("/tokens/new/", wish).content.decode()
    assert "A" * 560 not in page
    [link] = re.findall(r'href="(/tokens/new/\?[^"]+)"', page)
    link = link.replace("&amp;", "&")
    assert len(link) < LONGEST_LINE
    shown = sign_in(engineer).get(link).context["form"]
    assert {name: shown[name].value() for name in longest_wish()} == longest_wish()


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)
def test_what_another_site_has_sent_is_not_offered_to_be_sent_again(
    engineer: User, make_token: Callable[..., Token], headers: dict[str, str]
) -> None:
    token = make_token(engineer, state=State.ACTIVE, aws_token_id="7")
    answer = careful(engineer).post(f"/tokens/{token.pk}/revoke/", TYPED, headers=headers)
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "This form came from elsewhere" in page
    assert "<form" not in page
    assert "it leaked" not in page


@pytest.mark.parametrize("path", [LOGIN, "/accounts/password/change/", "/accounts/reauthenticate/"])
def test_no_password_is_sent_back(engineer: User, path: str) -> None:
    typed = {"login": engineer.email, "password": PASSWORD, "next": "/team/"}
    typed |= {"oldpassword": PASSWORD, "password1": PASSWORD, "password2": PASSWORD}
    browser = Client(enforce_csrf_checks=True) if path == LOGIN else careful(engineer)
    answer = browser.post(path, typed)
    page = answer.content.decode()
    assert answer.status_code == 403
    assert PASSWORD not in page
    assert (f'value="{engineer.email}"' in page) == (path == LOGIN)


def test_a_key_that_was_typed_is_not_sent_back(engineer: User) -> None:
    key = f"glsa_{'Ab1' * 11}_0a1b2c3d"
    page = careful(engineer).post("/tokens/new/", {"reason": f"it is {key}"}).content.decode()
    assert key not in page


def test_a_second_sign_in_after_another_tabs_leads_on(engineer: User) -> None:
    """The first one has changed the token of the forms; who is signed in needs no second."""
    engineer.set_password(PASSWORD)
    engineer.save()
    browser = careful(engineer)
    typed = {"login": engineer.email, "password": PASSWORD, "csrfmiddlewaretoken": "x" * 64}
    answer = browser.post(LOGIN, typed | {"next": "/team/"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/team/")
    answer = browser.post(LOGIN, typed | {"next": "https://evil.example/"})
    assert answer.headers["Location"] == "/tokens/"


def test_a_sign_in_form_that_is_too_old_is_sent_again_with_the_password_alone(
    engineer: User,
) -> None:
    engineer.set_password(PASSWORD)
    engineer.save()
    browser = Client(enforce_csrf_checks=True)
    typed = {"login": engineer.email, "password": PASSWORD, "next": "/team/"}
    page = browser.post(LOGIN, typed).content.decode()
    fresh = dict(HIDDEN.findall(page)) | {"login": engineer.email, "password": PASSWORD}
    answer = browser.post(LOGIN, fresh)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/team/")


# -- What was taken -------------------------------------------------------------------------------


def test_the_page_after_a_form_that_was_taken_names_it(
    engineer: User,
    sign_in: Callable[[User], Client],
    make_token: Callable[..., Token],
    enqueued: list[tuple[str, str]],
) -> None:
    token = make_token(engineer, state=State.ACTIVE, aws_token_id="7")
    browser, action = sign_in(engineer), f"/tokens/{token.pk}/revoke/"

    def named() -> tuple[str, ...]:
        page = browser.get("/tokens/").content.decode()
        [named] = re.findall(r'data-taken="([^"]*)" data-turned-away="([^"]*)"', page)
        return tuple(named)

    assert named() == ("", "")
    assert browser.post("/tokens/new/", TYPED).status_code == 422
    assert named() == ("", "")
    browser.cookies.pop("sessionid")
    assert browser.post(action, TYPED).status_code == 302
    browser.force_login(engineer)
    assert named() == ("", "a" * 32)
    assert browser.post(action, TYPED | {"draft": "b" * 32}).status_code == 302
    assert browser.post(action, TYPED).status_code == 409
    assert named() == ("b" * 32, "a" * 32)


@pytest.mark.parametrize(
    ("status", "location", "said"),
    [
        (302, "/tokens/", "+"),
        (302, "/accounts/mails/", "+"),
        (302, "/accounts/login/?next=/tokens/", "-"),
        (302, "/accounts/reauthenticate/?next=/tokens/", "-"),
        (403, "", "-"),
        (429, "", "-"),
        (503, "", "-"),
        (200, "", ""),
        (409, "", ""),
        (422, "", ""),
        (500, "", ""),
    ],
)
def test_a_form_is_named_as_it_was_answered(status: int, location: str, said: str) -> None:
    request = RequestFactory().post("/tokens/new/", TYPED)
    response = HttpResponse(status=status, headers={"Location": location} if location else {})
    drafts.note_answer(request, response)
    noted = response.cookies["forms"].value if response.cookies else ""
    assert noted == (said and f"{said}{'a' * 32}")


def test_a_number_that_is_none_is_not_drawn(
    engineer: User, sign_in: Callable[[User], Client]
) -> None:
    browser = sign_in(engineer)
    browser.cookies["forms"] = '"><script>.+' + "a" * 31
    assert 'data-taken="" data-turned-away=""' in browser.get("/tokens/").content.decode()
