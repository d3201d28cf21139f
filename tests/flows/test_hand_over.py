"""A token gets another owner of its team: nothing of it changes but who answers for it."""

from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone

from portal import audit, notify, policy
from portal.flows.answer_handover import accept
from portal.flows.hand_over import HandOverRefusedError, hand_over
from portal.life import WrongStateError
from portal.models import (
    Action,
    AuditEvent,
    Grant,
    Notice,
    NoticeKind,
    State,
    Team,
    Token,
    User,
)
from portal.models.flags import Flag, count_open
from portal.scheduler import run_all as sweep
from tests.conftest import acting

pytestmark = pytest.mark.django_db


@pytest.fixture
def token(make_token: Callable[..., Token], engineer: User) -> Token:
    return make_token(engineer, name="ci", state=State.ACTIVE)


def give(token: Token, to: User, actor: User) -> Token:
    """Hand it over; whoever is asked accepts."""
    given = hand_over(token.pk, to=to.email, actor=acting(actor), reason="moves to other work")
    if not given.at_once:
        accept(token.pk, actor=acting(to))
    return Token.objects.get(pk=token.pk)


def refusal(token: Token, to: User, actor: User) -> str:
    with pytest.raises(HandOverRefusedError) as refused:
        give(token, to, actor)
    token.refresh_from_db()
    assert token.owner.email == "engineer@example.com"
    assert not AuditEvent.objects.filter(action=Action.ACCESS_CHANGED).exists()
    return str(refused.value)


@pytest.mark.parametrize("who", ["engineer", "lead", "admin"])
def test_owner_lead_and_admin_give_a_token_to_somebody_else_of_the_team(
    token: Token, teammate: User, request: pytest.FixtureRequest, who: str
) -> None:
    columns = [field.attname for field in Token._meta.concrete_fields]
    before = {name: getattr(token, name) for name in columns}
    given = give(token, teammate, request.getfixturevalue(who))
    assert given.owner == teammate
    changed = {name for name, value in before.items() if getattr(given, name) != value}
    assert changed == {"owner_id"}
    event = AuditEvent.objects.filter(action=Action.ACCESS_CHANGED).latest("seq")
    assert (event.token_id, event.owner, event.reason) == (
        token.pk,
        "teammate@example.com",
        "moves to other work",
    )
    assert event.subject == "~ token ci: owner engineer@example.com → teammate@example.com"


def test_the_token_of_who_left_is_nobodys_left_one_any_more(
    token: Token, engineer: User, teammate: User, lead: User
) -> None:
    engineer.memberships.all().delete()
    left = Token.objects.filter(Flag.OWNER_LEFT.condition)
    assert list(left.all()) == [token]
    give(token, teammate, lead)
    assert list(left.all()) == []
    assert policy.may_reissue(teammate, Token.objects.get(pk=token.pk))


def mails(kind: NoticeKind) -> dict[User, EmailMessage]:
    return {notice.recipient: notify.compose(notice) for notice in Notice.objects.filter(kind=kind)}


def test_the_giver_and_the_leads_are_told_when_it_is_accepted(
    token: Token, engineer: User, teammate: User, lead: User
) -> None:
    give(token, teammate, engineer)
    assert set(mails(NoticeKind.HANDOVER_ASKED)) == {teammate}
    told = mails(NoticeKind.HANDED_OVER)
    assert {person: mail.subject for person, mail in told.items()} == {
        engineer: "Handed over: ci",
        lead: "Handed over: ci",
    }
    assert "teammate@example.com accepted this token from you" in told[engineer].body
    assert "engineer@example.com made teammate@example.com the owner" in told[lead].body
    for mail in told.values():
        assert "moves to other work" in mail.body


def test_all_are_told_of_what_a_lead_gives_of_who_left(
    token: Token, engineer: User, teammate: User, lead: User
) -> None:
    engineer.memberships.all().delete()
    give(token, teammate, lead)
    told = mails(NoticeKind.HANDED_OVER)
    assert {person: mail.subject for person, mail in told.items()} == {
        engineer: "Handed over: ci",
        lead: "Handed over: ci",
        teammate: "Yours now: ci",
    }
    assert mails(NoticeKind.HANDOVER_ASKED) == {}


