"""What Amazon Managed Grafana accepts, wherever it must be known (service model of 2020-08-18)."""

import re

LONGEST_LIFETIME = 2_592_000
"""Seconds, 30 days, of a token's life (CreateWorkspaceServiceAccountToken)."""
LONGEST_TOKEN_NAME = 128
"""Characters (CreateWorkspaceServiceAccountToken)."""

_WORKSPACE_ID = re.compile(r"g-[0-9a-f]{10}")
_NUMBER = re.compile(r"[0-9]+")


def is_workspace_id(value: object) -> bool:
    """Whether it is of the form ``g-1a2b3c4d5e`` (the service model's pattern, whole)."""
    return isinstance(value, str) and _WORKSPACE_ID.fullmatch(value) is not None


def is_number(value: object) -> bool:
    """Whether it is a string of ASCII digits, as the ids of accounts and tokens are."""
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None
