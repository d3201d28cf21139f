"""The faults, played on a running product: many at once, for most of a fault's time is waiting."""

import os
import signal
import time

from tests.reliability import matrix
from tests.reliability.asked import Asked
from tests.reliability.matrix import CREATE, Fault
from tests.reliability.stage import LONGEST_LIFE_OF_A_PAGE, QUEUE, Stage

ANSWER_AFTER = 2.5
"""Seconds that AWS takes for the answer whose commit is to be held up."""
TURN_AFTER = 4.8
"""Seconds until the next turn: below the longest that a worker waits for one (portal/pace.py)."""
TIME_TO_REACH_THE_LOCK = 0.7
WEB_GONE_AFTER = 1.5


def play(stage: Stage, *, scheduler_dead_for: float) -> None:
    """All of it, in an order in which no fault disturbs another's request.

    The claims of killed workers run out after 45 seconds; meanwhile the rest is played.
    """
    worker_deaths(stage)
    aws_faults(stage)
    queue_faults(stage)
    with stage.more_sweeps(2):
        unclaimed = _unclaimed(stage)
        buttons(stage)
        unclaimed.wait_for_the_end(60)
    stage.wait_for_pages()
    skewed_clocks(stage)
    dead_scheduler(stage, scheduler_dead_for)
    throttling_and_a_dead_web(stage)
    stage.wait_for_pages()


def worker_deaths(stage: Stage) -> None:
    """Four requests in four positions at the moment in which every worker process is killed."""
    after = stage.prepare(matrix.AFTER_THE_COMMIT)
    after.submit()
    after.wait_for("sealed")

    during = stage.prepare(matrix.DURING_THE_CALL)
    commit = stage.prepare(matrix.BEFORE_THE_COMMIT)
    for asked, seconds in ((during, 4 * ANSWER_AFTER), (commit, ANSWER_AFTER)):
        stage.sandbox.fault("hang", "after", operation=CREATE, name=asked.name, seconds=seconds)
        asked.submit()
        stage.open_page(asked)
    for asked in (during, commit):
        stage.wait_for_create(asked, answered=False)

    with stage.next_turn_in(TURN_AFTER):
        before = stage.ask(matrix.BEFORE_THE_CALL)
        before.wait_for("issuing")
        with stage.records.held(commit.id):
            stage.wait_for_create(commit, answered=True)
            time.sleep(TIME_TO_REACH_THE_LOCK)
            stage.kill_workers()
            positions = {
                matrix.BEFORE_THE_CALL: (before, "issuing", []),
                matrix.DURING_THE_CALL: (during, "issuing", [None]),
                matrix.BEFORE_THE_COMMIT: (commit, "issuing", [200]),
                matrix.AFTER_THE_COMMIT: (after, "sealed", [200]),
            }
            for fault, (asked, state, answers) in positions.items():
                row = stage.records.token(asked.id)
                answered = [call["status"] for call in stage.creates(asked)]
                stage.note(fault, in_position=(row.state, answered) == (state, answers))
    stage.open_page(after)


def aws_faults(stage: Stage) -> None:
    """Every fault of AWS at once."""
    asked = [stage.ask(fault) for fault in matrix.AWS_FAULTS]
    for one in asked:
        one.wait_for_the_end(60)


def queue_faults(stage: Stage) -> None:
    """What can happen to a message before a worker has it."""
    with stage.queue_held() as broker:
        emptied = stage.ask(matrix.EMPTIED)
        was_queued = len(stage.messages(broker, emptied)) == 1
        stage.note(matrix.EMPTIED, was_queued=was_queued)
        broker.flushall()

        withdrawn = stage.prepare(matrix.CLICK_CANCEL)
        withdrawn.submit()
        stage.note(matrix.CLICK_CANCEL, answers=withdrawn.click("cancel", reason="double click"))
        stage.open_page(withdrawn)

        five = stage.ask(matrix.FIVE_MESSAGES)
        broker.lpush(QUEUE, *stage.messages(broker, five) * 4)
        stage.note(matrix.FIVE_MESSAGES, messages=len(stage.messages(broker, five)))
    five.wait_for("active")

    with stage.queue_held() as broker:
        queued = stage.ask(matrix.STOPPED_QUEUED)
        was_queued = len(stage.messages(broker, queued)) == 1
        stage.note(matrix.STOPPED_QUEUED, was_queued=was_queued)
        stage.broker.stop()
        stage.ask(matrix.STOPPED_AT_SUBMIT)
        stage.broker.start()
    stage.note(matrix.EMPTIED, still_waits=emptied.seconds is None)


def buttons(stage: Stage) -> None:
    """Each button, pressed several times at once."""
    asked = stage.prepare(matrix.CLICK_REQUEST)
    answers = asked.submit_by_double_click()
    stage.note(
        matrix.CLICK_REQUEST,
        answers=[status for status, _ in answers],
        tokens=len({address for _, address in answers}),
        rows=len(stage.records.tokens(name=asked.name)),
    )
    stage.open_page(asked)

    shown = stage.prepare(matrix.CLICK_DELIVERED, takes=False)
    shown.submit()
    shown.wait_for("sealed")
    stage.note(matrix.CLICK_DELIVERED, answers=shown.take_by_double_click())
    stage.open_page(shown)

    revoked = stage.prepare(matrix.CLICK_REVOKE, takes=False)
    revoked.submit()
    revoked.wait_for("sealed")
    revoked.take_by_double_click()
    stage.note(matrix.CLICK_REVOKE, answers=revoked.click("revoke", reason="double click"))
    stage.open_page(revoked)


def _unclaimed(stage: Stage) -> Asked:
    """A key that nobody fetches in time, while three sweeps look for such."""
    asked = stage.prepare(matrix.THREE_SWEEPS, takes=False)
    asked.submit()
    stage.open_page(asked)
    return asked


def dead_scheduler(stage: Stage, seconds: float) -> None:
    """A request whose next attempt only the sweep can ring, and no sweep for so long."""
    with stage.standing_still("scheduler"):
        asked = stage.prepare(matrix.SCHEDULER_DEAD)
        asked.submit()
        stage.open_page(asked, seconds=seconds + LONGEST_LIFE_OF_A_PAGE)
        time.sleep(seconds)
        status = asked.status()
        stage.note(matrix.SCHEDULER_DEAD, waits=status["state"], dead_for=seconds)
    asked.wait_for_the_end(30)


def skewed_clocks(stage: Stage) -> None:
    """AWS's clock ahead of and behind this machine's, within what a signature forgives."""
    for fault, skew in zip(matrix.CLOCKS, (200, -200), strict=True):
        stage.sandbox.settings(skew_seconds=skew)
        asked = stage.ask(fault)
        asked.wait_for_the_end(60)
    stage.sandbox.settings(skew_seconds=0)


def throttling_and_a_dead_web(stage: Stage) -> None:
    """A web process and all its children, killed while AWS is slow and the page waits."""
    asked = _slow(stage, matrix.WEB_KILLED, 2 * WEB_GONE_AFTER)
    stage.wait_for_create(asked, answered=False)
    stage.ask(matrix.THROTTLED_THRICE)
    time.sleep(WEB_GONE_AFTER)
    for pid in stage.product.pids("web"):
        os.kill(pid, signal.SIGKILL)


def _slow(stage: Stage, fault: Fault, seconds: float) -> Asked:
    asked = stage.prepare(fault)
    stage.sandbox.fault("hang", "after", operation=CREATE, name=asked.name, seconds=seconds)
    asked.submit()
    stage.open_page(asked)
    return asked
