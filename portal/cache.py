"""The cache, which nothing may depend on: while its server is away, each process keeps its own."""

import time
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

from portal import valkey
from portal.incidents import Incident

ASK_AGAIN_SECONDS = 1.0
"""A server that does not answer is left alone so long: each try may cost a second of somebody's."""
MOST_KEPT = 20_000

_incident = Incident("cache")


class _Absence:
    """Shared by the threads of a process, each of which has a cache object of its own."""

    until = 0.0

    def is_on(self) -> bool:
        return time.monotonic() < self.until

    def begin(self) -> None:
        self.until = time.monotonic() + ASK_AGAIN_SECONDS


_absence = _Absence()


class SteadyRedisCache(RedisCache):
    """A Redis cache that goes on in this process's memory while its server is away.

    Limits are counted here: without the server each process counts for itself, so that they hold,
    if only as many times as there are processes. What it counted is not carried over in either
    direction. Nothing here raises for the server's sake.
    """

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        own = {name: value for name, value in params.items() if name != "OPTIONS"}
        self._own = LocMemCache("portal", {**own, "OPTIONS": {"MAX_ENTRIES": MOST_KEPT}})

    def add(self, *arguments: Any, **options: Any) -> Any:
        return self._ask(super().add, self._own.add, arguments, options)

    def get(self, *arguments: Any, **options: Any) -> Any:
        return self._ask(super().get, self._own.get, arguments, options)

    def set(self, *arguments: Any, **options: Any) -> Any:
        return self._ask(super().set, self._own.set, arguments, options)

    def touch(self, *arguments: Any, **options: Any) -> Any:
        return self._ask(super().touch, self._own.touch, arguments, options)

    def delete(self, *arguments: Any, **options: Any) -> Any:
        return self._ask(super().delete, self._own.delete, arguments, options)

    def get_many(self, *arguments: Any, **options: Any) -> Any:
        return self._ask(super().get_many, self._own.get_many, arguments, options)

    def set_many(self, *arguments: Any, **options: Any) -> Any:
        return self._ask(super().set_many, self._own.set_many, arguments, options)

    def delete_many(self, *arguments: Any, **options: Any) -> Any:
        return self._ask(super().delete_many, self._own.delete_many, arguments, options)

    def has_key(self, *arguments: Any, **options: Any) -> Any:
        return self._ask(super().has_key, self._own.has_key, arguments, options)

    def incr(self, *arguments: Any, **options: Any) -> Any:
        """Raises ValueError where the key is not there."""
        return self._ask(super().incr, self._own.incr, arguments, options)

    def clear(self) -> Any:
        self._own.clear()
        return self._ask(super().clear, self._own.clear, (), {})

    def _ask(
        self,
        server: Callable[..., Any],
        own: Callable[..., Any],
        arguments: tuple[Any, ...],
        options: dict[str, Any],
    ) -> Any:
        if not _absence.is_on():
            try:
                answer = server(*arguments, **options)
            except RedisError as error:
                _absence.begin()
                _incident.note(error, is_misconfigured=valkey.is_misconfigured(error))
                # Its name may lead to another server by now, one that takes writes.
                self._cache.get_client(write=True).connection_pool.disconnect()
            else:
                _incident.over()
                return answer
        return own(*arguments, **options)
