"""Numbers that stand in an address: of events, which a database counts in 64 bits."""

import re

HIGHEST = 2**63 - 1
_DIGITS = re.compile("[0-9]{1,19}")


def whole_number(text: str) -> int | None:
    """The number that a text says in ASCII digits, if the database can hold it."""
    number = int(text) if _DIGITS.fullmatch(text) else HIGHEST + 1
    return number if number <= HIGHEST else None


class NumberConverter:
    """Such a number in a path; an address with another leads nowhere."""

    regex = _DIGITS.pattern

    def to_python(self, value: str) -> int:
        """Raises ValueError, for which Django looks for another address."""
        number = whole_number(value)
        if number is None:
            raise ValueError
        return number

    def to_url(self, value: int) -> str:
        return str(value)
