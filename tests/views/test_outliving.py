"""Pages say of what has ended here and lives at AWS that it does, and let it be revoked."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import Drift, ListedToken, State, Token, User
from tests.reading import words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("enqueued")]
SignIn = Callable[[User], Client]


@pytest.fixture
def ended(make_token: Callable[..., Token], engineer: User) -> Token:
    now = timezone.now()
    return make_token(
        engineer,
        name="ci-outliving",
        state=State.EXPIRED,
        state_at=now - timedelta(minutes=5),
        aws_token_id="7",
        may_exist_at_aws=True,
        fingerprint="ab" * 32,
        expires_at=now - timedelta(minutes=1),
        delivered_at=now - timedelta(hours=1),
    )


@pytest.fixture
def listed(ended: Token) -> Token:
    """AMG lists it with an hour left."""
    ListedToken.objects.create(
        service_account=ended.service_account,
        aws_id="7",
        name=ended.name,
        expires_at=timezone.now() + timedelta(hours=1),
        drift=Drift.ENDED,
        found_at=timezone.now(),
    )
    return ended


def text(answer: Any) -> str:
    return words(answer.content.decode())


def test_what_is_over_at_aws_too_can_not_be_revoked(
    sign_in: SignIn, ended: Token, lead: User
) -> None:
    page = sign_in(lead).get(f"/tokens/{ended.pk}/")
    assert "Revoke this token" not in text(page)
    assert sign_in(lead).post(f"/tokens/{ended.pk}/revoke/").status_code == 409


@pytest.mark.parametrize("who", ["engineer", "lead", "admin"])
def test_its_page_says_that_it_lives_and_revokes_it(
    request: pytest.FixtureRequest, sign_in: SignIn, listed: Token, who: str
) -> None:
    client = sign_in(request.getfixturevalue(who))
    answer = client.get(f"/tokens/{listed.pk}/")
    page = text(answer)
    assert "AWS still lists it as alive: its key may still work" in page
    assert "Revoke this token" in page
    assert not answer.context["may_reissue"]
    answer = client.post(f"/tokens/{listed.pk}/revoke/", {"reason": "leaked"})
    assert answer.status_code == 302
    listed.refresh_from_db()
    assert (listed.state, listed.end_reason) == (State.REVOKING, "leaked")


def test_the_desk_names_it(sign_in: SignIn, listed: Token, lead: User) -> None:
    page = text(sign_in(lead).get("/team/platform/"))
    assert "Ended here, alive at AWS" in page
    ListedToken.objects.all().delete()
    assert "Ended here, alive at AWS" not in text(sign_in(lead).get("/team/platform/"))


def test_it_ends_with_all_others_of_its_person(sign_in: SignIn, listed: Token, lead: User) -> None:
    form = {"person": listed.owner.email, "reason": "left"}
    client = sign_in(lead)
    assert "ci-outliving" in text(client.post("/team/platform/revoke/", form | {"preview": "1"}))
    assert client.post("/team/platform/revoke/", form).status_code == 302
    listed.refresh_from_db()
    assert listed.state == State.REVOKING


def test_who_finds_its_key_may_revoke_it(sign_in: SignIn, listed: Token, lead: User) -> None:
    answer = sign_in(lead).post("/audit/find/", {"fingerprint": listed.fingerprint})
    assert "The key no longer works" not in text(answer)
    assert f"/tokens/{listed.pk}/revoke/" in text(answer)


def test_the_inventory_shows_it_to_auditors(sign_in: SignIn, listed: Token, auditor: User) -> None:
    page = text(sign_in(auditor).get("/inventory/"))
    assert "ended here, alive at AMG" in page
    assert "AMG lists it with time left: its key may still work" in page
