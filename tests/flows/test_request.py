"""A request is written once, however often its form is sent."""

import base64
from typing import Any

import pytest

from portal.flows import request as flow
from portal.flows.request import RequestRefusedError, Wish
from portal.models import Action, AuditEvent, Team, Token, User
from tests.conftest import Catalog, acting
from tests.person import KeyPair

pytestmark = pytest.mark.django_db


@pytest.fixture
def wish(catalog: Catalog, platform: Team, keys: KeyPair) -> Wish:
    return Wish(platform, catalog.deployer, "ci", 3600, "", base64.b64decode(keys.public))


def test_a_click_that_came_between_looking_and_writing_is_the_same_request(
    wish: Wish, engineer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = flow._check
    first: list[tuple[Token, bool]] = []

    def check_while_the_other_click_arrives(*arguments: Any) -> None:
        monkeypatch.setattr(flow, "_check", check)
        first.append(flow.request(wish, actor=acting(engineer)))
        check(*arguments)

    monkeypatch.setattr(flow, "_check", check_while_the_other_click_arrives)
    second = flow.request(wish, actor=acting(engineer))
    [(token, is_new)] = first
    assert is_new
    assert second == (token, False)
    assert AuditEvent.objects.filter(action=Action.TOKEN_REQUESTED).count() == 1


def test_a_name_that_somebody_else_has_is_refused_beside_its_field(
    wish: Wish, engineer: User, teammate: User
) -> None:
    flow.request(wish, actor=acting(teammate))
    with pytest.raises(RequestRefusedError) as refusal:
        flow.request(wish, actor=acting(engineer))
    assert refusal.value.field == "name"
    assert Token.objects.count() == 1
