"""Reading AMG's answers (rest-json): errors, and the members the portal uses.

An answer is either understood whole or malformed: half a token list would make a live token
look gone. Who can do without a row asks for the list with the rows that were left out. Texts of
MalformedAnswerError are ours and quote nothing of the answer.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

from portal.amg import is_number, is_workspace_id
from portal.grafana import members
from portal.grafana.errors import (
    GrafanaError,
    NoAnswer,
    OutcomeUnknown,
    ThrottlingException,
    ValidationException,
    error_class,
)
from portal.grafana.members import MalformedAnswerError
from portal.grafana.times import http_date, retry_after, timestamp
from portal.grafana.transport import Answer
from portal.grafana.types import (
    CreatedToken,
    Key,
    LeftOut,
    Operation,
    ServiceAccount,
    TokenSummary,
    Workspace,
)
from portal.grafana.urls import is_web_url

LONGEST_MESSAGE = 1_000
"""Characters of AWS's text that are kept."""

# Without "_", which AWS uses in neither and every key has.
_ERROR_TYPE = re.compile(r"[A-Za-z0-9.]{1,100}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9.:/=+-]{1,100}")
_KEY_SHAPED = re.compile(r"glsa_\w+")

Entry = TypeVar("Entry")


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
    answer: Answer,
    *,
    member: str,
    read_entry: Callable[[Mapping[str, Any]], Entry],
    left_out: list[LeftOut] | None = None,
) -> tuple[list[Entry], str]:
    """The entries of one page of a list, and its ``nextToken``: "" on the last one.

    Raises MalformedAnswerError if any of it is not understood; an entry alone is added to
    ``left_out`` instead, where there is one.
    """
    body = document(answer)
    entries = body.get(member)
    if not isinstance(entries, list):
        raise MalformedAnswerError(f"{member} is not a list")
    read = []
    for number, entry in enumerate(entries, 1):
        try:
            if not isinstance(entry, dict):
                raise MalformedAnswerError(f"{member} holds what is no object")
            read.append(read_entry(entry))
        except MalformedAnswerError as malformed:
            if left_out is None:
                raise
            why = f"number {number} of a page: {malformed}"
            left_out.append(_left_out(entry, why, request_id(answer)))
    return read, members.exact(body, "nextToken", default="")


def _left_out(entry: object, why: str, request_id: str) -> LeftOut:
    entry = entry if isinstance(entry, dict) else {}
    aws_id = ""
    with suppress(MalformedAnswerError):
        aws_id = members.aws_id(
            entry, lambda value: is_number(value) or is_workspace_id(value), members.LONGEST_NAME
        )
    return LeftOut(aws_id, _name_if_any(entry), why, request_id)


def _name_if_any(entry: Mapping[str, Any]) -> str | None:
    """A name that nothing is decided by."""
    if entry.get("name") == "":
        return ""
    try:
        return members.text(entry, "name", members.LONGEST_NAME, cut=True)
    except MalformedAnswerError:
        return None


def workspace(entry: Mapping[str, Any]) -> Workspace:
    """A workspace from ``workspaces`` or ``workspace``. Raises MalformedAnswerError."""
    endpoint = members.text(entry, "endpoint", members.LONGEST_ENDPOINT, default="")
    return Workspace(
        id=members.aws_id(entry, is_workspace_id, members.LONGEST_NAME),
        name=members.text(entry, "name", members.LONGEST_NAME, default=""),
        status=members.text(entry, "status", members.LONGEST_STATUS),
        grafana_version=members.text(entry, "grafanaVersion", members.LONGEST_VERSION, default=""),
        endpoint=endpoint if is_web_url(endpoint) else "",
    )


def described_workspace(answer: Answer) -> Workspace:
    """The workspace from DescribeWorkspace's answer. Raises MalformedAnswerError."""
    return workspace(members.mapping(document(answer), "workspace"))


def service_account(entry: Mapping[str, Any]) -> ServiceAccount:
    """A service account from ``serviceAccounts``. Raises MalformedAnswerError.

    ``isDisabled`` is a string in AWS's model; a JSON boolean is taken too.
    """
    role = members.text(entry, "grafanaRole", members.LONGEST_ROLE)
    if not role.isascii():  # in upper case some letters are two
        raise MalformedAnswerError("grafanaRole is none of Grafana's")
    is_disabled = {"true": True, "false": False}.get(str(entry.get("isDisabled")).lower())
    if is_disabled is None:
        raise MalformedAnswerError("isDisabled is neither true nor false")
    return ServiceAccount(
        id=members.aws_id(entry, is_number, members.LONGEST_ACCOUNT_ID),
        name=members.text(entry, "name", members.LONGEST_NAME, default=""),
        grafana_role=role.upper(),
        is_disabled=is_disabled,
    )


def token_summary(entry: Mapping[str, Any]) -> TokenSummary:
    """A token from ``serviceAccountTokens``. Raises MalformedAnswerError.

    Names of ours have 128 characters at most, so a longer one may be cut. Recovery and pruning
    decide by the first two times, so a strange one is malformed; the time of the last use is for
    showing, and a strange one is none.
    """
    try:
        last_used_at = timestamp(entry.get("lastUsedAt"))
    except ValueError:
        last_used_at = None
    name = _name_if_any(entry)
    if name is None:
        raise MalformedAnswerError("name is missing or not a text")
    return TokenSummary(
        id=members.aws_id(entry, is_number, members.LONGEST_TOKEN_ID),
        name=name,
        created_at=members.moment(entry, "createdAt"),
        expires_at=members.moment(entry, "expiresAt"),
        last_used_at=last_used_at,
    )


def created_token(answer: Answer) -> CreatedToken:
    """The new token from a create's answer.

    Raises MalformedAnswerError without a key, or without an id to delete the token by.
    """
    entry = members.mapping(document(answer), "serviceAccountToken")
    return CreatedToken(
        id=members.aws_id(entry, is_number, members.LONGEST_TOKEN_ID),
        name=_name_if_any(entry) or "",
        key=Key(members.exact(entry, "key")),
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
