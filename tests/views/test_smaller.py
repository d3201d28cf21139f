"""What a person meets first: what waits for them, who filled a form in, whom to tell."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.models import State, Token, User
from tests.reading import words

pytestmark = pytest.mark.django_db


def test_a_lead_without_tokens_is_led_to_what_waits(
    make_token: Callable[..., Token],
    engineer: User,
    lead: User,
    sign_in: Callable[[User], Client],
) -> None:
    for _ in range(2):
        make_token(engineer, state=State.AWAITING_APPROVAL, public_key=b"")
    page = sign_in(lead).get("/tokens/").content.decode()
    assert "2 requests wait for your approval." in words(page)
    assert words(page).index("wait for your approval") < words(page).index("No tokens yet")
    assert "for your approval" not in sign_in(engineer).get("/tokens/").content.decode()


def test_a_form_says_that_a_link_has_filled_it_in(
    rows: object, engineer: User, sign_in: Callable[[User], Client]
) -> None:
    browser = sign_in(engineer)
    for query, said in (("", False), ("?name=ci", True), ("?lifetime=2d", True), ("?x=1", False)):
        page = browser.get(f"/tokens/new/{query}").content.decode()
        assert ("A link filled this in." in page) is said, query


def test_pages_say_how_those_who_run_the_portal_are_reached(
    make_token: Callable[..., Token],
    engineer: User,
    sign_in: Callable[[User], Client],
    settings: Settings,
) -> None:
    token = make_token(engineer, state=State.FAILED, error_code="AccessDeniedException")
    browser = sign_in(engineer)
    assert "They are reached at" not in browser.get(f"/tokens/{token.pk}/").content.decode()
    settings.CONTACT = "#grafana-tokens"
    assert (
        "They are reached at #grafana-tokens."
        in browser.get(f"/tokens/{token.pk}/").content.decode()
    )
    assert "#grafana-tokens" in browser.get("/tokens/nothing-here/").content.decode()


def test_the_page_says_that_the_key_is_in_use_and_offers_to_end_the_old_one(
    make_token: Callable[..., Token], engineer: User, sign_in: Callable[[User], Client]
) -> None:
    now = timezone.now()
    old = make_token(engineer, state=State.ACTIVE, revoke_at=now + timedelta(hours=1))
    new = make_token(engineer, state=State.ACTIVE, replaces=old)
    browser = sign_in(engineer)
    assert "✓ In use" not in words(browser.get(f"/tokens/{new.pk}/").content.decode())
    new.change(last_used_at=now)
    page = browser.get(f"/tokens/{new.pk}/").content.decode()
    assert "✓ In use" in words(page)
    assert f'href="/tokens/{old.pk}/"' in words(page)
