"""Bodies in chunks, without a length: some proxies send every form so."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import requests

from tests.browser.live import Live
from tests.person import CSRF


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as browser:
        browser.trust_env = False
        yield browser


def in_chunks(body: bytes, size: int = 100) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def form_of(browser: requests.Session, live: Live, **typed: str) -> bytes:
    page = browser.get(f"{live.url}/accounts/login/", timeout=30).text
    token = CSRF.findall(page)[0]  # each form of the page has it
    return urlencode(typed | {"csrfmiddlewaretoken": token}).encode()


def post(browser: requests.Session, live: Live, body: Iterator[bytes]) -> requests.Response:
    return browser.post(
        f"{live.url}/accounts/login/",
        data=body,
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Connection": "close",  # the server ends it after a body that it does not want
        },
        allow_redirects=False,
        timeout=30,
    )


def test_a_form_that_comes_in_chunks_is_taken(live: Live, browser: requests.Session) -> None:
    typed = {"login": "engineer@example.com", "password": live.product.password}
    answer = post(browser, live, in_chunks(form_of(browser, live, **typed)))
    assert (answer.status_code, answer.headers.get("Location")) == (302, "/tokens/")


@pytest.mark.parametrize("session", ["", "; sessionid=made-up"], ids=["a stranger", "a session"])
def test_a_form_in_chunks_may_be_no_longer_than_any_other(
    live: Live, browser: requests.Session, session: str
) -> None:
    long = form_of(browser, live, login="x" * 2_700_000)
    browser.headers["Cookie"] = f"csrftoken={browser.cookies['csrftoken']}{session}"
    chunked = post(browser, live, in_chunks(long, 65_536))
    whole = post(browser, live, long)  # type: ignore[arg-type]  # with a length of its own
    assert chunked.status_code == whole.status_code == 413
    assert "This is too long" in whole.text
