"""A token that waited for people is made when its recipient comes, and policy is asked again."""

import base64
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from portal import audit, life
from portal.flows.collect import NotNowError, collect
from portal.flows.deliver import Confirmation, deliver
from portal.flows.issue import issue
from portal.life import WrongStateError
from portal.models import Action, Approval, AuditEvent, Grant, State, Token, User
from portal.models.queries import TokenManager
from portal.scheduler import run_all as sweep
from tests.conftest import acting, asked_for
from tests.person import KeyPair

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_waiting", "catalog")]


@pytest.fixture
def approved(make_token: Callable[..., Token], engineer: User, lead: User) -> Token:
    Grant.objects.update(approval=Approval.ALWAYS)
    token = make_token(
        engineer,
        state=State.AWAITING_RECIPIENT,
        public_key=b"",
        public_key_sha256="",
        approved_by=lead.email,
        approved_at=timezone.now(),
        # It waited for people for days: the hour of trying has not begun.
        created_at=timezone.now() - timedelta(days=5),
        queued_at=timezone.now() - timedelta(days=5),
    )
    asked_for(token)
    with transaction.atomic():
        audit.record(Action.TOKEN_APPROVED, actor=acting(lead), token=token)
    return token


@pytest.fixture
def der(keys: KeyPair) -> bytes:
    return base64.b64decode(keys.public)


def state_of(token: Token) -> str:
    token.refresh_from_db()
    return token.state


def test_a_collected_token_is_made_for_the_collecting_browser_and_its_clock_starts_then(
    approved: Token, engineer: User, keys: KeyPair, der: bytes
) -> None:
    assert collect(approved.pk, der, actor=acting(engineer)).state == State.QUEUED
    assert sweep().changed == [], "five days of waiting for people are no hour in the queue"
    issue(approved.pk)
    assert state_of(approved) == State.SEALED
    key = keys.open(base64.b64encode(bytes(approved.sealed_key or b"")).decode(), str(approved.pk))
    assert key.startswith("glsa_")
    assert approved.issued_at is not None
    assert timezone.now() - approved.issued_at < timedelta(seconds=30)
    events = AuditEvent.objects.filter(token_id=approved.pk).order_by("seq")
    assert [event.action for event in events][2:] == [Action.TOKEN_COLLECTED, Action.TOKEN_ISSUED]


def test_the_same_key_pair_once_more_is_the_same_collection(
    approved: Token, engineer: User, der: bytes
) -> None:
    for _ in range(2):
        assert collect(approved.pk, der, actor=acting(engineer)).state == State.QUEUED
    issue(approved.pk)
    assert collect(approved.pk, der, actor=acting(engineer)).state == State.SEALED
    assert AuditEvent.objects.filter(action=Action.TOKEN_COLLECTED).count() == 1


def test_a_message_that_came_before_the_recipient_did_issues_nothing_of_what_it_read(
    approved: Token, engineer: User, der: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker has read a row without a public key, and stands still until it has one."""
    claim = life.claim

    def claim_what_was_collected_meanwhile(token_id: uuid.UUID, attempt: int) -> bool:
        collect(approved.pk, der, actor=acting(engineer))
        return claim(token_id, attempt)

    with monkeypatch.context() as patch:
        patch.setattr(life, "claim", claim_what_was_collected_meanwhile)
        issue(approved.pk)
    collect(approved.pk, der, actor=acting(engineer))
    issue(approved.pk)
    assert state_of(approved) == State.SEALED


def test_an_approval_that_comes_while_the_recipient_collects_counts(
    approved: Token, engineer: User, der: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipient's click was read before the lead's answer, and waited for its lock."""
    Token.objects.update(state=State.AWAITING_APPROVAL, approved_by="", approved_at=None)
    lock = TokenManager.lock

    def lock_after_the_approval(rows: TokenManager, token_id: uuid.UUID) -> Token:
        answered = {"approved_by": "lead@example.com", "approved_at": timezone.now()}
        Token.objects.update(state=State.AWAITING_RECIPIENT, seconds_to_live=600, **answered)
        return lock(rows, token_id)

    monkeypatch.setattr(TokenManager, "lock", lock_after_the_approval)
    assert collect(approved.pk, der, actor=acting(engineer)).state == State.QUEUED
    assert state_of(approved) == State.QUEUED
    assert approved.seconds_to_live == 600


def test_another_browser_comes_too_late(approved: Token, engineer: User, der: bytes) -> None:
    collect(approved.pk, der, actor=acting(engineer))
    with pytest.raises(WrongStateError):
        collect(approved.pk, base64.b64decode(KeyPair().public), actor=acting(engineer))


@pytest.mark.parametrize("who", ["lead", "teammate", "admin"])
def test_nobody_but_the_recipient_collects(
    approved: Token, der: bytes, request: pytest.FixtureRequest, who: str
) -> None:
    with pytest.raises(PermissionDenied):
        collect(approved.pk, der, actor=acting(request.getfixturevalue(who)))
    assert state_of(approved) == State.AWAITING_RECIPIENT


@pytest.mark.parametrize(("longest", "seconds"), [(600, 600), (86_400, 3600)])
def test_the_lifetime_is_the_lesser_of_what_was_approved_and_what_is_allowed_today(
    approved: Token, engineer: User, der: bytes, longest: int, seconds: int
) -> None:
    Grant.objects.update(max_ttl=longest, default_ttl=60)
    collect(approved.pk, der, actor=acting(engineer))
    assert state_of(approved) == State.QUEUED
    assert approved.seconds_to_live == seconds


def test_a_grant_that_is_gone_cancels_it(approved: Token, engineer: User, der: bytes) -> None:
    Grant.objects.all().delete()
    assert collect(approved.pk, der, actor=acting(engineer)).state == State.CANCELLED
    assert (state_of(approved), approved.ended_by) == (State.CANCELLED, "portal")
    assert (
        AuditEvent.objects.filter(token_id=approved.pk).latest("seq").action
        == Action.TOKEN_CANCELLED
    )


def test_approval_that_is_newly_needed_is_asked_for(
    approved: Token, engineer: User, lead: User, der: bytes
) -> None:
    Token.objects.update(approved_by="", approved_at=None)
    assert collect(approved.pk, der, actor=acting(engineer)).state == State.AWAITING_APPROVAL
    assert state_of(approved) == State.AWAITING_APPROVAL
    assert [one.recipient for one in approved.notices.filter(kind="approval_asked")] == [lead]


def test_what_cannot_be_made_at_the_moment_stays_to_be_collected(
    approved: Token, engineer: User, der: bytes
) -> None:
    approved.service_account.is_disabled = True
    approved.service_account.save()
    with pytest.raises(NotNowError, match="disabled"):
        collect(approved.pk, der, actor=acting(engineer))
    assert state_of(approved) == State.AWAITING_RECIPIENT


def test_there_is_no_key_to_confirm_while_people_are_waited_for(
    approved: Token, engineer: User
) -> None:
    confirmed = deliver(approved.pk, "0" * 64, actor=acting(engineer))
    assert confirmed.confirmation == Confirmation.NOT_SEALED_YET
