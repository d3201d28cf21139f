"""The members of AMG's answers, each checked and bounded.

No text is longer than AWS's service model allows (2020-08-18), or than our columns hold where the
model sets no limit. Characters that control something (NUL, CR, ...) become U+FFFD: they can't be
stored or mailed, and a name that had one is not the name without it.
"""

import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from portal.grafana.times import timestamp

LONGEST_NAME = 255
"""Of a workspace, by AWS's model; it sets no limit for those of accounts and tokens."""
LONGEST_ENDPOINT = 2_048
LONGEST_VERSION = 255
LONGEST_STATUS = 40
LONGEST_ROLE = 20
LONGEST_ACCOUNT_ID = 20
LONGEST_TOKEN_ID = 40

_CONTROL = {"Cc", "Zl", "Zp"}
"""Unicode's categories: control characters, and those that end a line or a paragraph."""


class MalformedAnswerError(ValueError):
    """The answer is not what the operation returns."""


def moment(entry: Mapping[str, Any], member: str) -> datetime | None:
    try:
        return timestamp(entry.get(member))
    except ValueError:
        raise MalformedAnswerError(f"{member} is not a time") from None


def mapping(body: Mapping[str, Any], member: str) -> dict[str, Any]:
    value = body.get(member)
    if not isinstance(value, dict):
        raise MalformedAnswerError(f"{member} is not an object")
    return value


def aws_id(entry: Mapping[str, Any], is_valid: Callable[[object], bool], longest: int) -> str:
    """The id, if it is one that can be sent back: it becomes a part of a URL."""
    value = entry.get("id")
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str) or len(value) > longest or not is_valid(value):
        raise MalformedAnswerError("an id is not of the form that AWS documents")
    return value


def text(
    entry: Mapping[str, Any],
    member: str,
    longest: int,
    *,
    default: str | None = None,
    cut: bool = False,
) -> str:
    """A member that is a text and not empty, else ``default``; nothing in it controls anything.

    One that is too long is malformed, or cut where that can do no harm.
    """
    value = entry.get(member)
    value = default if value is None or value == "" else _string(value, member)
    if value is None:
        raise MalformedAnswerError(f"{member} is missing or not a text")
    value = value[:longest] if cut else value
    if len(value) > longest:
        raise MalformedAnswerError(f"{member} is longer than {longest} characters")
    if value.isprintable():
        return value
    return "".join("\ufffd" if unicodedata.category(one) in _CONTROL else one for one in value)


def exact(entry: Mapping[str, Any], member: str, *, default: str | None = None) -> str:
    """A member that is a text and not empty, else ``default``; as it came, whatever is in it."""
    value = entry.get(member)
    if value is None or value == "":
        value = default
    return _string(value, member)


def _string(value: object, member: str) -> str:
    if not isinstance(value, str):
        raise MalformedAnswerError(f"{member} is missing or not a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair is legal in JSON, and can't be stored or sent on.
        raise MalformedAnswerError(f"{member} is not a text") from None
    return value
