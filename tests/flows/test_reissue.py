"""A token in the place of another: who gets it, what it is called, and when the old one ends."""

import base64
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.utils import timezone

from portal.flows.answer_handover import accept
from portal.flows.approve import approve
from portal.flows.collect import collect
from portal.flows.deliver import deliver
from portal.flows.hand_over import hand_over
from portal.flows.issue import issue
from portal.flows.reissue import AlreadyReplacedError, ReissueTerms, next_name, reissue
from portal.flows.request import RequestRefusedError, TokenRequest, request
from portal.flows.revoke import delete_at_aws, revoke
from portal.life import WrongStateError
from portal.models import Action, Approval, AuditEvent, Grant, State, Team, Token, User
from portal.scheduler import run_all as sweep
from tests.conftest import Catalog, acting, asked_for
from tests.person import KeyPair

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_waiting")]

HOUR = 3600


@pytest.fixture
def old(make_token: Callable[..., Token], engineer: User) -> Token:
    """A token in use, made at AWS."""
    token = make_token(engineer, name="ci", seconds_to_live=86_400, reason="nightly deploys")
    asked_for(token)
    issue(token.pk)
    token.refresh_from_db()
    deliver(token.pk, token.fingerprint, actor=acting(engineer))
    token.refresh_from_db()
    return token


@pytest.fixture
def plan(keys: KeyPair) -> ReissueTerms:
    """An overlap of an hour, for who asks."""
    return ReissueTerms(HOUR, True, 86_400, "laptop was lost", base64.b64decode(keys.public))


def for_owner(plan: ReissueTerms) -> ReissueTerms:
    return replace(plan, for_me=False)


def now(plan: ReissueTerms) -> ReissueTerms:
    return replace(plan, overlap_seconds=None)


def fresh(token: Token) -> Token:
    return Token.objects.for_pages().get(pk=token.pk)


def deliver_to(token: Token, person: User) -> Token:
    """The recipient's browser takes the key of a queued token."""
    issue(token.pk)
    deliver(token.pk, fresh(token).fingerprint, actor=acting(person))
    return fresh(token)


def end_overlap(token: Token) -> None:
    Token.objects.filter(pk=token.pk).update(revoke_at=timezone.now() - timedelta(seconds=1))
    sweep()


def told(token: Token) -> list[tuple[str, str]]:
    return sorted(token.notices.values_list("kind", "recipient__email"))


def actions(token: Token) -> list[str]:
    events = AuditEvent.objects.filter(token_id=token.pk).order_by("seq")
    return list(events.values_list("action", flat=True))


# -- With overlap -------------------------------------------------------------------------------


def test_a_renewal_is_a_request_that_leaves_the_old_token_alone_until_its_key_is_taken(
    old: Token, plan: ReissueTerms, engineer: User
) -> None:
    new, is_new, _ = reissue(old.pk, plan, actor=acting(engineer))
    assert (new.state, is_new, new.replaces, new.owner) == (State.QUEUED, True, old, engineer)
    assert (new.name, new.lineage_name) == ("ci-2", "ci")
    assert (fresh(old).state, fresh(old).revoke_at) == (State.ACTIVE, None)
    assert Action.TOKEN_REISSUED in actions(old)
    assert actions(new) == [Action.TOKEN_REQUESTED]
    new = deliver_to(new, engineer)
    assert new.delivered_at is not None
    assert fresh(old).revoke_at == new.delivered_at + timedelta(seconds=HOUR)
    assert told(old) == [], "who does it themselves needs no mail"


def test_the_overlap_never_outlives_the_old_token(
    old: Token, plan: ReissueTerms, engineer: User
) -> None:
    new, _, _ = reissue(old.pk, replace(plan, overlap_seconds=7 * 86_400), actor=acting(engineer))
    deliver_to(new, engineer)
    assert fresh(old).revoke_at == fresh(old).expires_at


def test_the_old_token_ends_when_the_overlap_is_over_and_not_before(
    old: Token, plan: ReissueTerms, engineer: User
) -> None:
    new, _, _ = reissue(old.pk, plan, actor=acting(engineer))
    deliver_to(new, engineer)
    assert sweep().revoke == []
    Token.objects.filter(pk=old.pk).update(revoke_at=timezone.now() - timedelta(seconds=1))
    assert sweep().revoke == [old.pk]
    assert (fresh(old).state, fresh(old).ended_by) == (State.REVOKING, "portal")
    delete_at_aws(old.pk)
    assert (fresh(old).state, fresh(new).state) == (State.REVOKED, State.ACTIVE)
    assert told(old) == [("revoked", "engineer@example.com")]


