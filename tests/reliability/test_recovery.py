"""What the state machine (or a second reading) has found, each in as few steps as it takes."""

from collections.abc import Callable

import pytest

from portal.flows.recover import settle
from portal.flows.revoke import cancel, revoke
from portal.models import Action, AuditEvent, Grant, State, Token, User
from tests.conftest import acting
from tests.grafana.sandbox_process import PROD
from tests.reliability.legal_order import since_the_request
from tests.reliability.people import die
from tests.reliability.troubles import CREATE, DELETE
from tests.reliability.world import Message, Moment, World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_waiting", "catalog")]


def attempt(
    world: World,
    token: Token,
    moment: Moment | None = None,
    happens: Callable[[], object] = die,
) -> None:
    """The next attempt, without its wait."""
    Token.objects.filter(pk=token.pk).update(not_before=None)
    world.work(Message("issue", token.pk), moment, happens)
    token.refresh_from_db()


def leave_an_orphan(world: World, token: Token) -> None:
    world.aws.fault("drop", "after", operation=CREATE)
    attempt(world, token)
    assert len(world.aws.live_tokens(name=token.name)) == 1


@pytest.mark.parametrize("lost", ["answer", "worker"])
def test_an_orphan_that_was_deleted_unseen_is_recorded_all_the_same(
    world: World, token: Token, lost: str
) -> None:
    leave_an_orphan(world, token)
    [orphan] = world.aws.live_tokens(name=token.name)
    if lost == "answer":
        world.aws.fault("drop", "after", operation=DELETE)
        attempt(world, token)
    else:
        attempt(world, token, Moment.AFTER_DELETE)
        world.pass_time(46)
        world.sweep()
    assert world.aws.live_tokens(name=token.name) == []
    attempt(world, token)
    assert token.state == State.SEALED
    assert since_the_request(token) == [Action.TOKEN_ORPHAN_REMOVED, Action.TOKEN_ISSUED]
    removed = AuditEvent.objects.get(action=Action.TOKEN_ORPHAN_REMOVED, token_id=token.pk)
    assert removed.aws_token_id == str(orphan["id"])


def test_an_orphan_that_two_workers_delete_is_recorded_once(world: World, token: Token) -> None:
    """One holds its id since the create, and has lost its attempt; the other finds it listed."""

    def another_attempt() -> None:
        world.pass_time(46)
        world.sweep()
        attempt(world, token)

    attempt(world, token, Moment.BEFORE_SEAL, another_attempt)
    assert token.state == State.SEALED
    assert since_the_request(token) == [Action.TOKEN_ORPHAN_REMOVED, Action.TOKEN_ISSUED]


def test_an_orphan_is_found_after_its_grant_has_shrunk(world: World, token: Token) -> None:
    Grant.objects.update(max_ttl=600, default_ttl=600)
    leave_an_orphan(world, token)
    attempt(world, token)
    assert (token.state, token.seconds_to_live) == (State.SEALED, 600)
    assert [str(one["id"]) for one in world.aws.live_tokens()] == [token.aws_token_id]


def test_an_orphan_is_found_while_its_grant_shrinks(world: World, token: Token) -> None:
    """Held up with its old lifetime, and then the next attempt may ask for less only."""
    world.holds_up_next_create = True
    attempt(world, token)
    Grant.objects.update(max_ttl=600, default_ttl=600)
    attempt(world, token, Moment.BEFORE_CREATE, lambda: world.let_arrive(world.held_up[0]))
    for _ in range(20):
        world.pass_time(31)
        world.sweep()
        world.work_all()
    token.refresh_from_db()
    held = {token.aws_token_id} if token.state == State.SEALED else set()
    assert {str(one["id"]) for one in world.aws.live_tokens()} == held
    assert token.unresolved_since is None


def test_a_name_that_was_ours_is_not_said_to_be_taken(world: World, token: Token) -> None:
    """A late twin takes the name, is found and removed, and then AWS fails once more."""
    world.holds_up_next_create = True
    attempt(world, token)
    attempt(world, token, Moment.BEFORE_CREATE, lambda: world.let_arrive(world.held_up[0]))
    assert token.duplicate_answers == 1
    world.aws.fault("error", "before", operation=CREATE, status=500)
    attempt(world, token)
    attempt(world, token)
    assert (token.state, token.error_code) == (State.SEALED, "")


def test_settling_does_not_hold_back_a_revocation(
    world: World, token: Token, engineer: User
) -> None:
    leave_an_orphan(world, token)
    attempt(world, token)
    assert token.state == State.SEALED
    assert token.unresolved_since is not None
    world.work(
        Message("settle", token.pk),
        Moment.AFTER_LIST,
        lambda: revoke(token.pk, actor=acting(engineer), reason="leaked"),
    )
    token.refresh_from_db()
    assert (token.state, token.not_before) == (State.REVOKING, None)


def test_a_create_that_aws_still_takes_by_its_slow_clock_is_waited_for(
    world: World, token: Token, engineer: User
) -> None:
    """AWS holds a signature against its own clock: two minutes behind, it lasts two longer."""
    world.skew_by(-150)
    world.holds_up_next_create = True
    attempt(world, token)
    cancel(token.pk, actor=acting(engineer))
    world.pass_time(400)
    world.sweep()
    world.work_all()
    [create] = world.held_up
    assert world.may_still_arrive(create) > 0
    world.let_arrive(create)
    assert len(world.aws.live_tokens(name=token.name)) == 1
    for _ in range(10):
        world.pass_time(60)
        world.sweep()
        world.work_all()
    token.refresh_from_db()
    assert world.aws.live_tokens(name=token.name) == []
    assert token.unresolved_since is None


def test_a_service_account_that_is_gone_has_left_nothing_to_wait_for(
    world: World, token: Token, engineer: User
) -> None:
    leave_an_orphan(world, token)
    world.aws.delete_workspace(PROD)
    attempt(world, token)
    assert (token.state, token.error_code) == (State.FAILED, "ResourceNotFoundException")
    world.pass_time(400)
    settle(token.pk)
    token.refresh_from_db()
    assert (token.unresolved_since, token.may_exist_at_aws) == (None, False)


def test_what_was_withdrawn_does_not_fail_too(world: World, token: Token, engineer: User) -> None:
    world.aws.fault("error", "before", operation=CREATE, status=403, type="AccessDeniedException")
    attempt(
        world,
        token,
        Moment.BEFORE_CREATE,
        lambda: cancel(token.pk, actor=acting(engineer)),
    )
    assert token.state == State.CANCELLED
    assert since_the_request(token) == [Action.TOKEN_CANCELLED]
