"""Why a request ended, where the portal says so itself; all other codes are AWS's own names."""

from enum import StrEnum


class ErrorCode(StrEnum):
    """The portal's codes, in columns and in the audit log beside AWS's (portal.grafana.errors)."""

    NAME_TAKEN = "NameTaken"
    CANNOT_SEAL = "CannotSeal"
    NOT_GRANTED = "NotGranted"
    NOT_USABLE = "NotUsable"
    NOT_AGREED = "NotAgreed"
    WORKSPACE_CHANGING = "WorkspaceChanging"
    QUEUED_TOO_LONG = "QueuedTooLong"