@pytest.mark.parametrize("end", [State.FAILED, State.CANCELLED, State.DENIED])
def test_a_replacement_that_never_comes_leaves_the_old_token_alone_and_may_be_tried_again(
    old: Token, plan: ReissueTerms, engineer: User, end: State
) -> None:
    new, _, _ = reissue(old.pk, plan, actor=acting(engineer))
    Token.objects.filter(pk=new.pk).update(state=end)
    assert sweep().revoke == []
    assert (fresh(old).state, fresh(old).revoke_at) == (State.ACTIVE, None)
    again = replace(plan, public_key=base64.b64decode(KeyPair().public))
    assert reissue(old.pk, again, actor=acting(engineer))[1]


def test_a_replacement_that_is_never_collected_lapses_and_the_old_one_lives(
    old: Token, plan: ReissueTerms, lead: User
) -> None:
    new, _, _ = reissue(old.pk, for_owner(plan), actor=acting(lead))
    Token.objects.filter(pk=new.pk).update(state_at=timezone.now() - timedelta(days=7, minutes=1))
    sweep()
    assert (fresh(new).state, fresh(old).state) == (State.CANCELLED, State.ACTIVE)
    lapsed = {email for kind, email in told(new) if kind == "lapsed"}
    assert lapsed == {"engineer@example.com", "lead@example.com"}


def test_a_token_that_only_lives_its_overlap_out_takes_nobodys_place(
    old: Token, plan: ReissueTerms, engineer: User, make_token: Callable[..., Token]
) -> None:
    Grant.objects.update(max_live_per_person=1)
    new, _, _ = reissue(old.pk, plan, actor=acting(engineer))
    deliver_to(new, engineer)
    assert list(Token.objects.holding_place()) == [new]


def test_of_a_line_of_overlapping_tokens_one_alone_is_free_of_the_limit(
    old: Token, plan: ReissueTerms, engineer: User
) -> None:
    Grant.objects.update(max_live_per_person=1)
    newest = old
    overlap = replace(plan, overlap_seconds=7 * 86_400)
    new, _, _ = reissue(newest.pk, overlap, actor=acting(engineer))
    newest = deliver_to(new, engineer)
    with pytest.raises(RequestRefusedError, match="allows 1 for each person"):
        reissue(newest.pk, overlap, actor=acting(engineer))
    end_overlap(old)
    reissue(newest.pk, overlap, actor=acting(engineer))


def test_a_lead_who_reissues_at_the_moment_of_a_hand_over_replaces_the_new_owners_token(
    old: Token, plan: ReissueTerms, engineer: User, teammate: User
) -> None:
    """The former owner, who asked for themselves, gets nothing."""
    hand_over(old.pk, to=teammate.email, actor=acting(engineer))
    accept(old.pk, actor=acting(teammate))
    with pytest.raises(PermissionDenied):
        reissue(old.pk, plan, actor=acting(engineer))
    assert fresh(old).state == State.ACTIVE


# -- At once ------------------------------------------------------------------------------------


def test_replaced_now_the_old_token_ends_at_once(
    old: Token, plan: ReissueTerms, engineer: User
) -> None:
    new, _, _ = reissue(old.pk, now(plan), actor=acting(engineer))
    assert (fresh(old).state, fresh(old).end_reason) == (State.REVOKING, "laptop was lost")
    assert new.state == State.QUEUED
    assert actions(old)[-2:] == [Action.TOKEN_REVOKE_REQUESTED, Action.TOKEN_REISSUED]
    deliver_to(new, engineer)
    assert fresh(old).revoke_at is None


def test_a_key_that_nobody_has_taken_can_be_replaced_but_not_rotated(
    make_token: Callable[..., Token], plan: ReissueTerms, engineer: User
) -> None:
    sealed = asked_for(make_token(engineer, name="ci"))
    issue(sealed.pk)
    with pytest.raises(RequestRefusedError) as refusal:
        reissue(sealed.pk, plan, actor=acting(engineer))
    assert refusal.value.field == "mode"
    reissue(sealed.pk, now(plan), actor=acting(engineer))
    assert (fresh(sealed).state, fresh(sealed).sealed_key) == (State.REVOKING, None)


