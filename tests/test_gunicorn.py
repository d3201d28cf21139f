"""The web server itself, with the configuration that production and `make run` share."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.logs import MASK
from tests.product import prepared, run_python, within
from tests.web import Web, serving

KEY = f"glsa_{'Ab1' * 11}_0a1b2c3d"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with serving(tmp_path_factory.mktemp("web")) as web:
        yield web


def test_its_own_log_is_masked_and_json_like_all_others(web: Web) -> None:
    web.ask("GET / HTTP/1.1", "Host: tokens.example.com", f"no header {KEY}")
    assert within(10, lambda: MASK in web.log.read_text()), web.log.read_text()
    lines = web.log.read_text().splitlines()
    assert not any(KEY in line for line in lines)
    events = [json.loads(line) for line in lines]
    assert any(event["logger"] == "gunicorn.error" for event in events)
    assert all(event["timestamp"].endswith("Z") for event in events)


def test_nobody_on_this_machine_is_a_proxy_unless_the_portal_is_told_so(web: Web) -> None:
    """gunicorn would believe whoever comes from 127.0.0.1."""
    host = "Host: tokens.example.com"
    answer = web.ask("GET /tokens/ HTTP/1.1", host, "X-Forwarded-Proto: https")
    assert "Location: https://tokens.example.com/tokens/" in answer, "not yet come by https"
    answer = web.ask("GET /healthz HTTP/1.1", host, "SCRIPT_NAME: /healthz")
    assert answer.startswith("HTTP/1.1 200 ")


def test_the_longest_line_that_a_link_of_ours_makes_is_taken(web: Web) -> None:
    line = f"GET /tokens/new/?reason={'x' * 8157} HTTP/1.1"
    assert len(line) == 8190
    assert web.ask(line, "Host: tokens.example.com").startswith("HTTP/1.1 301 ")


def test_the_cookies_of_other_sites_are_taken(web: Web) -> None:
    cookie = f"Cookie: other={'x' * 16_000}"
    answer = web.ask("GET /healthz HTTP/1.1", "Host: tokens.example.com", cookie)
    assert answer.startswith("HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("line", "header", "status", "words"),
    [
        (
            f"GET /tokens/new/?reason={'x' * 9000} HTTP/1.1",
            "Accept: */*",
            "414",
            "That address is too long",
        ),
        (
            "GET /tokens/ HTTP/1.1",
            f"Cookie: other={'x' * 40_000}",
            "431",
            "Delete the cookies of this address",
        ),
    ],
    ids=["an address", "cookies"],
)
def test_what_is_too_long_for_the_server_is_said_in_our_words(
    web: Web, line: str, header: str, status: str, words: str
) -> None:
    answer = web.ask(line, "Host: tokens.example.com", header)
    head, _, page = answer.partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert "Cache-Control: no-store" in head
    assert "default-src 'none'" in head
    assert f"Content-Length: {len(page.encode())}" in head
    assert words in page
    assert "Token portal" in page


def test_pages_are_ready_before_the_first_person_comes(tmp_path: Path) -> None:
    """Nothing is parsed or looked up for the form any more once the process has begun."""
    shutil.copy(prepared() / "portal.sqlite3", tmp_path)
    asked = run_python(
        "import portal.wsgi\n"
        "from unittest import mock\n"
        "from django.template.base import Template\n"
        "from django.urls import URLResolver, reverse\n"
        "from django.template.loader import get_template\n"
        "with mock.patch.object(Template, 'compile_nodelist') as parsed, \\\n"
        "        mock.patch.object(URLResolver, '_populate') as populated:\n"
        "    get_template('tokens/new.html'), get_template('allauth/layouts/base.html')\n"
        "    reverse('token-new')\n"
        "print(parsed.call_count, populated.call_count)",
        tmp_path,
        PORTAL_EMBEDDED="1",
    )
    assert asked.stdout.split() == ["0", "0"], asked.stderr
