"""The form that asks to hold an old token until it is quiet, and the page that says what for."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import Grant, State, Token, User
from tests.conftest import Catalog
from tests.person import KeyPair
from tests.reading import words

pytestmark = pytest.mark.django_db


@pytest.fixture
def old(make_token: Callable[..., Token], engineer: User) -> Token:
    now = timezone.now()
    return make_token(
        engineer,
        name="ci",
        state=State.ACTIVE,
        delivered_at=now,
        issued_at=now,
        expires_at=now + timedelta(days=20),
        aws_token_id="7",
    )


@pytest.fixture
def form(keys: KeyPair) -> dict[str, Any]:
    return {
        "mode": "overlap",
        "overlap_seconds": "1h",
        "quiet_seconds": "1d",
        "recipient": "me",
        "seconds_to_live": "7d",
        "reason": "rotation",
        "public_key": keys.public,
    }


@pytest.fixture
def client(sign_in: Callable[[User], Client], engineer: User) -> Client:
    return sign_in(engineer)


def test_it_is_asked_for_on_the_form(client: Client, old: Token, form: dict[str, Any]) -> None:
    address = f"/tokens/{old.pk}/reissue/"
    assert 'name="quiet_seconds"' in client.get(address).content.decode()
    assert client.post(address, form).status_code == 302
    new = Token.objects.get(replaces=old)
    assert (new.overlap_seconds, new.quiet_seconds) == (3_600, 86_400)


def test_empty_it_is_as_it_was(client: Client, old: Token, form: dict[str, Any]) -> None:
    assert (
        client.post(f"/tokens/{old.pk}/reissue/", form | {"quiet_seconds": ""}).status_code == 302
    )
    assert Token.objects.get(replaces=old).quiet_seconds is None


@pytest.mark.parametrize("quiet", ["59m", "8d", "a while"])
def test_what_is_no_such_time_is_a_mistake_beside_its_field(
    client: Client, old: Token, form: dict[str, Any], quiet: str
) -> None:
    answer = client.post(f"/tokens/{old.pk}/reissue/", form | {"quiet_seconds": quiet})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert 'id="id_quiet_seconds_error"' in page
    assert f'value="{quiet}"' in page


def test_where_policy_leaves_no_time_to_tell_nobody_is_asked(
    client: Client, old: Token, catalog: Catalog
) -> None:
    Grant.objects.update(max_overlap=3_600)
    page = client.get(f"/tokens/{old.pk}/reissue/").content.decode()
    assert 'name="quiet_seconds"' not in page
    assert 'name="overlap_seconds"' in page


def test_the_page_says_what_it_waits_for(
    client: Client, old: Token, make_token: Callable[..., Token], engineer: User
) -> None:
    now = timezone.now()
    make_token(engineer, replaces=old, state=State.ACTIVE, quiet_seconds=86_400, delivered_at=now)
    ends = now + timedelta(days=7)
    Token.objects.filter(pk=old.pk).update(quiet_from=now, revoke_at=ends)
    said = words(client.get(f"/tokens/{old.pk}/").content.decode())
    assert "its silence says nothing" in said
    Token.objects.filter(pk=old.pk).update(last_used_at=now - timedelta(hours=2))
    said = words(client.get(f"/tokens/{old.pk}/").content.decode())
    assert "no use for 1 day" in said
    assert f"{now + timedelta(hours=22):%Y-%m-%d %H:%M}" in said
    assert f"{ends:%Y-%m-%d %H:%M}" in said