# -- For whom -----------------------------------------------------------------------------------


def test_a_lead_who_reissues_for_the_owner_never_gets_the_key(
    old: Token, plan: ReissueTerms, lead: User, engineer: User
) -> None:
    new, _, _ = reissue(old.pk, for_owner(plan), actor=acting(lead))
    new = fresh(new)
    assert (new.state, new.owner, new.asked_by) == (State.AWAITING_RECIPIENT, engineer, lead.email)
    assert (bytes(new.public_key), new.public_key_sha256) == (b"", ""), "the lead's own key pair"
    assert told(new) == [("reissued", "engineer@example.com")]
    collect(new.pk, plan.public_key, actor=acting(engineer))
    deliver_to(new, engineer)
    assert fresh(old).revoke_at is not None


def test_a_lead_who_takes_it_becomes_its_owner_and_the_old_owner_is_told(
    old: Token, plan: ReissueTerms, lead: User
) -> None:
    new, _, _ = reissue(old.pk, plan, actor=acting(lead))
    assert (new.owner, new.state) == (lead, State.QUEUED)
    deliver_to(new, lead)
    assert told(old) == [("replaced", "engineer@example.com")]


def test_an_owner_whose_token_a_lead_replaces_now_is_told_once(
    old: Token, plan: ReissueTerms, lead: User, engineer: User
) -> None:
    new, _, _ = reissue(old.pk, now(for_owner(plan)), actor=acting(lead))
    assert (told(old), told(new)) == ([], [("reissued", engineer.email)])


def test_an_owner_whose_token_a_lead_takes_now_is_told_that_it_ended(
    old: Token, plan: ReissueTerms, lead: User, engineer: User
) -> None:
    reissue(old.pk, now(plan), actor=acting(lead))
    assert told(old) == [("revoked", engineer.email)]


@pytest.mark.parametrize("who", ["teammate", "outsider", "auditor", "admin"])
def test_others_reissue_nothing(
    old: Token, plan: ReissueTerms, request: pytest.FixtureRequest, who: str
) -> None:
    with pytest.raises(PermissionDenied):
        reissue(old.pk, now(plan), actor=acting(request.getfixturevalue(who)))
    assert (fresh(old).state, Token.objects.count()) == (State.ACTIVE, 1)


def test_an_owner_who_left_the_team_gets_nothing_and_keeps_the_old_one(
    old: Token, plan: ReissueTerms, lead: User, engineer: User
) -> None:
    engineer.memberships.all().delete()
    with pytest.raises(RequestRefusedError) as refusal:
        reissue(old.pk, now(for_owner(plan)), actor=acting(lead))
    assert refusal.value.field == "recipient"
    assert fresh(old).state == State.ACTIVE


# -- Policy -------------------------------------------------------------------------------------


@pytest.fixture
def admins_token(
    make_token: Callable[..., Token], catalog: Catalog, old: Token, engineer: User
) -> Token:
    """A member's token for an ADMIN account, where policy asks for approval of such."""
    token = make_token(engineer, name="root", service_account=catalog.admin_account)
    asked_for(token)
    deliver_to(token, engineer)
    Grant.objects.update(approval=Approval.ADMIN_ROLE)
    return fresh(token)


def test_a_lead_cannot_mint_a_members_admin_token_for_themselves_unseen(
    admins_token: Token, plan: ReissueTerms, lead: User, admin: User
) -> None:
    new, _, _ = reissue(admins_token.pk, plan, actor=acting(lead))
    assert (new.state, told(new)) == (State.AWAITING_APPROVAL, [("approval_asked", admin.email)])
    with pytest.raises(PermissionDenied):
        approve(new.pk, actor=acting(lead))


def test_a_lead_who_may_approve_agrees_by_asking_for_somebody_else(
    admins_token: Token, plan: ReissueTerms, lead: User
) -> None:
    new, _, _ = reissue(admins_token.pk, for_owner(plan), actor=acting(lead))
    new = fresh(new)
    assert (new.state, new.approved_by) == (State.AWAITING_RECIPIENT, lead.email)
    assert actions(new) == [Action.TOKEN_REQUESTED, Action.TOKEN_APPROVED]


