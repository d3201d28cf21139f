"""Nobody becomes the owner of a token without being asked, unless its owner has left."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from portal import notify
from portal.flows.answer_handover import accept, decline, withdraw
from portal.flows.hand_over import HandedOver, HandOverRefusedError, hand_over
from portal.flows.mail import mail
from portal.flows.revoke import revoke
from portal.life import WrongStateError
from portal.models import (
    Action,
    AuditEvent,
    Grant,
    Handover,
    HandoverAnswer,
    Notice,
    NoticeKind,
    State,
    Token,
    User,
)
from portal.scheduler import run_all as sweep
from tests.conftest import acting

pytestmark = pytest.mark.django_db


@pytest.fixture
def token(make_token: Callable[..., Token], engineer: User) -> Token:
    return make_token(
        engineer, name="ci", state=State.ACTIVE, expires_at=timezone.now() + timedelta(days=30)
    )


@pytest.fixture
def asked(token: Token, engineer: User, teammate: User) -> HandedOver:
    return ask(token, engineer, teammate)


def ask(token: Token, giver: User, heir: User) -> HandedOver:
    return hand_over(token.pk, to=heir.email, actor=acting(giver), reason="new work")


def owner(token: Token) -> str:
    return Token.objects.get(pk=token.pk).owner.email


def answers() -> list[str]:
    return list(Handover.objects.values_list("answer", flat=True))


def subjects() -> list[str]:
    events = AuditEvent.objects.filter(action=Action.ACCESS_CHANGED).order_by("seq")
    return list(events.values_list("subject", flat=True))


def told(kind: NoticeKind) -> dict[str, str]:
    return {
        notice.recipient.email: str(notify.compose(notice).body)
        for notice in Notice.objects.filter(kind=kind)
    }


@pytest.mark.parametrize("who", ["engineer", "lead", "admin"])
def test_who_is_to_own_a_token_is_asked_and_until_they_accept_it_stays_whose_it_was(
    token: Token, teammate: User, request: pytest.FixtureRequest, who: str
) -> None:
    assert not ask(token, request.getfixturevalue(who), teammate).at_once
    assert owner(token) == "engineer@example.com"
    assert list(told(NoticeKind.HANDOVER_ASKED)) == ["teammate@example.com"]
    accept(token.pk, actor=acting(teammate))
    assert owner(token) == "teammate@example.com"
    assert answers() == [HandoverAnswer.ACCEPTED]
    assert subjects() == [
        "~ token ci: offered to teammate@example.com",
        "~ token ci: owner engineer@example.com → teammate@example.com",
    ]


def test_who_declines_leaves_it_where_it_was_and_the_giver_is_told_why(
    asked: HandedOver, token: Token, teammate: User
) -> None:
    decline(token.pk, actor=acting(teammate), reason="I don't know what it is")
    assert owner(token) == "engineer@example.com"
    assert "I don't know what it is" in told(NoticeKind.HANDOVER_DECLINED)["engineer@example.com"]
    assert subjects()[-1] == "~ token ci: teammate@example.com declined to own it"
    with pytest.raises(WrongStateError):
        accept(token.pk, actor=acting(teammate))


def test_what_nobody_answers_for_a_week_lapses_and_the_giver_is_told(
    asked: HandedOver, token: Token, teammate: User
) -> None:
    sweep()
    assert answers() == [""]
    Handover.objects.update(created_at=timezone.now() - timedelta(days=7, seconds=9))
    sweep()
    sweep()
    assert answers() == [HandoverAnswer.LAPSED]
    [(person, body)] = told(NoticeKind.HANDOVER_LAPSED).items()
    assert person == "engineer@example.com"
    assert "teammate@example.com did not answer within 7 days." in body
    with pytest.raises(WrongStateError):
        accept(token.pk, actor=acting(teammate))
    assert owner(token) == "engineer@example.com"


@pytest.mark.parametrize("who", ["engineer", "lead", "admin"])
def test_an_offer_can_be_taken_back_by_whoever_may_make_it(
    asked: HandedOver, token: Token, teammate: User, request: pytest.FixtureRequest, who: str
) -> None:
    withdraw(token.pk, actor=acting(request.getfixturevalue(who)))
    with pytest.raises(WrongStateError):
        accept(token.pk, actor=acting(teammate))
    assert answers() == [HandoverAnswer.WITHDRAWN]


@pytest.mark.parametrize("answer", [accept, decline])
@pytest.mark.parametrize("who", ["engineer", "lead", "admin", "auditor", "outsider"])
def test_nobody_answers_for_another(
    asked: HandedOver,
    token: Token,
    request: pytest.FixtureRequest,
    who: str,
    answer: Callable[..., object],
) -> None:
    with pytest.raises(PermissionDenied):
        answer(token.pk, actor=acting(request.getfixturevalue(who)))
    assert answers() == [""]


@pytest.mark.parametrize("who", ["teammate", "auditor", "outsider"])
def test_nobody_else_takes_an_offer_back(
    asked: HandedOver, token: Token, request: pytest.FixtureRequest, who: str
) -> None:
    with pytest.raises(PermissionDenied):
        withdraw(token.pk, actor=acting(request.getfixturevalue(who)))


def test_the_same_person_is_asked_once_and_another_only_after_that_was_taken_back(
    asked: HandedOver, token: Token, engineer: User, teammate: User, lead: User
) -> None:
    ask(token, engineer, teammate)
    assert (Handover.objects.count(), Notice.objects.count()) == (1, 1)
    with pytest.raises(HandOverRefusedError, match="has been asked already"):
        ask(token, engineer, lead)
    withdraw(token.pk, actor=acting(engineer))
    ask(token, engineer, lead)
    assert answers() == [HandoverAnswer.WITHDRAWN, ""]


def test_a_lead_gives_at_once_what_somebody_left_and_no_offer_of_theirs_is_left(
    asked: HandedOver, token: Token, engineer: User, lead: User, teammate: User
) -> None:
    engineer.memberships.all().delete()
    with pytest.raises(PermissionDenied):
        ask(token, teammate, lead)
    assert ask(token, lead, teammate).at_once
    assert owner(token) == "teammate@example.com"
    assert answers() == [HandoverAnswer.OVERTAKEN]


def test_an_owner_who_left_still_has_to_ask(token: Token, engineer: User, teammate: User) -> None:
    engineer.memberships.all().delete()
    assert not ask(token, engineer, teammate).at_once


def test_a_lead_who_takes_a_token_over_need_not_ask_themselves(token: Token, lead: User) -> None:
    assert ask(token, lead, lead).at_once
    assert owner(token) == "lead@example.com"


def test_everything_is_asked_again_when_it_is_accepted(
    asked: HandedOver,
    token: Token,
    engineer: User,
    teammate: User,
    make_token: Callable[..., Token],
) -> None:
    def refusal() -> str:
        with pytest.raises(HandOverRefusedError) as refused:
            accept(token.pk, actor=acting(teammate))
        assert owner(token) == "engineer@example.com"
        return str(refused.value)

    Grant.objects.update(max_live_per_person=1)
    other = make_token(teammate, state=State.ACTIVE)
    assert "as many live tokens under this grant as it allows: 1." in refusal()
    Token.objects.filter(pk=other.pk).update(state=State.REVOKED)
    User.objects.filter(pk=engineer.pk).update(is_active=False)
    assert "may not hand this token over any more" in refusal()
    User.objects.filter(pk=engineer.pk).update(is_active=True)
    teammate.memberships.all().delete()
    assert refusal() == "You are no longer in team Platform."


def test_the_offer_of_a_token_that_ended_is_over_without_a_word(
    asked: HandedOver, token: Token, engineer: User, teammate: User
) -> None:
    revoke(token.pk, actor=acting(engineer))
    with pytest.raises(WrongStateError):
        accept(token.pk, actor=acting(teammate))
    sweep()
    assert answers() == [HandoverAnswer.OVERTAKEN]
    assert told(NoticeKind.HANDOVER_LAPSED) == {}


def test_nobody_is_mailed_of_an_offer_that_was_taken_back_meanwhile(
    asked: HandedOver, token: Token, engineer: User
) -> None:
    withdraw(token.pk, actor=acting(engineer))
    assert not mail(Notice.objects.get(kind=NoticeKind.HANDOVER_ASKED).pk)
