"""What AMG's answers become: plain values, and a key that hides itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Never


class Operation(StrEnum):
    """AWS's names of what the portal asks for: in IAM policies, in CloudTrail, in our errors."""

    LIST_WORKSPACES = "ListWorkspaces"
    DESCRIBE_WORKSPACE = "DescribeWorkspace"
    LIST_SERVICE_ACCOUNTS = "ListWorkspaceServiceAccounts"
    LIST_TOKENS = "ListWorkspaceServiceAccountTokens"
    CREATE = "CreateWorkspaceServiceAccountToken"
    DELETE = "DeleteWorkspaceServiceAccountToken"


class Key:
    """A service-account token's secret string, which only ``reveal`` gives out.

    Whatever prints, formats, copies, pickles or serialises the object gets ``Key(hidden)`` or a
    TypeError, so that a stray log line or traceback cannot tell it. Two keys are equal only if they
    are the same object: comparing contents is left to whoever reveals them.
    """

    __slots__ = ("__secret",)

    def __init__(self, secret: str) -> None:
        self.__secret = secret

    def reveal(self) -> str:
        """Return the secret itself (``glsa_…``; AWS promises no length)."""
        return self.__secret

    def __repr__(self) -> str:
        return "Key(hidden)"

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __getstate__(self) -> Never:
        # Pickling, copying and dataclasses.asdict all begin with this.
        raise TypeError("a Key is never copied, pickled or serialised")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row of a list that can't be used, while the rest of the list can."""

    id: str
    """"" where not even that can be read."""
    name: str | None
    """None where not even that can be read."""
    why: str
    request_id: str
    """Of the page that it stood on."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace as ListWorkspaces or DescribeWorkspace gives it; ``""`` for what AWS left out."""

    id: str
    name: str
    status: str
    grafana_version: str
    endpoint: str
    """As AWS gave it: a host name, without a scheme in all samples seen; "" where that would make
    no https link (http only to this machine)."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A service account of one workspace."""

    id: str
    name: str
    grafana_role: str
    """ADMIN, EDITOR or VIEWER, in upper case whatever AWS wrote."""
    is_disabled: bool


@dataclass(frozen=True, slots=True)
class TokenSummary:
    """What AMG tells about a token after its creation. All times are aware and in UTC."""

    id: str
    name: str
    created_at: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None
    """Written late by Grafana and sometimes not at all: for showing only."""


@dataclass(frozen=True, slots=True)
class TokenList:
    """Every token of a service account, expired ones included: never a part of the list."""

    tokens: tuple[TokenSummary, ...]
    answered_at: datetime | None
    """AWS's clock (the ``Date`` header) when it gave the *first* page: what is missing here was
    missing then, and may have come since."""
    request_id: str
    """Of the first page."""

    def is_over(self, token_id: str, *, since: timedelta) -> bool:
        """Whether a token is listed whose time has been over for so long, by AWS's own clock."""
        return any(
            one.id == token_id
            and one.expires_at is not None
            and self.answered_at is not None
            and one.expires_at + since <= self.answered_at
            for one in self.tokens
        )


@dataclass(frozen=True, slots=True)
class CreatedToken:
    """A new token, with the key that this one answer holds and AWS never gives again."""

    id: str
    name: str
    key: Key
    answered_at: datetime | None
    """AWS's clock (the ``Date`` header): the token lives from about then."""
    request_id: str
