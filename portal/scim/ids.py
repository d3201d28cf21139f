"""The ids of people and groups, as they stand in addresses and filters."""

import re
import uuid

_PERSON = re.compile(r"[1-9][0-9]{0,17}")


def person_key(text: object) -> int | None:
    """The key of a person's row; None for what is none."""
    return int(text) if isinstance(text, str) and _PERSON.fullmatch(text) else None


def group_key(text: object) -> uuid.UUID | None:
    """The key of a group's row; None for what is none."""
    try:
        return uuid.UUID(text) if isinstance(text, str) and len(text) in (32, 36) else None
    except ValueError:
        return None
