"""What stands before every page: sign-in, headers, cookies, and pages for what went wrong."""

import io
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import structlog
from django.conf import settings
from django.core.files import temp
from django.test import Client
from structlog.testing import capture_logs

from portal.models import State, Token, User
from portal.views.tokens import new
from tests.product import run_python
from tests.views.every_path import JSON, OPEN_TO_ALL, PATHS, STANDS_ON

pytestmark = pytest.mark.django_db


@dataclass(slots=True)
class World:
    """People at their browsers, and a token of the engineer's."""

    engineer: Client
    teammate: Client
    anonymous: Client
    careful: Client
    """The engineer's, with CSRF protection on as in real life."""
    token: Token

    @property
    def page(self) -> str:
        return f"/tokens/{self.token.pk}/"


@pytest.fixture
def world(
    engineer: User,
    teammate: User,
    sign_in: Callable[[User], Client],
    make_token: Callable[..., Token],
    enqueued: list[tuple[str, str]],
) -> World:
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(engineer)
    return World(
        engineer=sign_in(engineer),
        teammate=sign_in(teammate),
        anonymous=Client(),
        careful=careful,
        token=make_token(engineer, state=State.ACTIVE),
    )


# -- Who comes in -------------------------------------------------------------------------------


def test_the_anonymous_are_sent_to_sign_in_and_brought_back() -> None:
    browser, careful = Client(), Client(enforce_csrf_checks=True)
    asks: list[Callable[..., Any]] = [browser.get, browser.post, careful.post]
    wrong = []
    for path in PATHS:
        if path in OPEN_TO_ALL:
            continue
        for ask in asks:
            answer = ask(f"/{path}", follow=True)
            last = unquote(answer.redirect_chain[-1][0]) if answer.redirect_chain else ""
            if JSON.fullmatch(path):
                expected = (answer.status_code, last) == (401, "")
            elif (path, answer.status_code) == ("admin/login/", 403):
                expected = ask == careful.post  # a page to sign in, so CSRF is looked at first
            else:
                expected = last == f"/accounts/login/?next=/{STANDS_ON.get(path, path)}"
            if not expected:
                wrong.append((path, answer.status_code, last))
    assert wrong == []


def test_every_address_is_known_to_these_tests() -> None:
    assert [path for path in PATHS if "(" in path or "<" in path] == []
    assert set(PATHS) >= OPEN_TO_ALL


OTHERWISE = {
    "accounts/oidc/sso/login/callback/": (403,),
    "accounts/oidc/sso/logout/": (405,),
    "accounts/mails/stop/1/": (404,),
    "accounts/saml/sso/finish/": (404,),
    "accounts/saml/sso/metadata/": (404,),
    "scim/v2/": (404,),
    "team/1/ends.ics": (404,),
    "scim/v2/1": (404,),
}
"""Not for who comes without a provider's message, a calendar's key or a digest's signed link; SAML
and SCIM are not set up."""


def test_what_is_open_to_all_answers_without_a_sign_in() -> None:
    browser = Client()
    for path in OPEN_TO_ALL:
        answer = browser.get(f"/{path}")
        assert answer.status_code in OTHERWISE.get(path, (200, 302, 410)), path
        assert "next=" not in answer.headers.get("Location", "")


def test_a_person_who_may_no_longer_sign_in_is_out_at_once(world: World, engineer: User) -> None:
    assert world.engineer.get("/tokens/").status_code == 200
    engineer.is_active = False
    engineer.save()
    assert world.engineer.get("/tokens/").status_code == 302
    assert world.engineer.get(f"{world.page}status/").status_code == 401


def test_the_front_door_leads_to_my_tokens(world: World) -> None:
    answer = world.engineer.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/tokens/")


# -- Headers ------------------------------------------------------------------------------------


