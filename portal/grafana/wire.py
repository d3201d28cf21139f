"""Reading AMG's answers (rest-json): errors, and the members the portal uses.

An answer is either understood whole or malformed: half a token list would make a live token
look gone. Texts of MalformedAnswerError are ours and quote nothing of the answer.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from portal.grafana.errors import (
    GrafanaError,
    NoAnswer,
    OutcomeUnknown,
    ThrottlingException,
    ValidationException,
    error_class,
)
from portal.grafana.identifiers import is_number, is_workspace_id
from portal.grafana.times import http_date, retry_after, timestamp
from portal.grafana.transport import Answer
from portal.grafana.types import (
    CreatedToken,
    Key,
    Operation,
    ServiceAccount,
    TokenSummary,
    Workspace,
)

LONGEST_MESSAGE = 1_000
"""Characters of AWS's text that are kept."""

# Without "_", which AWS uses in neither and every key has.
_ERROR_TYPE = re.compile(r"[A-Za-z0-9.]{1,100}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9.:/=+-]{1,100}")
_KEY_SHAPED = re.compile(r"glsa_\w+")

Entry = TypeVar("Entry")


class MalformedAnswerError(ValueError):
    """The answer is not what the operation returns."""


# -- Headers ------------------------------------------------------------------------------------


def answered_at(answer: Answer) -> datetime | None:
    """When AWS answered, by its own clock, to the second."""
    return http_date(answer.headers.get("Date"))


def request_id(answer: Answer) -> str:
    """The id under which CloudTrail has the call; "" when there is none."""
    value = answer.headers.get("x-amzn-RequestId", "")
    return value if _REQUEST_ID.fullmatch(value) else ""


# -- Errors -------------------------------------------------------------------------------------


def refusal(answer: Answer, operation: Operation) -> GrafanaError:
    """The error that an answer other than 2xx stands for.

    The type comes from the header ``x-amzn-ErrorType`` before the body's ``code`` and ``__type``.
    Without one only the status counts, and it is trusted for little: anything on the way may
    have answered.
    """
    try:
        body = document(answer)
    except MalformedAnswerError:
        body = {}
    code = _error_type(answer.headers.get("x-amzn-ErrorType"), body)
    if code:
        kind = error_class(code)
    elif answer.status == 429:
        kind = ThrottlingException
    elif 400 <= answer.status < 500:
        kind = GrafanaError
    else:
        # A server or proxy in trouble, or a redirect, which is not followed.
        kind = OutcomeUnknown if operation == Operation.CREATE else NoAnswer
    return kind(
        _message(body, with_fields=kind is ValidationException),
        operation=operation,
        code=code or (f"HTTP{answer.status}" if kind is GrafanaError else ""),
        status=answer.status,
        request_id=request_id(answer),
        retry_after=retry_after(answer.headers.get("Retry-After"), answered_at=answered_at(answer)),
    )


def _error_type(header: str | None, body: Mapping[str, Any]) -> str:
    for value in (header, body.get("code"), body.get("Code"), body.get("__type")):
        if isinstance(value, str):
            name = value.split(":", 1)[0].rsplit("#", 1)[-1].strip()
            if _ERROR_TYPE.fullmatch(name):
                return name
    return ""


def _message(body: Mapping[str, Any], *, with_fields: bool) -> str:
    """AWS's text, with the fields that a ValidationException lists, fit for a log and a column."""
    parts = [body.get("message") or body.get("Message") or body.get("errorMessage")]
    fields = body.get("fieldList") if with_fields else None
    if isinstance(fields, list):
        parts += [
            f"({one.get('name')}: {one.get('message')})" for one in fields if isinstance(one, dict)
        ]
    text = " ".join(part for part in parts if isinstance(part, str))
    printable = "".join(one if one.isprintable() else " " for one in text)
    return _KEY_SHAPED.sub("glsa_(hidden)", printable)[:LONGEST_MESSAGE]


# -- Bodies -------------------------------------------------------------------------------------


