"""Times as AWS and HTTP write them. What is read becomes aware datetimes in UTC, and seconds."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_RETRY_AFTER = 86_400.0
"""Seconds; more than a day is taken for a day."""

_EPOCH = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DELAY = re.compile(r"[0-9]+(\.[0-9]+)?")


def http_date(text: str | None) -> datetime | None:
    """An HTTP date (RFC 9110) as an aware datetime in UTC; None for anything else."""
    if text is None:
        return None
    try:
        return _utc(parsedate_to_datetime(text))
    except (ValueError, OverflowError):
        return None


def timestamp(value: object) -> datetime | None:
    """A timestamp in any form that botocore takes, as an aware datetime in UTC; None for null.

    Epoch seconds (whole, fractional, or as a string of digits), ISO 8601, an HTTP date. Raises
    ValueError for anything else.
    """
    if value is None:
        return None
    moment = _epoch(value)
    if moment is None and isinstance(value, str):
        moment = _iso_8601(value.strip()) or http_date(value)
    if moment is None:
        raise ValueError("not a timestamp")
    return moment


def retry_after(text: str | None, *, answered_at: datetime | None) -> float | None:
    """Seconds to wait by a ``Retry-After`` header, a number or an HTTP date; None for rubbish.

    A date counts from ``answered_at``, the answer's own, where there is one: our clock may be off.
    """
    if text is None:
        return None
    text = text.strip()
    if _DELAY.fullmatch(text):
        return min(float(text), LONGEST_RETRY_AFTER)
    moment = http_date(text)
    if moment is None:
        return None
    wait = (moment - (answered_at or datetime.now(UTC))).total_seconds()
    return min(max(wait, 0.0), LONGEST_RETRY_AFTER)


def _epoch(value: object) -> datetime | None:
    if isinstance(value, str) and _EPOCH.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _iso_8601(text: str) -> datetime | None:
    try:
        return _utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def _utc(moment: datetime) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
