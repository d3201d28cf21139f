"""Approve, deny, collect and reissue over HTTP: what is kept, told and enqueued."""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from portal.models import AuditEvent, Grant, State, Token, User
from portal.models.catalog import Approval
from tests.person import KeyPair
from tests.reading import words
from tests.views.conftest import Post

SECONDS = 7200


@pytest.fixture
def asked(make_token: Callable[..., Token], engineer: User, lead: User) -> Token:
    """A request that waits for the lead."""
    Grant.objects.update(approval=Approval.ALWAYS)
    return make_token(
        engineer, name="ci", state=State.AWAITING_APPROVAL, seconds_to_live=SECONDS, public_key=b""
    )


@pytest.fixture
def active(make_token: Callable[..., Token], engineer: User, lead: User) -> Token:
    return make_token(
        engineer,
        name="ci",
        state=State.ACTIVE,
        aws_token_id="17",
        may_exist_at_aws=True,
        seconds_to_live=SECONDS,
        expires_at=timezone.now() + timedelta(hours=2),
        delivered_at=timezone.now(),
    )


@pytest.fixture
def owner(engineer: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(engineer)


@pytest.fixture
def leader(lead: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(lead)


def url(token: Token, action: str) -> str:
    return f"/tokens/{token.pk}/{action}/"


def state_of(token: Token) -> str:
    token.refresh_from_db()
    return token.state


# -- Asking and answering -----------------------------------------------------------------------


def test_a_request_that_waits_for_people_rings_no_worker(
    active: Token,
    owner: Client,
    post: Post,
    keys: KeyPair,
    enqueued: list[tuple[str, str]],
) -> None:
    Grant.objects.update(approval=Approval.ALWAYS)
    answer = post(
        owner,
        "/tokens/new/",
        workspace=active.workspace.aws_id,
        service_account=active.service_account.aws_id,
        name="another",
        seconds_to_live="3600",
        public_key=keys.public,
    )
    assert answer.status_code == 302
    assert state_of(Token.objects.get(name="another")) == State.AWAITING_APPROVAL
    assert enqueued == []


def test_the_approver_sees_who_what_how_long_and_why(asked: Token, leader: Client) -> None:
    asked.change(reason="deploys <nightly>")
    html = leader.get(f"/tokens/{asked.pk}/").content.decode()
    assert "engineer@example.com asks: do you agree?" in html
    assert "deploys &lt;nightly&gt;" in html
    assert "2 hours from when it is collected" in html
    assert f'action="{url(asked, "approve")}"' in html


def test_who_may_not_answer_is_offered_no_answer(
    asked: Token, owner: Client, teammate: User, sign_in: Callable[[User], Client]
) -> None:
    for client in (owner, sign_in(teammate)):
        assert "do you agree?" not in client.get(f"/tokens/{asked.pk}/").content.decode()


@pytest.mark.parametrize("seconds", ["0", "7201", "1e3", "-5", "soon"])
def test_a_lifetime_that_is_no_shortening_is_refused_and_what_was_typed_is_kept(
    asked: Token, leader: Client, post: Post, seconds: str
) -> None:
    answer = post(leader, url(asked, "approve"), seconds_to_live=seconds, reason="as agreed")
    html = answer.content.decode()
    assert answer.status_code == 422
    assert f'value="{escape(seconds)}"' in html
    assert 'value="as agreed"' in html
    assert (state_of(asked), AuditEvent.objects.count()) == (State.AWAITING_APPROVAL, 0)


def test_a_denial_without_a_reason_is_refused(asked: Token, leader: Client, post: Post) -> None:
    answer = post(leader, url(asked, "deny"), reason="  ")
    assert (answer.status_code, state_of(asked)) == (422, State.AWAITING_APPROVAL)
    assert "Say why" in answer.content.decode()


@pytest.mark.parametrize("action", ["approve", "deny"])
def test_a_key_in_a_reason_is_refused(
    asked: Token, leader: Client, post: Post, action: str
) -> None:
    answer = post(leader, url(asked, action), reason=f"glsa_{'k' * 32}_00000000")
    assert (answer.status_code, state_of(asked)) == (422, State.AWAITING_APPROVAL)


def test_who_answers_too_late_is_told_who_did_and_when(
    asked: Token, leader: Client, post: Post
) -> None:
    post(leader, url(asked, "deny"), reason="use the viewer account")
    answer = post(leader, url(asked, "approve"))
    html = answer.content.decode()
    asked.refresh_from_db()
    assert answer.status_code == 409
    assert "denied by lead@example.com: use the viewer account" in html
    assert asked.state_at.strftime("%Y-%m-%d %H:%M") in html


@pytest.mark.parametrize("action", ["approve", "deny"])
def test_who_answers_after_an_approval_is_told_who_approved_and_when(
    asked: Token, leader: Client, post: Post, action: str
) -> None:
    post(leader, url(asked, "approve"))
    answer = post(leader, url(asked, action), reason="no")
    html = answer.content.decode()
    asked.refresh_from_db()
    assert answer.status_code == 409
    assert "lead@example.com approved it" in html
    assert asked.approved_at is not None
    assert asked.approved_at.strftime("%Y-%m-%d %H:%M") in html


# -- Collecting ---------------------------------------------------------------------------------


@pytest.fixture
def approved(asked: Token, leader: Client, post: Post) -> Token:
    assert post(leader, url(asked, "approve")).status_code == 302
    asked.refresh_from_db()
    return asked


def test_a_collected_token_is_sent_to_a_worker(
    approved: Token,
    owner: Client,
    post: Post,
    keys: KeyPair,
    enqueued: list[tuple[str, str]],
) -> None:
    answer = post(owner, url(approved, "collect"), public_key=keys.public)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/tokens/{approved.pk}/")
    assert (state_of(approved), enqueued) == (State.QUEUED, [("portal.issue", str(approved.pk))])
    assert bytes(approved.public_key) == base64.b64decode(keys.public)


@pytest.mark.parametrize("public_key", ["", "AAAA", "no key"])
def test_without_a_public_key_nothing_is_made(
    approved: Token, owner: Client, post: Post, public_key: str
) -> None:
    answer = post(owner, url(approved, "collect"), public_key=public_key)
    assert (answer.status_code, state_of(approved)) == (422, State.AWAITING_RECIPIENT)


def test_what_cannot_be_made_now_says_why_and_stays(
    approved: Token, owner: Client, post: Post, keys: KeyPair
) -> None:
    approved.service_account.is_disabled = True
    approved.service_account.save()
    answer = post(owner, url(approved, "collect"), public_key=keys.public)
    assert (answer.status_code, state_of(approved)) == (409, State.AWAITING_RECIPIENT)
    assert "disabled in Grafana" in answer.content.decode()
    assert "Make my key now" in answer.content.decode()


@pytest.mark.parametrize("state", [State.AWAITING_APPROVAL, State.AWAITING_RECIPIENT])
def test_while_people_are_waited_for_the_key_is_under_way(
    approved: Token, owner: Client, post: Post, state: State
) -> None:
    approved.change(state=state)
    sealed = owner.get(url(approved, "sealed"))
    assert (sealed.status_code, sealed.json()["state"]) == (202, state)
    assert post(owner, url(approved, "delivered"), fingerprint="0" * 64).status_code == 409


def test_only_its_recipient_is_offered_the_key(
    approved: Token, owner: Client, leader: Client
) -> None:
    pages = [one.get(f"/tokens/{approved.pk}/").content.decode() for one in (owner, leader)]
    assert ["Make my key now" in html for html in pages] == [True, False]


# -- Reissuing ----------------------------------------------------------------------------------


def fields(**changed: str) -> dict[str, str]:
    plan = {"mode": "overlap", "overlap_seconds": "3600", "recipient": "owner", "reason": "why"}
    return plan | changed


def test_the_form_shows_what_will_happen_before_it_does(active: Token, leader: Client) -> None:
    html = leader.get(url(active, "reissue")).content.decode()
    assert '<strong class="name">ci-2</strong> takes the place of' in html
    assert "no overlap goes beyond that" in html
    assert 'value="2h"' in html
    assert Token.objects.count() == 1


def test_the_lifetime_starts_at_the_old_one_capped_by_policy(active: Token, owner: Client) -> None:
    Grant.objects.update(max_ttl=600, default_ttl=60)
    html = owner.get(url(active, "reissue")).content.decode()
    assert 'name="seconds_to_live" id="id_seconds_to_live" value="10m"' in words(html)


def test_a_link_prefills_the_form(active: Token, owner: Client) -> None:
    html = owner.get(url(active, "reissue"), {"mode": "replace", "reason": "lost"}).content.decode()
    assert 'value="replace" id="mode-replace" checked' in html
    assert 'value="lost"' in html


def test_a_reissue_for_the_owner_leads_to_the_new_token_and_rings_nobody(
    active: Token, leader: Client, post: Post, keys: KeyPair, enqueued: list[tuple[str, str]]
) -> None:
    answer = post(leader, url(active, "reissue"), **fields(public_key=keys.public))
    new = Token.objects.get(replaces=active)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/tokens/{new.pk}/")
    assert (new.state, new.seconds_to_live) == (State.AWAITING_RECIPIENT, SECONDS)
    assert bytes(new.public_key) == b""
    assert enqueued == []


def test_a_replacement_at_once_sends_both_to_workers(
    active: Token, owner: Client, post: Post, keys: KeyPair, enqueued: list[tuple[str, str]]
) -> None:
    for _ in range(2):
        answer = post(
            owner,
            url(active, "reissue"),
            **fields(mode="replace", recipient="me", public_key=keys.public),
        )
        assert answer.status_code == 302
    [new] = Token.objects.filter(replaces=active)
    assert sorted(enqueued) == [("portal.issue", str(new.pk)), ("portal.revoke", str(active.pk))]
    assert state_of(active) == State.REVOKING


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "no mode": ({"mode": ""}, "Say what happened to the old key"),
    "an odd mode": ({"mode": "later"}, "Select a valid choice"),
    "no overlap": ({"overlap_seconds": ""}, "Choose how long the old token works on"),
    "an overlap of a moment": ({"overlap_seconds": "59"}, "An overlap is 1 minute to 7 days"),
    "an endless overlap": ({"overlap_seconds": "2592001"}, "An overlap is 1 minute to 7 days"),
    "nobody": ({"recipient": ""}, "Choose who gets the new key"),
    "no key pair": ({"recipient": "me"}, "Your browser sent no public key"),
    "too long": ({"seconds_to_live": "2592001"}, "A lifetime is 1 second to"),
    "beyond policy": ({"seconds_to_live": "86401"}, "at most 1 day"),
    "a key as a reason": ({"reason": f"glsa_{'k' * 32}_00000000"}, "looks like a key"),
}


@pytest.mark.parametrize(("changed", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_plan_is_refused_beside_its_field_and_changes_nothing(
    active: Token, leader: Client, post: Post, changed: dict[str, str], words: str
) -> None:
    Grant.objects.update(max_ttl=86_400, default_ttl=60)
    answer = post(leader, url(active, "reissue"), **fields(**changed))
    html = answer.content.decode()
    assert (answer.status_code, Token.objects.count()) == (422, 1)
    assert escape(words) in html
    assert state_of(active) == State.ACTIVE
    if "reason" not in changed:
        assert 'value="why"' in html


def test_both_tokens_link_to_each_other(
    active: Token, leader: Client, owner: Client, post: Post
) -> None:
    post(leader, url(active, "reissue"), **fields())
    new = Token.objects.get(replaces=active)
    old_page = owner.get(f"/tokens/{active.pk}/").content.decode()
    new_page = owner.get(f"/tokens/{new.pk}/").content.decode()
    assert f'<a href="/tokens/{new.pk}/">ci-2</a>' in old_page
    assert f'<a href="/tokens/{active.pk}/">ci</a>' in new_page
    assert "Asked for by" in new_page
    assert ">Renew<" not in old_page, "it is being replaced already"


@pytest.mark.parametrize("method", ["get", "post"])
def test_who_reissues_too_late_is_told_who_did_and_what_takes_its_place(
    active: Token, leader: Client, owner: Client, post: Post, keys: KeyPair, method: str
) -> None:
    post(leader, url(active, "reissue"), **fields())
    new = Token.objects.get(replaces=active)
    plan = fields(recipient="me", public_key=keys.public)
    answer: Any = (
        owner.get(url(active, "reissue"))
        if method == "get"
        else post(owner, url(active, "reissue"), **plan)
    )
    html = answer.content.decode()
    assert answer.status_code == 409
    assert "lead@example.com has asked for" in html
    assert f'href="/tokens/{new.pk}/"' in html
    assert new.created_at.strftime("%Y-%m-%d %H:%M") in html


def test_a_revoked_token_is_not_reissued_and_says_who_revoked_it(
    active: Token, leader: Client, owner: Client, post: Post, keys: KeyPair
) -> None:
    post(leader, url(active, "revoke"), reason="it leaked")
    answer = post(owner, url(active, "reissue"), **fields(recipient="me", public_key=keys.public))
    assert answer.status_code == 409
    assert state_of(active) == State.REVOKING
    assert Token.objects.count() == 1


def test_what_one_is_to_collect_names_what_it_replaces(
    active: Token, leader: Client, owner: Client, post: Post
) -> None:
    post(leader, url(active, "reissue"), **fields())
    new = Token.objects.get(replaces=active)
    html = owner.get(f"/tokens/{new.pk}/").content.decode()
    assert "which works on until 1 hour after you have taken the new key" in words(html)
