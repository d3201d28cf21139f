"""The sandbox as the flows' AWS, as in tests/flows."""

import pytest

from tests.flows.conftest import _sandbox, aws, catalog, no_waiting

pytest.register_assert_rewrite("tests.reliability.invariants")

__all__ = ["_sandbox", "aws", "catalog", "no_waiting"]