@pytest.mark.parametrize("who", ["teammate", "outsider", "auditor"])
def test_nobody_else_gives_it(
    token: Token, teammate: User, request: pytest.FixtureRequest, who: str
) -> None:
    with pytest.raises(PermissionDenied):
        give(token, teammate, request.getfixturevalue(who))


@pytest.mark.parametrize("state", [state for state in State if state != State.ACTIVE])
def test_only_a_token_whose_key_was_delivered_is_given(
    make_token: Callable[..., Token], engineer: User, teammate: User, state: State
) -> None:
    lease = {"lease_until": timezone.now()} if state == State.ISSUING else {}
    token = make_token(engineer, state=state, **lease)
    with pytest.raises(WrongStateError):
        give(token, teammate, engineer)


def test_only_other_people_of_the_team_get_it(
    token: Token, engineer: User, teammate: User, outsider: User, lead: User, platform: Team
) -> None:
    User.objects.filter(pk=teammate.pk).update(is_active=False)
    for nobody in (engineer, teammate, outsider):
        assert refusal(token, nobody, lead) == "Choose somebody else of team Platform."
    assert list(policy.possible_owners(token)) == [lead]
    Team.objects.filter(pk=platform.pk).update(closed_at=timezone.now())
    token.refresh_from_db()
    assert list(policy.possible_owners(token)) == []


def test_who_gets_it_could_have_asked_for_it(
    token: Token, teammate: User, lead: User, platform: Team, make_token: Callable[..., Token]
) -> None:
    Grant.objects.filter(team=platform).update(max_live=1, max_live_per_person=1)
    make_token(teammate, state=State.ACTIVE)
    assert refusal(token, teammate, lead) == (
        "teammate@example.com has as many live tokens under this grant as it allows: 1."
    )
    Grant.objects.filter(team=platform).delete()
    assert "no grant for this service account" in refusal(token, teammate, lead)


# -- Who has seen the key -----------------------------------------------------------------------


@pytest.fixture
def seen(token: Token, engineer: User, teammate: User) -> Token:
    """A token whose key the engineer took, and that is the teammate's now."""
    token.change(recipient=engineer, delivered_at=timezone.now())
    return give(token, teammate, engineer)


def test_who_took_the_key_stays_on_record(seen: Token, engineer: User, teammate: User) -> None:
    assert (seen.owner, seen.recipient) == (teammate, engineer)


def test_the_new_owner_is_asked_to_renew_so_that_only_they_know_the_key(
    seen: Token, engineer: User, teammate: User
) -> None:
    [notice] = Notice.objects.filter(kind=NoticeKind.HANDOVER_ASKED, recipient=teammate)
    body = " ".join(notify.compose(notice).body.split())
    assert "engineer@example.com took the key and may still have it: renew the token" in body
    [notice] = Notice.objects.filter(kind=NoticeKind.HANDED_OVER, recipient=engineer)
    assert "You took its key" in notify.compose(notice).body


def test_a_key_that_somebody_knows_who_left_stands_out_until_it_is_renewed(
    seen: Token, engineer: User, teammate: User
) -> None:
    known = Token.objects.filter(Flag.RECIPIENT_LEFT.condition)
    assert list(known.all()) == []
    engineer.memberships.all().delete()
    assert list(known.all()) == [seen]
    assert list(Token.objects.filter(Flag.OWNER_LEFT.condition)) == []
    counted = count_open(seen.team)
    assert (counted.flags[Flag.OWNER_LEFT], counted.flags[Flag.RECIPIENT_LEFT]) == (0, 1)
    assert counted.left_behind([State.ACTIVE]) == [(engineer, 1)]
    seen.change(recipient=teammate)
    assert list(known.all()) == []


def test_keys_that_a_former_version_delivered_get_their_recipient_from_the_audit_log(
    make_token: Callable[..., Token], engineer: User, teammate: User
) -> None:
    taken, unknown = (
        make_token(engineer, state=State.ACTIVE, delivered_at=timezone.now()) for _ in range(2)
    )
    with transaction.atomic():
        audit.record(Action.TOKEN_DELIVERED, actor=acting(engineer), token=taken)
    give(taken, teammate, engineer)
    undelivered = make_token(engineer)
    sweep()
    found = {token.pk: token.recipient for token in Token.objects.all()}
    assert found == {taken.pk: engineer, unknown.pk: engineer, undelivered.pk: None}
