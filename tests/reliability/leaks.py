"""Looks for a key, in every form it might have taken, wherever a portal keeps or shows anything."""

import base64
import contextlib
import re
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis
from psycopg import sql

from tests import environment
from tests.product import Product

KEY_SHAPE = re.compile(rb"glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}")
"""What every whole key looks like, those included that nobody ever got to see."""

Place = tuple[str, bytes]
"""Where something lies, and what."""


def forms(key: str) -> dict[str, bytes]:
    """The key as it would look, plain or encoded, in the middle of something else."""
    plain = key.encode()
    found = {
        "plain": plain,
        "hex": plain.hex().encode(),
        "upper-case hex": plain.hex().upper().encode(),
        "percent-encoded": "".join(f"%{byte:02X}" for byte in plain).encode(),
        "UTF-16": key.encode("utf-16-le"),
        "reversed": plain[::-1],
    }
    for offset in range(3):
        # Characters of base64 hold 6 bits: those that hold a neighbour's bits too are left out.
        encoded = base64.b64encode(bytes(offset) + plain)
        first, behind = -(-8 * offset // 6), 8 * (offset + len(plain)) // 6
        found[f"base64 at {offset}"] = encoded[first:behind]
    return found


def found_in(places: Iterable[Place], keys: Iterable[str]) -> set[tuple[str, str]]:
    """Where one of the keys lies, and in which form. ("shape": a key that is none of these)."""
    searched = [form for key in keys for form in forms(key).items()]
    found: set[tuple[str, str]] = set()
    for place, content in places:
        found |= {(place, form) for form, text in searched if text in content}
        if KEY_SHAPE.search(content) and (place, "plain") not in found:
            found.add((place, "shape"))
    return found


# -- Where a product keeps things ---------------------------------------------------------------


def kept_by(product: Product) -> Iterator[Place]:
    """Every file, the database row by row, what its server writes to disk, and the broker."""
    yield from files_below(product.data_dir)
    if environment.STACK == "production":
        yield from _postgres_rows(product.environment["DATABASE_URL"])
        yield from _postgres_files(product.environment["DATABASE_URL"])
    else:
        yield from _sqlite_rows(product.data_dir / "portal.sqlite3")
    yield from broker_memory(product)
    for name in ("web", "scheduler", "broker", "run"):
        for pid in product.pids(name):
            yield f"memory of {name}", process_memory(pid)


def files_below(directory: Path) -> Iterator[Place]:
    """Database, -wal, append-only file, mails, output, and whatever else lies there."""
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            # A journal may go while we look.
            with contextlib.suppress(FileNotFoundError):
                yield f"file {path.relative_to(directory)}", path.read_bytes()


def _sqlite_rows(file: Path) -> Iterator[Place]:
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            for row in database.execute(f'SELECT * FROM "{table}"'):
                yield f"table {table}", joined(row)


def _postgres_rows(url: str) -> Iterator[Place]:
    with psycopg.connect(url) as database:
        tables = database.execute("SELECT relname FROM pg_stat_user_tables").fetchall()
        for (table,) in tables:
            for row in database.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))):
                yield f"table {table}", joined(row)


def joined(row: tuple[object, ...]) -> bytes:
    """A row's values as they are, and unpacked where Django has packed them."""
    values = (value if isinstance(value, bytes) else str(value).encode() for value in row)
    return b"\n".join(part for value in values for part in (value, _unpacked(value)))


def _unpacked(value: bytes) -> bytes:
    """What Django's signing has packed, as in a session: base64, compressed after a dot."""
    packed = value.split(b":")[0]
    with contextlib.suppress(ValueError, zlib.error):
        content = base64.urlsafe_b64decode(packed.lstrip(b".") + b"==")
        return zlib.decompress(content) if packed.startswith(b".") else content
    return b""


def _postgres_files(url: str) -> Iterator[Place]:
    """The database's own directory and the write-ahead log, as they lie on the disk."""
    with psycopg.connect(url, autocommit=True) as database:
        database.execute("CHECKPOINT")
        [row] = database.execute(
            "SELECT oid, current_setting('data_directory') FROM pg_database"
            " WHERE datname = current_database()"
        ).fetchall()
    for part in (f"base/{row[0]}", "pg_wal"):
        for place, content in files_below(Path(row[1]) / part):
            yield f"postgres/{part} {place}", content


def broker_memory(product: Product) -> Iterator[Place]:
    """Every value that the broker (which is the cache, too) holds."""
    with broker_of(product) as server:
        for name in server.scan_iter():
            yield f"broker {name!r}", name + _value(server, name)


def broker_of(product: Product) -> redis.Redis:
    """A connection to the product's broker."""
    url = product.environment.get("CELERY_BROKER_URL")
    socket = product.data_dir / "broker.sock"
    if url is None and socket.exists():
        return redis.Redis(unix_socket_path=str(socket))
    port = urlsplit(url).port if url else int(product.environment["PORTAL_BROKER_PORT"])
    return redis.Redis(port=int(port or 6379))


def _value(server: redis.Redis, name: bytes) -> bytes:
    read: dict[object, Callable[[], object]] = {
        b"string": lambda: server.get(name),
        b"list": lambda: server.lrange(name, 0, -1),
        b"set": lambda: server.smembers(name),
        b"zset": lambda: server.zrange(name, 0, -1),
        b"hash": lambda: server.hgetall(name),
        b"stream": lambda: server.xrange(name),
        b"none": lambda: b"",
    }
    value = read[server.type(name)]()
    return value if isinstance(value, bytes) else repr(value).encode()


def process_memory(pid: int) -> bytes:
    """All that a process can write to of its own memory, as it is now."""
    content = bytearray()
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            span, permissions = line.split()[:2]
            if permissions.startswith("rw"):
                start, end = (int(bound, 16) for bound in span.split("-"))
                # A region may be gone by now, or belong to a device.
                with contextlib.suppress(OSError, OverflowError, ValueError):
                    memory.seek(start)
                    content += memory.read(end - start)
    return bytes(content)
