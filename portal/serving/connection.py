"""A connection of the web server, and the request that is being collected on it."""

import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gunicorn.workers.gthread import TConn

from portal.serving.arriving import Arriving


def most_waiting() -> int:
    """How many connections may wait in one process: most of the files that it may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(64, min(1000, soft - 200))


class Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """One that the main loop closes without waiting for the other side."""

    def __init__(self, linger: Callable[["Connection"], None], *args: Any) -> None:
        super().__init__(*args)
        self._linger = linger

    def close(self, graceful: bool = False) -> None:
        if graceful:
            self._linger(self)
        else:
            super().close()


@dataclass(slots=True)
class Coming:
    """A request that is being collected."""

    since: float
    request: Arriving
    is_watched: bool = False
    """Whether the main loop looks for more of it: most come whole at once."""
