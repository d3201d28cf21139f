"""What must be true once all faults are over and some time has passed."""

from portal.models import State, Token
from portal.models.queries import TokenQuerySet
from portal.models.states import AWAITING_PEOPLE
from tests.reliability.invariants import Sight, audited_whole, check, ends_about_now
from tests.reliability.world import World

ROUNDS = 60
SECONDS_A_ROUND = 100.0
"""Long enough for what nobody fetches (15 min) to be revoked, and settled."""
A_WEEK = 7 * 86_400 + 60.0


def come_to_rest(world: World, strangers: set[str]) -> None:
    """Let time, sweeps and workers do their part; then what lives at AWS is what somebody has the
    key of, and no row waits for anything but people."""
    world.calm()
    if abs(world.skew) > 60:
        world.mend_our_clock()
    for _ in range(ROUNDS):
        for create in list(world.held_up):
            left = world.may_still_arrive(create)
            if left <= 0:
                world.held_up.remove(create)
            elif left <= SECONDS_A_ROUND:
                # As late as can be.
                _quiet_time(world, left)
                world.let_arrive(create)
        _quiet_time(world, SECONDS_A_ROUND)
        if not world.held_up and not _open():
            break
    sight = Sight.of(world, strangers)
    check(world, sight)
    # While the clocks differ, one of us takes a token for ended before the other does.
    ending = {row.aws_token_id for row in sight.rows if ends_about_now(row, sight)}
    active = {row.aws_token_id for row in sight.rows if row.state == State.ACTIVE}
    assert active - ending == set(sight.live) - ending
    assert [f"{row.name} is {row.state}" for row in _open()] == []
    late = Token.objects.filter(state=State.ACTIVE, revoke_at__lt=sight.now)
    assert not late.exists(), "an overlap is over, and the old token works on"
    audited_whole(world, sight, strangers)
    _quiet_time(world, A_WEEK)
    assert not Token.objects.filter(state__in=AWAITING_PEOPLE).exists()


def _open() -> TokenQuerySet:
    """Rows that the sweep and the workers are not done with."""
    over = (State.EXPIRED, State.REVOKED, State.FAILED, State.DENIED, State.CANCELLED)
    done = (State.ACTIVE, *over, *AWAITING_PEOPLE)
    return Token.objects.exclude(state__in=done, unresolved_since=None)


def _quiet_time(world: World, seconds: float) -> None:
    world.pass_time(seconds)
    world.sweep()
    world.work_all()
