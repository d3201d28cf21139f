"""The sandbox as the flows' AWS, as in tests/flows."""

from tests.flows.conftest import _sandbox, aws, catalog, no_waiting

__all__ = ["_sandbox", "aws", "catalog", "no_waiting"]