def test_a_member_renews_an_admin_token_with_approval_alone(
    admins_token: Token, plan: ReissueTerms, engineer: User, lead: User
) -> None:
    new, _, _ = reissue(admins_token.pk, plan, actor=acting(engineer))
    assert new.state == State.AWAITING_APPROVAL
    approve(new.pk, actor=acting(lead))
    collect(new.pk, plan.public_key, actor=acting(engineer))
    deliver_to(new, engineer)
    assert fresh(admins_token).revoke_at is not None


@pytest.mark.parametrize(
    ("grant", "field"),
    [
        ({"max_ttl": HOUR, "default_ttl": HOUR}, "seconds_to_live"),
        ({"max_live": 0}, "service_account"),
    ],
)
def test_a_reissue_that_policy_refuses_leaves_the_old_token_as_it_is(
    old: Token, plan: ReissueTerms, engineer: User, grant: dict[str, Any], field: str
) -> None:
    Grant.objects.update(**grant)
    with pytest.raises(RequestRefusedError) as refusal:
        reissue(old.pk, now(plan), actor=acting(engineer))
    assert refusal.value.field == field
    assert (fresh(old).state, Token.objects.count()) == (State.ACTIVE, 1)


def test_the_limit_of_live_tokens_does_not_count_the_one_that_is_replaced(
    old: Token, plan: ReissueTerms, engineer: User
) -> None:
    Grant.objects.update(max_live=1, max_live_per_person=1)
    assert reissue(old.pk, plan, actor=acting(engineer))[1]


def test_two_tokens_at_the_limit_are_rotated_at_the_same_time(
    old: Token, plan: ReissueTerms, engineer: User, make_token: Callable[..., Token]
) -> None:
    """While the first waits for its key, it and the one that it replaces are one."""
    Grant.objects.update(max_live=2, max_live_per_person=2)
    other = make_token(engineer, name="other", state=State.ACTIVE)
    assert reissue(old.pk, plan, actor=acting(engineer))[1]
    assert reissue(other.pk, plan, actor=acting(engineer))[1]
    third = make_token(engineer, name="third", state=State.ACTIVE)
    with pytest.raises(RequestRefusedError):
        reissue(third.pk, plan, actor=acting(engineer))


def test_a_key_that_got_lost_on_the_way_is_no_way_around_the_limit(
    old: Token, plan: ReissueTerms, engineer: User
) -> None:
    """In the place of the new one comes another, and then nothing takes the old one's."""
    Grant.objects.update(max_live=1)
    new, _, _ = reissue(old.pk, plan, actor=acting(engineer))
    issue(new.pk)
    with pytest.raises(RequestRefusedError):
        reissue(new.pk, now(plan), actor=acting(engineer))
    assert fresh(new).state == State.SEALED


def test_a_token_that_a_lead_is_to_take_over_counts_until_they_have_it(
    old: Token, plan: ReissueTerms, lead: User, engineer: User, catalog: Catalog
) -> None:
    """It stays its owner's if the lead never takes it."""
    Grant.objects.update(max_live_per_person=1)
    reissue(old.pk, plan, actor=acting(lead))
    wish = TokenRequest(old.team, catalog.deployer, "another", HOUR, "", plan.public_key)
    with pytest.raises(RequestRefusedError):
        request(wish, actor=acting(engineer))


# -- Names --------------------------------------------------------------------------------------


def test_numbers_count_from_the_first_name_of_the_line(
    old: Token, plan: ReissueTerms, engineer: User
) -> None:
    second, _, _ = reissue(old.pk, plan, actor=acting(engineer))
    deliver_to(second, engineer)
    plan = replace(plan, public_key=base64.b64decode(KeyPair().public))
    third, _, _ = reissue(second.pk, plan, actor=acting(engineer))
    assert (third.name, third.lineage_name) == ("ci-3", "ci")


def test_a_number_that_somebody_has_taken_is_passed_over(
    old: Token, plan: ReissueTerms, engineer: User, teammate: User, make_token: Callable[..., Token]
) -> None:
    make_token(teammate, name="ci-2")
    new, _, _ = reissue(old.pk, plan, actor=acting(engineer))
    assert (new.name, new.lineage_name) == ("ci-3", "ci")


@pytest.mark.parametrize(("length", "cut"), [(126, 126), (127, 126), (128, 126)])
def test_a_long_name_is_cut_so_that_the_whole_fits(
    old: Token, plan: ReissueTerms, engineer: User, length: int, cut: int
) -> None:
    Token.objects.filter(pk=old.pk).update(name="x" * length)
    new, _, _ = reissue(old.pk, plan, actor=acting(engineer))
    assert new.name == "x" * cut + "-2"
    assert next_name(fresh(new)) == "x" * cut + "-3"


