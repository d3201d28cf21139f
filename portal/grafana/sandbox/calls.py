"""The log of calls: what was asked, what came of it, what was answered. It never holds a key."""

from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

KEPT = 10_000


@dataclass(slots=True)
class Call:
    seq: int
    at: float
    """Arrival by the sandbox's clock, in epoch seconds."""
    request_id: str
    operation: str
    workspace_id: str | None = None
    service_account_id: str | None = None
    token_id: str | None = None
    name: str | None = None
    fault: str | None = None
    """Kind and time of the fault that struck it, as `error after`."""
    effect: int | None = None
    """The status of the operation itself; None while, or when, it was not performed."""
    status: int | None = None
    """The status answered; None when the connection was dropped, or no answer is sent yet."""
    error: str | None = None
    ms: float | None = None
    """From arrival to answer, in milliseconds."""


class Calls:
    """The last 10,000 calls, and how many there were of each operation and answered status."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=KEPT)
        self._counts: Counter[tuple[str, int | None]] = Counter()
        self._seq = 0

    def begin(self, *, at: float, request_id: str, operation: str) -> Call:
        self._seq += 1
        call = Call(self._seq, at, request_id, operation)
        self._calls.append(call)
        return call

    def end(self, call: Call) -> None:
        self._counts[call.operation, call.status] += 1

    def clear(self) -> None:
        self._calls.clear()
        self._counts.clear()

    def as_json(self, *, operation: str | None, since: int) -> list[dict[str, Any]]:
        """Those after number `since`, in order of arrival; calls in progress are among them."""
        return [
            asdict(call)
            for call in self._calls
            if call.seq > since and operation in (None, call.operation)
        ]

    def counts_as_json(self) -> dict[str, dict[str, int]]:
        """Operation → answered status (`dropped` for none) → how many."""
        counts: dict[str, dict[str, int]] = {}
        for (operation, status), count in sorted(self._counts.items(), key=str):
            answered = "dropped" if status is None else str(status)
            counts.setdefault(operation, {})[answered] = count
        return counts
