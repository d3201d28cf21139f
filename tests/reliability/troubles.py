"""What may go wrong in a token's life, for the state machine to choose from."""

from typing import Any

CREATE = "CreateWorkspaceServiceAccountToken"
DELETE = "DeleteWorkspaceServiceAccountToken"
LIST = "ListWorkspaceServiceAccountTokens"

RARE = (
    "the name is asked for again",
    "the scheduler is killed",
    "the broker is emptied",
    "the engineer leaves the team",
    "a stranger takes the name",
    "a stranger takes the next name",
    "a stranger takes the name for another account",
)
HAPPENINGS = ("killed", "ended", "access lost", "same message", "out of time", "lease over")


def _error(status: int, kind: str, when: str = "before", **members: Any) -> dict[str, Any]:
    return {"kind": "error", "when": when, "status": status, "type": kind, **members}


ANYWHERE: tuple[dict[str, Any], ...] = (
    _error(429, "ThrottlingException", headers={"Retry-After": "3"}),
    _error(500, "InternalServerException"),
    _error(500, "InternalServerException", "after"),
    _error(503, "ServiceUnavailable", "after"),
    _error(403, "AccessDeniedException"),
    _error(409, "ConflictException"),
    {"kind": "drop", "when": "before"},
    {"kind": "drop", "when": "after"},
    {"kind": "html"},
    {"kind": "empty"},
    {"kind": "truncated"},
)
FAULTS: tuple[dict[str, Any], ...] = (
    *({"operation": operation, **fault} for operation in (CREATE, DELETE) for fault in ANYWHERE),
    *({"operation": LIST, **fault} for fault in ANYWHERE[:6]),
    *({"operation": CREATE, "kind": kind} for kind in ("html", "no_key", "truncated", "empty")),
    {"operation": CREATE, "kind": "drop", "when": "after"},
    {"operation": CREATE, **_error(402, "ServiceQuotaExceededException")},
    {"operation": CREATE, **_error(404, "ResourceNotFoundException")},
)
