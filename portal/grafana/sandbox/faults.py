"""Faults that can be ordered for calls to come. A fault is an object with these members:

kind         `error`: an error of `type`, `status`, `message` and further `members`
             `drop`: the connection is closed without an answer
             `hang`: the answer comes `seconds` late
             `html`: a page of `status` (200), as a proxy would send
             `empty`: `status` (200) without a body
             `no_key`: the true answer without the key in it
             `truncated`: half of the true answer, then the connection is closed
when         `before`: in place of the effect (`hang`: the effect follows if the client still waits)
             `after`: the effect stands, and only its answer suffers
             `late`: the effect comes `seconds` later, whoever still waits; only `hang` waits for it
             Left out: `after` for what looks like success (the last four kinds), else `before`.
operation    (`*`) the operation it is for, by AWS's name
name         (any) only calls that carry this name in their body
seconds      (0) see above
skip         (0) how many calls it lets pass first
times        (1) how many calls it meets; null: every one, the default with a `probability`
probability  (1) with which it meets a call
type         (InternalServerException) of an error; its `status` follows from it, if left out
headers      (none) more headers for the answer: `{"Retry-After": "3"}`

The oldest fault that meets a call is the only one to do so.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from secrets import SystemRandom
from typing import Any

from portal.grafana.sandbox.errors import AwsError
from portal.grafana.sandbox.reading import (
    Reader,
    anything,
    mapping,
    members,
    number,
    one_of,
    optional,
    text,
    whole,
)
from portal.grafana.sandbox.settings import ALL, an_operation
from portal.grafana.sandbox.wire import Response

_KEEPS_THE_ANSWER = ("no_key", "truncated")
_LOOKS_LIKE_SUCCESS = (*_KEEPS_THE_ANSWER, "html", "empty")
_KINDS = ("error", "drop", "hang", *_LOOKS_LIKE_SUCCESS)
_PAGE = b"<!DOCTYPE html><title>Gateway</title><h1>The gateway has something to say.</h1>\n"

_chance = SystemRandom()


@dataclass(slots=True)
class Fault:
    kind: str
    when: str = ""
    operation: str = ALL
    name: str | None = None
    seconds: float = 0
    skip: int = 0
    times: int | None = 1
    probability: float = 1
    status: int | None = None
    type: str = "InternalServerException"
    message: str = "The sandbox was told to fail."
    members: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.when = self.when or ("after" if self.kind in _LOOKS_LIKE_SUCCESS else "before")
        if self.kind in _KEEPS_THE_ANSWER and self.when != "after":
            raise ValueError(f"{self.kind} needs an answer to spoil: only `after` the effect")

    def meets(self, called: str, name: str | None) -> bool:
        """Whether it strikes a call of operation `called`; counts those it is to let pass."""
        if self.operation not in (ALL, called) or self.name not in (None, name):
            return False
        if self.skip:
            self.skip -= 1
            return False
        return self.probability >= 1 or _chance.random() < self.probability

    def answer(self, true_answer: Response | None) -> Response | None:
        """What the client gets; `true_answer` is None where the effect is not (yet) there."""
        spoiled = self._spoil(true_answer)
        return spoiled and replace(spoiled, headers={**spoiled.headers, **self.headers})

    def _spoil(self, true_answer: Response | None) -> Response | None:
        match self.kind:
            case "error":
                error = AwsError(self.type, self.message, status=self.status, members=self.members)
                return error.response()
            case "html":
                return Response(self.status or 200, _PAGE, content_type="text/html")
            case "empty":
                return Response(self.status or 200)
            case "no_key" if true_answer:
                return replace(true_answer, body=_without_key(true_answer.body))
            case "truncated" if true_answer:
                return replace(true_answer, cut=True)
            case _:
                return None


class Faults:
    """The faults on order, the oldest first."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []

    def order(self, said: Iterable[object]) -> None:
        """Add the faults that JSON objects describe. Raises ValueError, having added none."""
        self._ordered += [_fault(each) for each in said]

    def take(self, called: str, name: str | None) -> Fault | None:
        """The fault that strikes this call, if any; one that has struck enough is forgotten."""
        for fault in self._ordered:
            if fault.meets(called, name):
                if fault.times is not None:
                    fault.times -= 1
                    if not fault.times:
                        self._ordered.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        self._ordered.clear()

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._ordered]


def _fault(said: object) -> Fault:
    read = members(said, _READERS)
    if "kind" not in read:
        raise ValueError("a fault needs a kind")
    if "probability" in read:
        read = {"times": None, **read}
    return Fault(**read)


_READERS: Mapping[str, Reader] = {
    "kind": one_of(*_KINDS),
    "when": one_of("before", "after", "late"),
    "operation": an_operation,
    "name": text,
    "seconds": number(0),
    "skip": whole(0),
    "times": optional(whole(1)),
    "probability": number(0),
    "status": whole(200),
    "type": text,
    "message": text,
    "members": mapping(anything),
    "headers": mapping(text),
}


def _without_key(body: bytes) -> bytes:
    answer: dict[str, Any] = json.loads(body)
    answer.get("serviceAccountToken", {}).pop("key", None)
    return json.dumps(answer).encode()
