"""Pages of a list: `maxResults` in, an opaque `nextToken` out."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from portal.grafana.sandbox.validation import Violations

Row = TypeVar("Row")

# Standard base64 of this begins with "+/": a client that does not percent-encode fails here too.
_MARK = b"\xfb\xf0"


@dataclass(frozen=True, slots=True)
class Page:
    """At most `limit` rows of the list at `path`, from the one behind position `after`."""

    path: str
    after: int
    limit: int

    @classmethod
    def asked_for(
        cls, path: str, query: Mapping[str, str], *, default: int, violations: Violations
    ) -> "Page":
        after = 0
        if next_token := query.get("nextToken"):
            after = _position(path, next_token)
            if after < 0:
                violations.add("nextToken", "was not given out by this operation")
        return cls(path, after, violations.max_results(query, default))

    @property
    def fetch(self) -> int:
        """How many rows to read: one more than are shown tells whether there is a next page."""
        return self.limit + 1

    def answer(
        self,
        member: str,
        rows: Sequence[Row],
        *,
        show: Callable[[Row], dict[str, Any]],
        position: Callable[[Row], int],
    ) -> dict[str, Any]:
        answer: dict[str, Any] = {member: [show(row) for row in rows[: self.limit]]}
        if len(rows) > self.limit:
            answer["nextToken"] = _next_token(self.path, position(rows[self.limit - 1]))
        return answer


def _next_token(path: str, position: int) -> str:
    return base64.b64encode(_MARK + f"{position} {path}".encode()).decode()


def _position(path: str, next_token: str) -> int:
    """What `_next_token` was told for that path, or -1."""
    try:
        said = base64.b64decode(next_token, validate=True)
        position, _, for_path = said.removeprefix(_MARK).decode().partition(" ")
        return int(position) if for_path == path else -1
    except ValueError:
        return -1