def test_what_hides_in_a_name_of_before_is_not_in_the_next_one(
    old: Token, plan: ReissueTerms, engineer: User
) -> None:
    Token.objects.filter(pk=old.pk).update(name="ci\u202egnp\u200b")
    new, _, _ = reissue(old.pk, plan, actor=acting(engineer))
    assert new.name == "cignp-2"


# -- Twice, and at the same time ----------------------------------------------------------------


@pytest.mark.parametrize("change", [lambda p: p, now, for_owner, lambda p: now(for_owner(p))])
def test_the_same_plan_sent_twice_is_one_reissue(
    old: Token, plan: ReissueTerms, lead: User, change: Callable[[ReissueTerms], ReissueTerms]
) -> None:
    first, is_new, _ = reissue(old.pk, change(plan), actor=acting(lead))
    assert is_new
    second, is_new, _ = reissue(old.pk, change(plan), actor=acting(lead))
    assert (second, is_new) == (first, False)
    assert actions(old).count(Action.TOKEN_REISSUED) == 1


def test_another_plan_for_the_same_token_is_told_what_takes_its_place(
    old: Token, plan: ReissueTerms, lead: User, engineer: User
) -> None:
    new, _, _ = reissue(old.pk, for_owner(plan), actor=acting(lead))
    with pytest.raises(AlreadyReplacedError) as refusal:
        reissue(old.pk, plan, actor=acting(engineer))
    assert refusal.value.replacement == new


@pytest.mark.parametrize("state", sorted(set(State) - {State.SEALED, State.ACTIVE}), ids=str)
def test_what_is_not_live_is_not_reissued(
    make_token: Callable[..., Token], plan: ReissueTerms, engineer: User, state: State
) -> None:
    lease = timezone.now() + timedelta(seconds=45) if state == State.ISSUING else None
    token = make_token(engineer, state=state, lease_until=lease)
    with pytest.raises(WrongStateError):
        reissue(token.pk, plan, actor=acting(engineer))
    assert Token.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", range(4))
def test_of_a_revocation_and_a_reissue_at_the_same_moment_one_wins_and_the_other_is_told(
    old: Token, plan: ReissueTerms, lead: User, engineer: User, platform: Team, round_: int
) -> None:
    start = threading.Barrier(2, timeout=10)
    came_out: dict[str, object] = {}

    def run(name: str, act: Callable[[], object]) -> None:
        try:
            start.wait()
            act()
            came_out[name] = "done"
        except WrongStateError as late:
            came_out[name] = late
        finally:
            connection.close()

    threads = [
        threading.Thread(
            target=run,
            args=("reissue", lambda: reissue(old.pk, now(plan), actor=acting(engineer))),
        ),
        threading.Thread(target=run, args=("revoke", lambda: revoke(old.pk, actor=acting(lead)))),
    ]
    for thread in threads if round_ % 2 else reversed(threads):
        thread.start()
    for thread in threads:
        thread.join()
    [winner] = [name for name, outcome in came_out.items() if outcome == "done"]
    [late] = [outcome for outcome in came_out.values() if outcome != "done"]
    assert isinstance(late, WrongStateError)
    assert late.token.state == State.REVOKING
    assert late.token.ended_by == (engineer.email if winner == "reissue" else lead.email)
    assert Token.objects.count() == (2 if winner == "reissue" else 1)
    assert actions(old).count(Action.TOKEN_REVOKE_REQUESTED) == 1


@pytest.mark.django_db(transaction=True)
def test_two_leads_who_reissue_at_the_same_moment_make_one_token(
    old: Token, plan: ReissueTerms, lead: User, engineer: User
) -> None:
    start = threading.Barrier(2, timeout=10)
    came_out: list[object] = []

    def run(person: User, wanted: ReissueTerms) -> None:
        try:
            start.wait()
            came_out.append(reissue(old.pk, wanted, actor=acting(person))[0])
        except AlreadyReplacedError as late:
            came_out.append(late.replacement)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=(lead, for_owner(plan))),
        threading.Thread(target=run, args=(engineer, plan)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [new] = Token.objects.filter(replaces=old)
    assert came_out == [new, new]
