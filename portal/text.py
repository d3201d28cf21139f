"""Text as people see it: which characters nobody sees, and how names from elsewhere are shown.

Refused are the general categories Cc, Cf, Cs, Co, Zl and Zp of the Unicode Standard (section 4.5),
which steer a display or show nothing. Two of them are needed to write: U+200C and U+200D stay where
they stand between two visible characters, as in Persian and in sequences of emoji (UTS #51).
"""

import unicodedata

_REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and a symbol that show nothing: the fillers of Hangul, and an empty cell of Braille."""
_NAMES = {
    "\0": "null",
    "\t": "character tabulation",
    "\n": "line feed",
    "\r": "carriage return",
    "\x1b": "escape",
    "\x7f": "delete",
    "\x85": "next line",
}
_KINDS = {"Cc": "control character", "Co": "private use", "Cs": "surrogate"}
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_ISOLATE, _END_OF_ISOLATE = "\u2068", "\u2069"


def unseen(text: str) -> str:
    """The first character that may not stand in a text, such as ``U+200B zero width space``; empty
    when there is none."""
    places = _unseen(text)
    return name_of(text[places[0]]) if places else ""


def name_of(character: str) -> str:
    """A character by its number and its name, in lower case."""
    kind = _KINDS.get(unicodedata.category(character), "not assigned")
    name = _NAMES.get(character) or unicodedata.name(character, kind).lower()
    return f"{_number(character)} {name}"


def is_visible(text: str) -> bool:
    """Whether at least one character shows: a letter, a digit, punctuation or a symbol."""
    return any(map(_shows, text))


def without_unseen(text: str) -> str:
    """The text without what may not stand in one; line breaks and tabs become blanks."""
    if text.isprintable():
        return text
    for blank in ("\r\n", *"\t\n\v\f\r\x85\u2028\u2029"):
        text = text.replace(blank, " ")
    places = set(_unseen(text))
    return "".join(one for place, one in enumerate(text) if place not in places)


def shown(text: str) -> str:
    """A text from elsewhere, for a page: what nobody sees is there by its number, ``[U+202E]``."""
    if text.isprintable():
        return text
    places = set(_unseen(text))
    return "".join(
        f"[{_number(one)}]" if place in places else one for place, one in enumerate(text)
    )


def isolated(text: str) -> str:
    """``shown`` for a place that takes no markup: what is written from right to left is set apart
    by U+2068 and U+2069, so that it does not move its neighbours (UAX #9)."""
    text = shown(text)
    if text.isascii() or not any(unicodedata.bidirectional(one) in _RIGHT_TO_LEFT for one in text):
        return text
    return f"{_ISOLATE}{text}{_END_OF_ISOLATE}"


def _number(character: str) -> str:
    return f"U+{ord(character):04X}"


def _shows(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNPS" and character not in _BLANK


def _unseen(text: str) -> list[int]:
    """Where characters stand that may not."""
    if text.isprintable():  # decided in C, and almost every text is
        return []
    return [
        place
        for place, one in enumerate(text)
        if unicodedata.category(one) in _REFUSED and not (one in _JOINERS and _joins(text, place))
    ]


def _joins(text: str, place: int) -> bool:
    """Whether a visible character stands on either side; marks belong to the one before them."""
    before, after = place - 1, place + 1
    while before >= 0 and _is_mark(text[before]):
        before -= 1
    while after < len(text) and _is_mark(text[after]):
        after += 1
    return before >= 0 and after < len(text) and _shows(text[before]) and _shows(text[after])


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"
