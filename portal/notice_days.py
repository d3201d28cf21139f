"""How many days before a token's end its mails go out, as people write it: ``7,1``."""

import re

LONGEST = 29
"""A token lives for 30 days at most (CreateWorkspaceServiceAccountToken)."""
MOST = 5
WANTED = f"1 to {MOST} numbers of days from 1 to {LONGEST}, separated by commas, such as 7,1"


def parse(text: str) -> tuple[int, ...]:
    """The days, the most first, each once. Raises ValueError."""
    if not re.fullmatch(r"\s*[0-9]{1,3}(\s*,\s*[0-9]{1,3})*\s*", text, re.ASCII):
        raise ValueError(WANTED)
    days = sorted({int(one) for one in text.split(",")}, reverse=True)
    if len(days) > MOST or days[-1] < 1 or days[0] > LONGEST:
        raise ValueError(WANTED)
    return tuple(days)
