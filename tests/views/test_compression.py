"""Pages are compressed, but for those that have a secret beside what others may write there."""

from collections.abc import Callable

import pytest
from django.test import Client

from portal.models import State, Token, User

pytestmark = pytest.mark.django_db

GZIP = {"accept-encoding": "gzip, deflate, br"}


def encoding(browser: Client, path: str) -> str:
    answer = browser.get(path, headers=GZIP)
    assert answer.status_code == 200, path
    return answer.headers.get("Content-Encoding", "")


def test_pages_without_a_secret_are_compressed(
    make_token: Callable[..., Token],
    engineer: User,
    auditor: User,
    sign_in: Callable[[User], Client],
) -> None:
    active = make_token(engineer, state=State.ACTIVE)
    browser = sign_in(engineer)
    for path in ("/tokens/", f"/tokens/{active.pk}/", "/access/"):
        assert encoding(browser, path) == "gzip", path
    assert encoding(browser, "/team/platform/") == "gzip"
    browser = sign_in(auditor)
    for path in ("/audit/", "/audit/charts/", "/inventory/"):
        assert encoding(browser, path) == "gzip", path


def test_pages_with_a_secret_or_with_somebody_who_waits_for_a_key_are_not(
    make_token: Callable[..., Token],
    engineer: User,
    lead: User,
    sign_in: Callable[[User], Client],
) -> None:
    asked = make_token(engineer, name="asked")
    browser = sign_in(engineer)
    for path in (f"/tokens/{asked.pk}/", f"/tokens/{asked.pk}/status/", "/accounts/2fa/"):
        assert encoding(browser, path) == "", path
    assert encoding(sign_in(lead), "/team/platform/?q=x") == ""
    assert encoding(Client(), "/accounts/login/") == ""
