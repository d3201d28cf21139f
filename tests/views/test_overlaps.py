"""The overlap of a rotation has a maximum: the team's policy, on the form and behind it."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from portal import lifetimes
from portal.models import Action, AuditEvent, Grant, State, Token, User
from tests.person import KeyPair
from tests.reading import words
from tests.views.conftest import Post

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("enqueued")]
DAY = 86_400


@pytest.fixture
def active(make_token: Callable[..., Token], engineer: User, lead: User) -> Token:
    return make_token(
        engineer,
        name="ci",
        state=State.ACTIVE,
        aws_token_id="17",
        may_exist_at_aws=True,
        expires_at=timezone.now() + timedelta(days=29),
        delivered_at=timezone.now(),
    )


@pytest.fixture
def leader(lead: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(lead)


@pytest.fixture
def owner(engineer: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(engineer)


def fields(overlap: int, **changed: str) -> dict[str, str]:
    plan = {"mode": "overlap", "recipient": "owner", "reason": "why", "seconds_to_live": "3600"}
    return plan | {"overlap_seconds": str(overlap)} | changed


def offered(html: str) -> list[int]:
    """Of the overlap; the time without use has choices of its own, further down."""
    above, _, _ = html.partition("data-quiet-field")
    return [lifetimes.read(one) for one in re.findall(r'data-fill="([^"]+)"', above)]


@pytest.mark.parametrize(
    ("longest", "choices", "at_first"),
    [
        (30 * DAY, [3600, DAY, 7 * DAY], DAY),
        (7 * DAY, [3600, DAY, 7 * DAY], DAY),
        (3 * DAY, [3600, DAY, 3 * DAY], DAY),
        (DAY, [3600, DAY], DAY),
        (1800, [1800], 1800),
    ],
)
def test_the_choices_that_are_offered_fit_the_policy(
    active: Token, leader: Client, longest: int, choices: list[int], at_first: int
) -> None:
    Grant.objects.update(max_overlap=longest)
    html = leader.get(f"/tokens/{active.pk}/reissue/").content.decode()
    assert offered(html) == choices
    assert f'value="{lifetimes.written(at_first)}"' in html
    assert "policy allows" in html


@pytest.mark.parametrize("who", ["owner", "leader"])
def test_a_longer_one_is_refused_beside_its_field_and_nothing_typed_is_lost(
    request: pytest.FixtureRequest, active: Token, post: Post, who: str
) -> None:
    client = request.getfixturevalue(who)
    path = f"/tokens/{active.pk}/reissue/"
    answer = post(client, path, **fields(7 * DAY + 1))
    html = answer.content.decode()
    assert (answer.status_code, Token.objects.count()) == (422, 1)
    said = "An overlap is 1 minute to 7 days: your team's policy allows no more"
    [beside] = re.findall(r'id="id_overlap_seconds_error".*?</ul>', html, re.DOTALL)
    assert escape(said) in beside
    assert f'value="{7 * DAY + 1}"' in html
    assert 'value="why"' in html


@pytest.mark.parametrize("longest", [0, 59])
def test_where_policy_allows_none_only_replacing_is_offered(
    active: Token, leader: Client, post: Post, longest: int
) -> None:
    Grant.objects.update(max_overlap=longest)
    path = f"/tokens/{active.pk}/reissue/"
    html = leader.get(path).content.decode()
    assert "policy allows no overlap" in html
    assert offered(html) == []
    assert 'value="replace" id="mode-replace" checked' in html
    assert 'id="mode-overlap" disabled' in html
    answer = post(leader, path, **fields(3600))
    assert answer.status_code == 422
    assert "allows no overlap for this account: replace the token now" in answer.content.decode()
    assert post(leader, path, **fields(3600, mode="replace")).status_code == 302


@pytest.mark.parametrize("overlap", ["86400", "99999999", "soon"])
def test_replacing_at_once_never_fails_for_what_an_overlap_was_left_at(
    active: Token, leader: Client, post: Post, overlap: str
) -> None:
    """The form was opened before the limit changed, and the key has leaked."""
    Grant.objects.update(max_overlap=600)
    changed = fields(0, mode="replace", overlap_seconds=overlap)
    assert post(leader, f"/tokens/{active.pk}/reissue/", **changed).status_code == 302


def test_a_limit_that_changes_between_form_and_reissue_counts(
    active: Token, leader: Client, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even after the form has found the answer valid: the flow asks policy itself."""
    monkeypatch.setattr("portal.policy.longest_overlap", lambda *_: 30 * DAY)
    Grant.objects.update(max_overlap=3600)
    answer = post(leader, f"/tokens/{active.pk}/reissue/", **fields(DAY))
    html = answer.content.decode()
    assert (answer.status_code, Token.objects.count()) == (422, 1)
    assert escape("An overlap is 1 minute to 1 hour: your team's policy allows no more") in html
    assert 'id="id_overlap_seconds_error"' in html


def test_an_overlap_that_waits_is_cut_to_todays_maximum_when_it_begins(
    active: Token, make_token: Callable[..., Token], engineer: User, owner: Client, post: Post
) -> None:
    """Such as one of before there was a maximum."""
    new = make_token(
        engineer,
        state=State.AWAITING_RECIPIENT,
        public_key=b"",
        replaces=active,
        overlap_seconds=30 * DAY,
    )
    page = owner.get(f"/tokens/{new.pk}/").content.decode()
    assert "works on until 7 days after" in words(page)
    assert "policy allows no more now, though 30 days was asked for" in words(page)
    new.change(state=State.SEALED, sealed_key=b"x", fingerprint="ab" * 32, public_key=b"key")
    path = f"/tokens/{new.pk}/delivered/"
    assert post(owner, path, fingerprint="ab" * 32).status_code == 200
    active.refresh_from_db()
    assert active.revoke_at is not None
    assert abs(active.revoke_at - timezone.now() - timedelta(days=7)) < timedelta(seconds=10)
    [delivered] = AuditEvent.objects.filter(action=Action.TOKEN_DELIVERED)
    assert delivered.subject == "overlap of 604800 s, the team's maximum, not 2592000"


def test_an_overlap_within_the_maximum_is_as_it_was_asked_for(
    active: Token, leader: Client, owner: Client, post: Post, keys: KeyPair
) -> None:
    assert post(leader, f"/tokens/{active.pk}/reissue/", **fields(7 * DAY)).status_code == 302
    new = Token.objects.get(replaces=active)
    page = owner.get(f"/tokens/{new.pk}/").content.decode()
    assert "works on until 7 days after" in words(page)
    assert "was asked for" not in page
    new.change(
        state=State.SEALED, sealed_key=b"x", fingerprint="ab" * 32, public_key=keys.public.encode()
    )
    post(owner, f"/tokens/{new.pk}/delivered/", fingerprint="ab" * 32)
    assert AuditEvent.objects.get(action=Action.TOKEN_DELIVERED).subject == ""
