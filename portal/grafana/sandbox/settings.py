"""How the stand-in behaves where AWS varies, is slow, or is not known for sure.

What is set replaces what was set: `{"rate_limits": {}}` lifts every limit.

latency_ms        ({}) milliseconds added per operation; `*` for those not named
held              ([]) operations, or `*`, whose calls wait, without effect, until they are let go
rate_limits       ({}) calls per second per operation, and `*` for all together:
                  `{"per_second": 5, "retry_after": "int"}`; the Retry-After header of a refusal is
                  `int` (seconds, the default), `date` or `missing`
skew_seconds      (0) how far AWS's clock is ahead of this machine's, for signatures too
duplicate_status  (409) 409 ConflictException or 400 ValidationException for a name that is taken
token_quota       (100) tokens per workspace
account_quota     (100) service accounts per workspace
page_size         (100) items per page where the request does not say
role_case         (lower) `grafanaRole` in ListWorkspaceServiceAccounts: `lower` or `upper`
is_disabled_as    (string) `isDisabled` there: `string`, as in the model, or `boolean`
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from portal.grafana.sandbox.errors import AwsError
from portal.grafana.sandbox.reading import (
    Reader,
    list_of,
    mapping,
    members,
    number,
    one_of,
    whole,
)
from portal.grafana.sandbox.wire import http_date

ALL = "*"
OPERATIONS = (
    "ListWorkspaces",
    "DescribeWorkspace",
    "ListWorkspaceServiceAccounts",
    "CreateWorkspaceServiceAccount",
    "DeleteWorkspaceServiceAccount",
    "ListWorkspaceServiceAccountTokens",
    "CreateWorkspaceServiceAccountToken",
    "DeleteWorkspaceServiceAccountToken",
)
an_operation = one_of(ALL, *OPERATIONS)


@dataclass(slots=True)
class RateLimit:
    """A bucket of `per_second` calls that refills at that pace."""

    per_second: float
    retry_after: str
    _left: float = field(init=False)
    _seen: float = field(init=False)

    def __post_init__(self) -> None:
        self._left = self._capacity
        self._seen = time.monotonic()

    @property
    def _capacity(self) -> float:
        return max(1.0, self.per_second)

    def take(self, now: float) -> None:
        """Count one call. Raises AwsError (ThrottlingException) when the bucket is empty."""
        seen, self._seen = self._seen, time.monotonic()
        self._left = min(self._capacity, self._left + (self._seen - seen) * self.per_second)
        if self._left >= 1:
            self._left -= 1
            return
        seconds = math.ceil((1 - self._left) / self.per_second)
        shapes = {"int": str(seconds), "date": http_date(now + seconds)}
        shape = shapes.get(self.retry_after)
        raise AwsError(
            "ThrottlingException",
            "Rate exceeded",
            members={"serviceCode": "grafana", "quotaCode": "sandbox"},
            headers={"Retry-After": shape} if shape else {},
        )


@dataclass(slots=True)
class Settings:
    latency_ms: dict[str, float] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)
    rate_limits: dict[str, RateLimit] = field(default_factory=dict)
    skew_seconds: float = 0
    duplicate_status: int = 409
    token_quota: int = 100
    account_quota: int = 100
    page_size: int = 100
    role_case: str = "lower"
    is_disabled_as: str = "string"

    def change(self, changes: object) -> None:
        """Take over what a JSON object says. Raises ValueError, having changed nothing."""
        for name, value in members(changes, _READERS).items():
            setattr(self, name, value)

    def latency_seconds(self, name: str) -> float:
        return self.latency_ms.get(name, self.latency_ms.get(ALL, 0)) / 1000

    def holds(self, name: str) -> bool:
        return name in self.held or ALL in self.held

    def throttle(self, name: str, now: float) -> None:
        """Count a call against the limits on it. Raises AwsError (ThrottlingException)."""
        for limited in (name, ALL):
            if limit := self.rate_limits.get(limited):
                limit.take(now)

    def as_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        shown["rate_limits"] = {
            name: {"per_second": limit.per_second, "retry_after": limit.retry_after}
            for name, limit in self.rate_limits.items()
        }
        return shown


def _rate_limit(_name: str, said: object) -> RateLimit:
    readers = {"per_second": number(0.001), "retry_after": one_of("int", "date", "missing")}
    read = members(said, readers)
    if "per_second" not in read:
        raise ValueError("a rate limit needs per_second")
    return RateLimit(read["per_second"], read.get("retry_after", "int"))


_READERS: Mapping[str, Reader] = {
    "latency_ms": mapping(number(0), keys=an_operation),
    "held": list_of(an_operation),
    "rate_limits": mapping(_rate_limit, keys=an_operation),
    "skew_seconds": number(),
    "duplicate_status": one_of(409, 400),
    "token_quota": whole(0),
    "account_quota": whole(0),
    "page_size": whole(1),
    "role_case": one_of("lower", "upper"),
    "is_disabled_as": one_of("string", "boolean"),
}
