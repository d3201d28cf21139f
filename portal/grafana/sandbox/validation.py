"""Validation by the service model's rules, all of a request's faults in one answer."""

import json
import re
from collections.abc import Mapping
from typing import Any

from portal.grafana.sandbox.errors import AwsError

WORKSPACE_ID = re.compile(r"g-[0-9a-f]{10}")
GRAFANA_VERSION_FORM = re.compile(r"\d+(\.\d+)+")
LONGEST_NAME = 128
LONGEST_LIFE_SECONDS = 30 * 24 * 60 * 60
LARGEST_PAGE = 100
ROLES = ("ADMIN", "EDITOR", "VIEWER")


class Violations:
    """Reads the members of a request and collects what is wrong with them.

    Until `check` has been called, what was read may be a stand-in for something wrong.
    """

    def __init__(self) -> None:
        self._found: list[dict[str, str]] = []

    def add(self, name: str, message: str) -> None:
        self._found.append({"name": name, "message": message})

    def check(self) -> None:
        """Raises AwsError (ValidationException), if anything was wrong."""
        if self._found:
            names = ", ".join(violation["name"] for violation in self._found)
            raise AwsError(
                "ValidationException",
                f"The request is not valid: {names}.",
                members={"reason": "FIELD_VALIDATION_FAILED", "fieldList": self._found},
            )

    def workspace_id(self, labels: Mapping[str, str]) -> str:
        workspace_id = labels["workspaceId"]
        if not WORKSPACE_ID.fullmatch(workspace_id):
            self.add("workspaceId", f"must match {WORKSPACE_ID.pattern}")
        return workspace_id

    def name(self, body: Mapping[str, Any]) -> str:
        name = body.get("name")
        if not isinstance(name, str):
            self.add("name", "must be a string")
        elif not 1 <= len(name) <= LONGEST_NAME:
            self.add("name", f"must have 1 to {LONGEST_NAME} characters")
        elif any("\ud800" <= character <= "\udfff" for character in name):
            self.add("name", "must be Unicode text")  # JSON can escape half of a character
        else:
            return name
        return ""

    def role(self, body: Mapping[str, Any]) -> str:
        role = body.get("grafanaRole")
        if role in ROLES:
            return str(role)
        self.add("grafanaRole", f"must be one of {', '.join(ROLES)}")
        return ""

    def seconds_to_live(self, body: Mapping[str, Any]) -> int:
        seconds = body.get("secondsToLive")
        # A bool is an int to Python, not to JSON.
        if isinstance(seconds, int) and not isinstance(seconds, bool):
            if 1 <= seconds <= LONGEST_LIFE_SECONDS:
                return seconds
            self.add("secondsToLive", f"must be from 1 to {LONGEST_LIFE_SECONDS}")
        else:
            self.add("secondsToLive", "must be an integer")
        return 0

    def max_results(self, query: Mapping[str, str], default: int) -> int:
        text = query.get("maxResults")
        if text is None:
            return default
        if text.isascii() and text.isdigit() and 1 <= int(text) <= LARGEST_PAGE:
            return int(text)
        self.add("maxResults", f"must be an integer from 1 to {LARGEST_PAGE}")
        return default


def row_id(text: str) -> int | None:
    """The number behind an account's or a token's id, or None where no such id can exist."""
    is_number = text.isascii() and text.isdigit() and not text.startswith("0")
    return int(text) if is_number and len(text) < 19 else None


def json_object(body: bytes) -> dict[str, Any]:
    """The request's body; none at all counts as an empty object. Raises AwsError."""
    try:
        said = json.loads(body or b"{}")
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise AwsError(
            "ValidationException",
            "The body is not a JSON object.",
            members={"reason": "CANNOT_PARSE"},
        )
    return said
