"""The sandbox as the flows' AWS, as in tests/flows."""

import pytest

from tests.environment import STACK
from tests.flows.conftest import _sandbox, aws, catalog, no_waiting

# Their assertions are the point, and only those of test modules are spelled out by themselves.
pytest.register_assert_rewrite("tests.reliability.invariants", "tests.reliability.life")

# SQLite has no connection that could be cut.
collect_ignore = [] if STACK == "production" else ["test_database_cut.py"]

__all__ = ["_sandbox", "aws", "catalog", "no_waiting"]
