"""Static files that one version has and another is asked for, while both serve behind one proxy.

Every web server that starts puts its files where all find them: beside the cache, under the names
that change with their content. They are signed, because whoever may write there must not write what
people's browsers run.
"""

import hmac
import logging
import re
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.utils.crypto import salted_hmac
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

KEPT_SECONDS = 180 * 86_400
AGAIN_SECONDS = 60.0
_NAME = re.compile(r"[a-z0-9/._-]{1,180}\.[0-9a-f]{12}\.(js|css|svg)")
_SIZE = 32
"""Bytes of a signature, which stands before the content."""


class _Published:
    at = -AGAIN_SECONDS


_published = _Published()


def is_name(name: str) -> bool:
    """Whether a file is called so by some version: its name holds the hash of its content."""
    return bool(_NAME.fullmatch(name))


def publish() -> None:
    """Put this version's files where others look for them; without the server, leave it."""
    _published.at = time.monotonic()
    root = Path(settings.STATIC_ROOT)
    storage: Any = staticfiles_storage  # the manifest's, which Django's base class knows nothing of
    names = sorted(name for name in set(storage.hashed_files.values()) if is_name(name))
    try:
        with settings.CACHE.connect(socket_timeout=2, socket_connect_timeout=1) as client:
            pipeline = client.pipeline(transaction=False)
            for name in names:
                content = (root / name).read_bytes()
                pipeline.set(_key(name), _signature(name, content) + content, ex=KEPT_SECONDS)
            pipeline.execute()
    except (RedisError, OSError) as error:
        log.info("static.not_published", extra={"error": type(error).__name__})


def of_another(name: str) -> bytes | None:
    """The content of a file that this version does not have, if another has published it.

    Who is asked for one learns that there is another version, and puts its own files there again:
    the server may have lost them.
    """
    try:
        with settings.CACHE.connect(socket_timeout=1, socket_connect_timeout=1) as client:
            found: bytes = client.get(_key(name)) or b""
    except RedisError:
        return None
    if time.monotonic() - _published.at > AGAIN_SECONDS:
        publish()
    signature, content = found[:_SIZE], found[_SIZE:]
    return content if hmac.compare_digest(signature, _signature(name, content)) else None


def _key(name: str) -> str:
    return f"portal:static:{name}"


def _signature(name: str, content: bytes) -> bytes:
    text = b"%s\0%s" % (name.encode(), content)
    return salted_hmac("portal.static_versions", text, algorithm="sha256").digest()