def document(answer: Answer) -> dict[str, Any]:
    """The answer's JSON object. Raises MalformedAnswerError."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        body = None
    # Raised out here, without a context: JSONDecodeError keeps the whole document, key and all.
    if not isinstance(body, dict):
        raise MalformedAnswerError("the answer is not a JSON object")
    return body


def page(
    answer: Answer, *, member: str, read_entry: Callable[[Mapping[str, Any]], Entry]
) -> tuple[list[Entry], str]:
    """The entries of one page of a list, and its ``nextToken``: "" on the last one.

    Raises MalformedAnswerError if any of it is not understood.
    """
    body = document(answer)
    entries = body.get(member)
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise MalformedAnswerError(f"{member} is not a list of objects")
    return [read_entry(one) for one in entries], _text(body, "nextToken", default="")


def workspace(entry: Mapping[str, Any]) -> Workspace:
    """A workspace from ``workspaces`` or ``workspace``. Raises MalformedAnswerError."""
    return Workspace(
        id=_id(entry, is_workspace_id),
        name=_text(entry, "name", default=""),
        status=_text(entry, "status"),
        grafana_version=_text(entry, "grafanaVersion", default=""),
        endpoint=_text(entry, "endpoint", default=""),
    )


def described_workspace(answer: Answer) -> Workspace:
    """The workspace from DescribeWorkspace's answer. Raises MalformedAnswerError."""
    return workspace(_object(document(answer), "workspace"))


def service_account(entry: Mapping[str, Any]) -> ServiceAccount:
    """A service account from ``serviceAccounts``. Raises MalformedAnswerError.

    ``isDisabled`` is a string in AWS's model; a JSON boolean is taken too.
    """
    is_disabled = {"true": True, "false": False}.get(str(entry.get("isDisabled")).lower())
    if is_disabled is None:
        raise MalformedAnswerError("isDisabled is neither true nor false")
    return ServiceAccount(
        id=_id(entry, is_number),
        name=_text(entry, "name"),
        grafana_role=_text(entry, "grafanaRole").upper(),
        is_disabled=is_disabled,
    )


def token_summary(entry: Mapping[str, Any]) -> TokenSummary:
    """A token from ``serviceAccountTokens``. Raises MalformedAnswerError.

    Recovery and pruning decide by the first two times, so a strange one spoils the list; the time
    of the last use is for showing, and a strange one is none.
    """
    try:
        last_used_at = timestamp(entry.get("lastUsedAt"))
    except ValueError:
        last_used_at = None
    return TokenSummary(
        id=_id(entry, is_number),
        name=_text(entry, "name"),
        created_at=_time(entry, "createdAt"),
        expires_at=_time(entry, "expiresAt"),
        last_used_at=last_used_at,
    )


def created_token(answer: Answer) -> CreatedToken:
    """The new token from a create's answer.

    Raises MalformedAnswerError without a key, or without an id to delete the token by.
    """
    entry = _object(document(answer), "serviceAccountToken")
    return CreatedToken(
        id=_id(entry, is_number),
        name=_text(entry, "name", default=""),
        key=Key(_text(entry, "key")),
        answered_at=answered_at(answer),
        request_id=request_id(answer),
    )


def deleted_token(answer: Answer) -> str:
    """The request id of a deletion's answer, whose body repeats the ids or is empty.

    Raises MalformedAnswerError for anything else, such as the 200 of a proxy's own page.
    """
    if answer.body.strip():
        document(answer)
    return request_id(answer)


def _time(entry: Mapping[str, Any], member: str) -> datetime | None:
    try:
        return timestamp(entry.get(member))
    except ValueError:
        raise MalformedAnswerError(f"{member} is not a time") from None


def _object(body: Mapping[str, Any], member: str) -> dict[str, Any]:
    value = body.get(member)
    if not isinstance(value, dict):
        raise MalformedAnswerError(f"{member} is not an object")
    return value


def _id(entry: Mapping[str, Any], is_valid: Callable[[object], bool]) -> str:
    """The id, if it is one that can be sent back: it becomes a part of a URL."""
    value = entry.get("id")
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str) or not is_valid(value):
        raise MalformedAnswerError("an id is not of the form that AWS documents")
    return value


def _text(entry: Mapping[str, Any], member: str, *, default: str | None = None) -> str:
    """A member that is a text and not empty, else ``default``."""
    value = entry.get(member)
    if value is None or value == "":
        value = default
    if not isinstance(value, str):
        raise MalformedAnswerError(f"{member} is missing or not a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair is legal in JSON, and can't be stored or sent on.
        raise MalformedAnswerError(f"{member} is not a text") from None
    return value
