"""Handing over, as people meet it: who is asked, what they read, and what becomes of the key."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import Grant, Handover, State, Token, User
from tests.conftest import Catalog
from tests.reading import words
from tests.views.conftest import Post

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]


@pytest.fixture
def token(make_token: Callable[..., Token], engineer: User) -> Token:
    return make_token(
        engineer,
        name="ci",
        state=State.ACTIVE,
        recipient=engineer,
        expires_at=timezone.now() + timedelta(days=30),
    )


@pytest.fixture
def page(token: Token) -> str:
    return f"/tokens/{token.pk}/"


def text(client: Client, page: str) -> str:
    return words(client.get(page).content.decode())


def test_renewing_is_what_the_form_offers_first(
    token: Token, page: str, engineer: User, teammate: User, sign_in: SignIn
) -> None:
    form = text(sign_in(engineer), page).partition("/hand-over/")[2]
    first, second = form.index('value="renew"'), form.index('value="keep"')
    assert first < second
    assert 'value="renew" id="keys-renew" checked' in form
    assert "Renew it, so that only the new owner knows the key" in form
    assert "They are asked first: until they accept it stays engineer@example.com" in form


def test_who_is_asked_accepts_on_a_page_and_collects_a_key_of_their_own(
    token: Token, page: str, engineer: User, teammate: User, sign_in: SignIn, post: Post
) -> None:
    giver, heir = sign_in(engineer), sign_in(teammate)
    post(giver, f"{page}hand-over/", person=teammate.email, keys="renew", reason="new work")
    waits = text(giver, page)
    assert "Offered to teammate@example.com" in waits
    assert "Take the offer back" in waits
    assert "Hand over…" not in waits
    note = "engineer@example.com asks whether you will own"
    assert note in text(heir, "/tokens/")
    assert note not in text(giver, "/tokens/")
    asked = text(heir, page)
    for said in (
        "engineer@example.com asks: will you own this token?",
        "“new work”",
        "a new key is made for your browser, which nobody else knows",
        "Accept, and renew its key",
        "Decline…",
    ):
        assert said in asked
    answer = post(heir, f"{page}hand-over/accept/")
    new = Token.objects.get(replaces=token)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/tokens/{new.pk}/")
    assert (new.owner, new.state, new.overlap_seconds) == (
        teammate,
        State.AWAITING_RECIPIENT,
        7 * 86_400,
    )
    token.refresh_from_db()
    assert (token.owner, token.recipient, token.state) == (teammate, engineer, State.ACTIVE)
    assert note not in text(heir, "/tokens/")


def test_a_key_that_is_to_stay_stays(
    token: Token, page: str, engineer: User, teammate: User, sign_in: SignIn, post: Post
) -> None:
    post(sign_in(engineer), f"{page}hand-over/", person=teammate.email, keys="keep")
    heir = sign_in(teammate)
    assert "engineer@example.com took it, and may still have it" in text(heir, page)
    assert post(heir, f"{page}hand-over/accept/").headers["Location"] == page
    assert "ci is yours now." in text(heir, page)
    assert not Token.objects.filter(replaces=token).exists()


def test_a_new_key_of_an_admin_account_wants_a_step_up_and_nothing_happens_before(
    token: Token,
    page: str,
    catalog: Catalog,
    engineer: User,
    teammate: User,
    sign_in: SignIn,
    post: Post,
) -> None:
    catalog.deployer.grafana_role = "ADMIN"
    catalog.deployer.save()
    post(sign_in(engineer), f"{page}hand-over/", person=teammate.email, keys="renew")
    heir = sign_in(teammate)
    session = heir.session
    for record in session.get("account_authentication_methods", []):
        record["at"] = time.time() - 3600
    session.save()
    answer = post(heir, f"{page}hand-over/accept/")
    assert answer.headers["Location"].startswith("/accounts/reauthenticate/")
    assert Handover.objects.get().answered_at is None


def test_who_can_get_no_new_key_owns_the_token_and_reads_why(
    token: Token, page: str, engineer: User, teammate: User, sign_in: SignIn, post: Post
) -> None:
    Token.objects.update(seconds_to_live=3600, reason="")
    post(sign_in(engineer), f"{page}hand-over/", person=teammate.email, keys="renew")
    Grant.objects.update(reason_required=True)
    heir = sign_in(teammate)
    assert post(heir, f"{page}hand-over/accept/").headers["Location"] == page
    assert "ci has a new owner, and keeps its key: Say what the token is for" in text(heir, page)


def test_who_declines_says_why_and_the_offer_is_gone(
    token: Token, page: str, engineer: User, teammate: User, sign_in: SignIn, post: Post
) -> None:
    giver, heir = sign_in(engineer), sign_in(teammate)
    post(giver, f"{page}hand-over/", person=teammate.email, keys="keep")
    too_long = post(heir, f"{page}hand-over/decline/", reason="x" * 501)
    assert too_long.status_code == 422
    assert "x" * 501 in too_long.content.decode()
    post(heir, f"{page}hand-over/decline/", reason="not mine")
    assert "will you own this token?" not in text(heir, page)
    assert "Hand over…" in text(giver, page)
    assert post(heir, f"{page}hand-over/accept/").status_code == 409


def test_what_stands_against_accepting_stands_on_the_page(
    token: Token, page: str, engineer: User, teammate: User, sign_in: SignIn, post: Post
) -> None:
    post(sign_in(engineer), f"{page}hand-over/", person=teammate.email, keys="keep")
    Grant.objects.update(max_live_per_person=0)
    answer = post(sign_in(teammate), f"{page}hand-over/accept/")
    assert answer.status_code == 422
    assert "as many live tokens under this grant as it allows" in answer.content.decode()


def test_a_lead_reads_that_nobody_is_asked_for_what_somebody_left(
    token: Token,
    page: str,
    engineer: User,
    teammate: User,
    lead: User,
    sign_in: SignIn,
    post: Post,
) -> None:
    engineer.memberships.all().delete()
    client = sign_in(lead)
    assert "engineer@example.com has left, so the new owner is not asked" in text(client, page)
    leaving = text(client, "/team/platform/hand-over/?person=engineer@example.com")
    assert "engineer@example.com has left, so the new owner is not asked" in leaving
    post(client, f"{page}hand-over/", person=teammate.email, keys="renew")
    token.refresh_from_db()
    assert token.owner == teammate
    assert Token.objects.get(replaces=token).owner == teammate


def test_whoever_sends_person_and_reason_alone_asks_nobody(
    token: Token, page: str, sign_in: SignIn, engineer: User, teammate: User
) -> None:
    """A program, and a page that the version before has drawn."""
    form = {"person": teammate.email, "reason": "moves to other work"}
    answer = sign_in(engineer).post(f"{page}hand-over/", form)
    assert answer.status_code == 302
    token.refresh_from_db()
    assert token.owner == teammate
    assert not token.handovers.exists()
