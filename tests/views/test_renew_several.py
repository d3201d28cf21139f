"""Several of one's own tokens are renewed: each by a request, each key on a page, of its own."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from portal.models import Action, AuditEvent, Grant, State, Team, Token, User

pytestmark = pytest.mark.django_db

SignIn = Callable[[User], Client]
PAGE = "/tokens/renew/"
ROW = re.compile(r'name="token" value="([0-9a-f-]{36})"')


@pytest.fixture
def tokens(make_token: Callable[..., Token], engineer: User) -> list[Token]:
    """Three that live; what ends first is the last."""
    now = timezone.now()
    return [
        make_token(
            engineer,
            name=f"ci-{number}",
            reason=f"job {number}",
            state=State.ACTIVE,
            delivered_at=now,
            expires_at=now + timedelta(days=9 - number),
        )
        for number in range(3)
    ]


def ids(tokens: list[Token]) -> list[str]:
    return [str(one.pk) for one in tokens]


def test_the_list_has_what_can_be_renewed_by_its_end(
    tokens: list[Token],
    engineer: User,
    lead: User,
    make_token: Callable[..., Token],
    sign_in: SignIn,
) -> None:
    make_token(lead, name="not-mine", state=State.ACTIVE)
    make_token(engineer, name="over", state=State.REVOKED)
    make_token(engineer, name="ends-anyway", state=State.ACTIVE, revoke_at=timezone.now())
    make_token(engineer, name="next", state=State.AWAITING_RECIPIENT, replaces=tokens[1])
    html = sign_in(engineer).get(PAGE).content.decode()
    assert ROW.findall(html) == ids([tokens[2], tokens[0]])


def test_nothing_changes_before_the_last_press(
    tokens: list[Token], engineer: User, sign_in: SignIn
) -> None:
    chosen = {"token": ids(tokens[:2]), "preview": "1"}
    html = sign_in(engineer).post(PAGE, chosen).content.decode()
    assert sorted(ROW.findall(html)) == sorted(chosen["token"])
    assert "Renew 2 tokens?" in html
    assert "job 0" in html
    assert "job 2" not in html
    assert Token.objects.count() == 3


def test_each_of_the_chosen_gets_a_request_of_its_own_and_no_page_has_a_key(
    tokens: list[Token], engineer: User, sign_in: SignIn
) -> None:
    client = sign_in(engineer)
    answer = client.post(PAGE, {"token": ids(tokens[:2]), "reason": "a new year"}, follow=True)
    assert answer.redirect_chain == [("/tokens/", 302)]
    new = list(Token.objects.filter(replaces__isnull=False).order_by("name"))
    assert [(one.name, one.state, one.owner, one.reason) for one in new] == [
        ("ci-0-2", State.AWAITING_RECIPIENT, engineer, "job 0"),
        ("ci-1-2", State.AWAITING_RECIPIENT, engineer, "job 1"),
    ]
    told = AuditEvent.objects.filter(action=Action.TOKEN_REISSUED, reason="a new year")
    assert told.count() == 2
    assert {one.state for one in tokens} == {State.ACTIVE}
    html = answer.content.decode()
    assert "2 new tokens can be made. Each key is made on its own page" in html
    assert 'data-testid="token-key"' not in html
    again = client.post(PAGE, {"token": ids(tokens[:2])})
    assert (again.status_code, Token.objects.count()) == (422, 5)


@pytest.mark.usefixtures("tokens")
def test_without_a_choice_the_list_stays_and_says_so(engineer: User, sign_in: SignIn) -> None:
    answer = sign_in(engineer).post(PAGE, {"preview": "1"})
    assert answer.status_code == 422
    assert "Choose at least one token." in answer.content.decode()


def test_others_tokens_are_not_renewed_by_their_ids(
    tokens: list[Token], lead: User, sign_in: SignIn
) -> None:
    assert sign_in(lead).post(PAGE, {"token": ids(tokens)}).status_code == 422
    assert Token.objects.count() == 3


def test_what_stands_against_one_does_not_stop_the_others(
    tokens: list[Token], engineer: User, platform: Team, sign_in: SignIn
) -> None:
    Grant.objects.filter(team=platform).update(reason_required=True)
    Token.objects.filter(pk=tokens[0].pk).update(reason="")
    answer = sign_in(engineer).post(PAGE, {"token": ids(tokens[:2])})
    told = [str(one) for one in get_messages(answer.wsgi_request)]
    assert told[0].startswith("1 new token can be made.")
    assert told[1].startswith("Not renewed: ci-0: Say what the token is for")
    assert Token.objects.filter(replaces=tokens[1]).exists()


def test_what_needs_approval_is_asked_for_and_said_before(
    tokens: list[Token], engineer: User, platform: Team, sign_in: SignIn
) -> None:
    Grant.objects.filter(team=platform).update(approval="always")
    client = sign_in(engineer)
    look = client.post(PAGE, {"token": ids(tokens[:1]), "preview": "1"}).content.decode()
    assert "needs approval first" in look
    html = client.post(PAGE, {"token": ids(tokens[:1])}, follow=True).content.decode()
    assert "1 waits for approval first." in html
    assert Token.objects.get(replaces=tokens[0]).state == State.AWAITING_APPROVAL


def test_who_has_to_sign_in_first_comes_back_to_the_same_ticks(
    tokens: list[Token], engineer: User, sign_in: SignIn
) -> None:
    client = sign_in(engineer)
    look = client.post(PAGE, {"token": ids(tokens[:1]), "preview": "1"}).content.decode()
    [address] = re.findall(rf'action="({PAGE}[^"]+)"', look)
    ticked = re.findall(r'value="([0-9a-f-]{36})" checked', client.get(address).content.decode())
    assert ticked == ids(tokens[:1])


def test_my_tokens_lead_there_where_there_are_several(
    tokens: list[Token], engineer: User, lead: User, sign_in: SignIn
) -> None:
    assert f'href="{PAGE}"' in sign_in(engineer).get("/tokens/").content.decode()
    assert f'href="{PAGE}"' not in sign_in(lead).get("/tokens/").content.decode()
