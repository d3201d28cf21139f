"""Tells monitors of each call: its operation, what came of it, and how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from portal.grafana.errors import GrafanaError, NoAnswer, OutcomeUnknown
from portal.grafana.types import Operation
from portal.observing import ANSWERED, seen


@contextmanager
def told(operation: Operation) -> Iterator[None]:
    """Make the call inside. What was never sent, for want of credentials or an address, is none."""
    begun = time.monotonic()
    try:
        yield
    except GrafanaError as error:
        if code := _code(error):
            seen.aws_call(operation, code, time.monotonic() - begun)
        raise
    seen.aws_call(operation, ANSWERED, time.monotonic() - begun)


def _code(error: GrafanaError) -> str:
    if error.status is None:
        return error.unanswered
    # Where something on the way has answered, AWS has no word for it.
    is_aws = not isinstance(error, NoAnswer | OutcomeUnknown)
    return error.code if is_aws else f"HTTP{error.status}"
