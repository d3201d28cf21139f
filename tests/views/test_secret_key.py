"""SECRET_KEY is changed while people work (docs/KEYS.md): what the one before signed stays good
until that is dropped.
"""

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.test import Client
from pytest_django import Settings

from portal.audit import SYSTEM
from portal.flows.invite import invite
from portal.models import MailTopic, User
from portal.notify import compose_password_link
from portal.stopping import stop_path, stopped_by
from tests.totp import code_of
from tests.views.factors import AUTHENTICATE, LOGIN, PASSWORD, add_app, is_in, with_password
from tests.views.factors import sign_in as by_form

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("enqueued")]

NEW = "n-e-w-" * 9


@pytest.fixture
def rotate(settings: Settings) -> Callable[[], None]:
    """A new key is set, and the one before is kept."""

    def rotate() -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [settings.SECRET_KEY]

    return rotate


@pytest.fixture
def drop(settings: Settings) -> Callable[[], None]:
    """The key before is kept no longer."""

    def drop() -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, []

    return drop


def test_a_session_goes_on_and_whoever_comes_meanwhile_keeps_theirs(
    engineer: User,
    sign_in: Callable[[User], Client],
    rotate: Callable[[], None],
    drop: Callable[[], None],
) -> None:
    often, seldom = sign_in(engineer), sign_in(engineer)
    rotate()
    assert is_in(often)
    drop()
    assert is_in(often)
    assert not is_in(seldom)


def test_a_sign_in_that_was_begun_before_ends_with_its_second_factor(
    engineer: User, rotate: Callable[[], None]
) -> None:
    person = with_password(engineer)
    seed, _ = add_app(by_form(person)[0])
    client, _ = by_form(person)
    rotate()
    client.post(AUTHENTICATE, {"code": code_of(seed)})
    assert is_in(client)


def test_an_invitation_is_good_until_its_key_is_dropped(
    engineer: User, rotate: Callable[[], None], drop: Callable[[], None]
) -> None:
    page = f"/accounts/invitation/{invite(engineer.email, actor=SYSTEM)}/"
    rotate()
    assert Client().get(page).status_code == 200
    drop()
    assert Client().get(page).status_code == 410


def test_an_invitation_sets_the_password_once_whatever_key_it_is_of(
    engineer: User, rotate: Callable[[], None]
) -> None:
    page = f"/accounts/invitation/{invite(engineer.email, actor=SYSTEM)}/"
    rotate()
    fields = {"password1": PASSWORD, "password2": PASSWORD}
    assert Client().post(page, fields).status_code == 302
    assert is_in(by_form(engineer)[0])
    assert Client().post(page, fields).status_code == 410


def test_a_mailed_link_and_a_digest_s_button_are_good_until_their_key_is_dropped(
    engineer: User, rotate: Callable[[], None], drop: Callable[[], None]
) -> None:
    token = default_token_generator.make_token(engineer)
    link = re.search(r"/accounts/password/reset/key/\S+", str(compose_password_link(engineer).body))
    said = stop_path(engineer, MailTopic.DIGEST).split("/")[-2]
    assert link is not None
    rotate()
    assert default_token_generator.check_token(engineer, token)
    assert 'name="password1"' in Client().get(link[0], follow=True).content.decode()
    assert stopped_by(said) == (engineer, MailTopic.DIGEST)
    drop()
    assert not default_token_generator.check_token(engineer, token)
    assert stopped_by(said) is None


def test_a_form_that_was_opened_before_can_be_sent(
    engineer: User, rotate: Callable[[], None]
) -> None:
    client = Client(enforce_csrf_checks=True)
    page = client.get(LOGIN).content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token is not None
    rotate()
    fields = {"login": engineer.email, "password": "wrong", "csrfmiddlewaretoken": token[1]}
    assert client.post(LOGIN, fields).status_code == 200