def break_a_page(world: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    def broken(_: User) -> str:
        raise RuntimeError("broken")

    monkeypatch.setattr(new, "suggested_name", broken)
    world.engineer.raise_request_exception = False
    return world.engineer.get("/tokens/new/")


Ask = Callable[[World, pytest.MonkeyPatch], Any]
ANSWERS: dict[str, tuple[int, Ask]] = {
    "page": (200, lambda w, _: w.engineer.get("/tokens/")),
    "form": (200, lambda w, _: w.engineer.get("/tokens/new/")),
    "token": (200, lambda w, _: w.engineer.get(w.page)),
    "status": (200, lambda w, _: w.engineer.get(f"{w.page}status/")),
    "sign-in": (200, lambda w, _: w.anonymous.get("/accounts/login/")),
    "healthz": (200, lambda w, _: w.anonymous.get("/healthz")),
    "readyz": (200, lambda w, _: w.anonymous.get("/readyz")),
    "metrics": (200, lambda w, _: w.anonymous.get("/metrics")),
    "to sign-in": (302, lambda w, _: w.anonymous.get("/tokens/")),
    "after an action": (302, lambda w, _: w.engineer.post(f"{w.page}revoke/")),
    "strange host": (400, lambda w, _: w.engineer.get("/tokens/", headers={"host": "x.example"})),
    "JSON for the anonymous": (401, lambda w, _: w.anonymous.get(f"{w.page}status/")),
    "not permitted": (403, lambda w, _: w.teammate.post(f"{w.page}revoke/")),
    "JSON not permitted": (403, lambda w, _: w.teammate.get(f"{w.page}sealed/")),
    "no CSRF token": (403, lambda w, _: w.careful.post(f"{w.page}revoke/")),
    "JSON, no CSRF token": (403, lambda w, _: w.careful.post(f"{w.page}delivered/")),
    "not there": (404, lambda w, _: w.engineer.get("/nothing/")),
    "JSON not there": (404, lambda w, _: w.engineer.get(f"/tokens/{uuid.uuid4()}/status/")),
    "wrong method": (405, lambda w, _: w.engineer.put(f"{w.page}revoke/")),
    "JSON, wrong method": (405, lambda w, _: w.engineer.get(f"{w.page}delivered/")),
    "wrong state": (409, lambda w, _: w.engineer.post(f"{w.page}cancel/")),
    "key is over": (410, lambda w, _: w.engineer.get(f"{w.page}sealed/")),
    "bad input": (422, lambda w, _: w.engineer.post("/tokens/new/", {"name": ""})),
    "broken": (500, break_a_page),
}


@pytest.mark.parametrize(("status", "ask"), ANSWERS.values(), ids=ANSWERS)
def test_every_answer_carries_the_headers_that_protect_it(
    world: World, monkeypatch: pytest.MonkeyPatch, status: int, ask: Ask
) -> None:
    answer = ask(world, monkeypatch)
    assert answer.status_code == status
    policy = answer.headers["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "font-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "no-store" in answer.headers["Cache-Control"]
    for feature in ("camera", "microphone", "geolocation", "payment", "display-capture"):
        assert f"{feature}=()" in answer.headers["Permissions-Policy"]


PAGES = {name: answer for name, answer in ANSWERS.items() if answer[0] != 302}


@pytest.mark.parametrize(("status", "ask"), PAGES.values(), ids=PAGES)
def test_no_page_needs_what_the_policy_forbids(
    world: World, monkeypatch: pytest.MonkeyPatch, status: int, ask: Ask
) -> None:
    html = ask(world, monkeypatch).content.decode()
    assert re.findall(r"<script(?![^>]*\b(?:src=|type=\"application/json\"))[^>]*>", html) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:|\bdata:", html) == []
    assert re.findall(r"(?:src|href|action)=\"(?:https?:)?//(?!g-)[^\"]*", html) == []


def test_static_files_may_be_kept_and_are_protected_too(world: World) -> None:
    html = world.anonymous.get("/accounts/login/").content.decode()
    stylesheets = re.findall(r'rel="stylesheet" href="([^"]+)"', html)
    assert stylesheets
    for stylesheet in stylesheets:
        answer = world.anonymous.get(stylesheet)
        assert answer.status_code == 200
        assert b"".join(answer.streaming_content)  # type: ignore[attr-defined]  # a file
        assert answer.headers["Content-Type"].startswith("text/css")
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


# -- Cookies and TLS ----------------------------------------------------------------------------

SIGN_IN = """
import json, django
django.setup()
from django.core.management import call_command
from django.test import Client
from portal.models import User
call_command("migrate", verbosity=0)
User.objects.create_user("engineer@example.com", "a password of ours")
User.objects.update(theme="dark")
client = Client(headers={"x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.9"})
page = client.get("/accounts/login/")
signed_in = client.post(
    "/accounts/login/", {"login": "engineer@example.com", "password": "a password of ours"}
)
# What is told on the next page must come by no cookie of its own.
client.post("/accounts/password/change/", {
    "oldpassword": "a password of ours",
    "password1": "another one of ours", "password2": "another one of ours",
})
print(json.dumps({
    "status": [page.status_code, signed_in.status_code, Client().get("/healthz").status_code],
    "hsts": page.headers.get("Strict-Transport-Security"),
    "location": page.headers.get("Location"),
    "cookies": [morsel.OutputString() for morsel in client.cookies.values()],
}))
"""


def sign_in_as_a_proxy_reports_it(data_dir: Path, **environment: str) -> dict[str, Any]:
    """What a portal with these settings answers a browser that has come by https to its proxy."""
    static = str(settings.STATIC_ROOT)  # collected once for all these tests
    done = run_python(SIGN_IN, data_dir, PORTAL_STATIC_ROOT=static, **environment)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_behind_tls_cookies_are_secure_and_bound_to_the_host(tmp_path: Path) -> None:
    answer = sign_in_as_a_proxy_reports_it(
        tmp_path,
        PORTAL_ORIGIN="https://request.example.com",
        ALLOWED_HOSTS="request.example.com,testserver",
        PORTAL_TRUSTED_PROXIES="1",
    )
    assert answer["status"] == [200, 302, 200]
    assert answer["hsts"] == "max-age=63072000; includeSubDomains; preload"
    cookies = {cookie.partition("=")[0]: cookie for cookie in answer["cookies"]}
    assert set(cookies) >= {
        "__Host-sessionid",
        "__Host-csrftoken",
        "__Host-messages",
        "__Host-known-browser",
        "__Host-theme",
    }
    assert [name for name in cookies if not name.startswith("__Host-")] == []
    for cookie in cookies.values():
        attributes = {part.strip() for part in cookie.split(";")[1:]}
        assert attributes >= {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"}
        assert "Domain" not in cookie


def test_without_a_trusted_proxy_nobody_can_pretend_to_have_come_by_tls(tmp_path: Path) -> None:
    answer = sign_in_as_a_proxy_reports_it(
        tmp_path,
        PORTAL_ORIGIN="https://request.example.com",
        ALLOWED_HOSTS="request.example.com,testserver",
    )
    assert answer["status"] == [301, 301, 200]
    assert answer["location"].startswith("https://")
    assert answer["cookies"] == []


def test_over_plain_http_cookies_are_kept_from_scripts_and_other_sites(
    engineer: User, world: World
) -> None:
    engineer.set_password("a password of ours")
    engineer.save()
    client = world.anonymous
    answer = client.get("/accounts/login/")
    assert "Strict-Transport-Security" not in answer.headers
    client.post("/accounts/login/", {"login": engineer.email, "password": "a password of ours"})
    assert set(client.cookies) >= {"sessionid", "csrftoken", "messages"}
    for cookie in client.cookies.values():
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
        assert (cookie["secure"], cookie["domain"]) == ("", "")


# -- Pages for what went wrong ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("not there", "belongs to a team that you are not in"),
        ("not permitted", "only its owner, a lead of its team or an admin may do that"),
        ("no CSRF token", "Nothing has happened yet"),
        ("wrong method", "nothing has happened"),
        ("broken", "try again in a moment"),
        ("strange host", "Go back and try again"),
    ],
)
def test_what_went_wrong_is_said_in_words(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    status, ask = ANSWERS[name]
    answer = ask(world, monkeypatch)
    assert (answer.status_code, words in answer.content.decode()) == (status, True)
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    "name", ["JSON not permitted", "JSON, no CSRF token", "JSON not there", "JSON, wrong method"]
)
def test_programs_are_told_in_json(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    answer = ANSWERS[name][1](world, monkeypatch)
    assert list(answer.json()) == ["message"]


def test_an_error_page_tells_nothing_of_the_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    html = break_a_page(world, monkeypatch).content.decode()
    assert "RuntimeError" not in html
    assert "Traceback" not in html


# -- Odd input ----------------------------------------------------------------------------------

ODD = ["\0", "x\0y", "\ud800", "🙂", "x" * 9000, "9" * 30, "-1", "nan", "' OR 1=1 --", "%ff%00"]
READS = {
    "/tokens/": ["page"],
    "/tokens/new/": ["workspace", "service_account", "name", "seconds_to_live", "reason", "team"],
    "/tokens/name/": ["name", "workspace"],
    "/tokens/{id}/status/": ["wait", "state"],
    "/tokens/{id}/sealed/": ["wait", "state"],
    "/team/platform/": ["q", "person", "account", "state", "flag", "page", "ended"],
}
WRITES = {
    "/tokens/new/": [*READS["/tokens/new/"], "public_key"],
    "/tokens/{id}/delivered/": ["fingerprint"],
    "/tokens/{id}/revoke/": ["reason"],
    "/tokens/{id}/cancel/": ["reason"],
    "/team/platform/revoke/": ["token", "person", "reason", "preview"],
    "/accounts/login/": ["login", "password", "next"],
    "/accounts/password/reset/": ["email"],
}


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: ascii(odd[:12]))
def test_odd_input_breaks_nothing(world: World, odd: str) -> None:
    sent = odd.encode("utf-8", "surrogatepass")
    valid = {"workspace": "g-00000000a1", "service_account": "2", "name": "x", "login": "a@b.c"}
    for asked, method in ((READS, "get"), (WRITES, "post")):
        for path, names in asked.items():
            client = world.anonymous if path.startswith("/accounts/") else world.engineer
            for name in names:
                ask = getattr(client, method)
                answer = ask(path.format(id=world.token.pk), {**valid, name: sent})
                assert answer.status_code < 500, (path, name)


def test_nobody_fills_the_disk_with_files(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No form takes files, but Django would store them before any view is asked."""
    written: list[object] = []
    opened = temp.NamedTemporaryFile

    def watched(*arguments: Any, **named: Any) -> Any:
        written.append(arguments)
        return opened(*arguments, **named)

    monkeypatch.setattr(temp, "NamedTemporaryFile", watched)
    for size, status in ((10, 422), (3_000_000, 400)):
        file = io.BytesIO(b"x" * size)
        file.name = "key.txt"
        answer = world.engineer.post("/tokens/new/", {"name": "", "file": file})
        assert answer.status_code == status
        assert answer.wsgi_request.FILES == {}
    assert written == []


# -- What the log says of it --------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/accounts/login/", "/tokens/", "/healthz"])
def test_the_log_names_the_address_that_called_not_one_that_was_claimed(path: str) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as entries:
        Client().get(path, headers={"X-Forwarded-For": "203.0.113.9"}, REMOTE_ADDR="192.0.2.7")
    finished = [entry for entry in entries if entry["event"] == "request_finished"]
    assert [entry["ip"] for entry in finished] == ["192.0.2.7"]
