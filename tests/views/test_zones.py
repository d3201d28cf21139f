"""The zone of a form's browser is kept, for mails that come on a day and hour."""

from collections.abc import Callable

import pytest
from django.test import Client

from portal.models import State, Token, User
from tests.person import KeyPair
from tests.views.conftest import Post

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("Asia/Tokyo", "Asia/Tokyo"), ("", ""), ("Middle/Earth", ""), ("../etc/passwd", "")],
)
def test_an_approval_tells_where_the_lead_is(
    sent: str,
    kept: str,
    lead: User,
    engineer: User,
    make_token: Callable[..., Token],
    sign_in: Callable[[User], Client],
    post: Post,
) -> None:
    token = make_token(engineer, state=State.AWAITING_APPROVAL)
    answer = post(sign_in(lead), f"/tokens/{token.pk}/approve/", time_zone=sent)
    assert answer.status_code == 302
    lead.refresh_from_db()
    assert lead.time_zone == kept


def test_so_does_a_request(
    engineer: User, sign_in: Callable[[User], Client], post: Post, keys: KeyPair, catalog: object
) -> None:
    fields = {"workspace": "g-00000000a1", "service_account": "2", "seconds_to_live": "3600"}
    sent = {"name": "new", "public_key": keys.public, "time_zone": "Europe/Berlin"}
    assert post(sign_in(engineer), "/tokens/new/", **fields, **sent).status_code == 302
    engineer.refresh_from_db()
    assert engineer.time_zone == "Europe/Berlin"
