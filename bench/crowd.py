"""People at once: one after another, each in their own time, or all at the same instant."""

import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from bench.peers import Peer

PAUSE = 0.15
"""Seconds between two tokens of people who take turns: the last one's echo dies away."""


def fresh_name() -> str:
    return f"bench-{secrets.token_hex(8)}"


def in_turns(peers: Sequence[Peer], rounds: int) -> dict[str, list[float]]:
    """Each once a round, alone, and another first each time, so that noise meets all alike.

    Returns the seconds of each, by who it is.
    """
    taken: dict[str, list[float]] = {peer.who: [] for peer in peers}
    for number in range(rounds):
        first = number % len(peers)
        for peer in (*peers[first:], *peers[:first]):
            peer.prepare()
            time.sleep(PAUSE)
            taken[peer.who].append(peer.issue(fresh_name()))
    return taken


def in_their_own_time(
    peers: Sequence[Peer], rounds: int, think: tuple[float, float]
) -> list[float]:
    """Each issues, thinks for a random time (seconds, from-to), and issues again."""

    def work(number: int) -> list[float]:
        chance = random.Random(number)
        taken = []
        for _ in range(rounds):
            peers[number].prepare()
            time.sleep(chance.uniform(*think))
            taken.append(peers[number].issue(fresh_name()))
        return taken

    return _everybody(peers, work)


def at_the_same_instant(peers: Sequence[Peer]) -> list[float]:
    """All press the button together, once."""
    start = threading.Barrier(len(peers))

    def work(number: int) -> list[float]:
        peers[number].prepare()
        start.wait()
        return [peers[number].issue(fresh_name())]

    return _everybody(peers, work)


def _everybody(peers: Sequence[Peer], work: Callable[[int], list[float]]) -> list[float]:
    with ThreadPoolExecutor(len(peers)) as pool:
        return [one for taken in pool.map(work, range(len(peers))) for one in taken]
