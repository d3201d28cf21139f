"""Which characters nobody sees, and how a text from elsewhere is shown."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.text import is_visible, isolated, shown, unseen, without_unseen

REFUSED = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")

PLAIN = (
    "ci-deploy",
    "Größe der Bühne, 監視 и ещё",
    "नमस्ते",
    "a\N{NO-BREAK SPACE}b",
    "e\N{COMBINING ACUTE ACCENT}",
    "می\N{ZERO WIDTH NON-JOINER}خواهم",
    "ক\N{ZERO WIDTH JOINER}্য",
    "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER}",
    "\N{WOMAN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}\N{ZERO WIDTH JOINER}\N{ROCKET}",
    "\N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16}\N{ZERO WIDTH JOINER}\N{FIRE}",
    "\N{EYE}\ufe0f\N{ZERO WIDTH JOINER}\N{LEFT SPEECH BUBBLE}\ufe0f",
)


@pytest.mark.parametrize("text", PLAIN)
def test_what_a_script_or_an_emoji_needs_may_stand_in_a_text(text: str) -> None:
    assert unseen(text) == ""
    assert is_visible(text)
    assert shown(text) == without_unseen(text) == text


def test_every_character_of_the_refused_categories_is_refused_and_no_other() -> None:
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        is_refused = unicodedata.category(character) in REFUSED
        assert bool(unseen(f"a{character}")) == is_refused, hex(number)
        if is_refused:
            assert shown(f"a{character}") == f"a[U+{number:04X}]"


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("\u200b", "U+200B zero width space"),
        ("\u202egnp.exe", "U+202E right-to-left override"),
        ("two\nlines", "U+000A line feed"),
        ("\0", "U+0000 null"),
        ("\x1b[31m", "U+001B escape"),
        ("a\x01", "U+0001 control character"),
        ("\ue000", "U+E000 private use"),
        ("\ud800", "U+D800 surrogate"),
        ("a\u2028b", "U+2028 line separator"),
        ("\N{SOFT HYPHEN}", "U+00AD soft hyphen"),
        ("\U000e0061", "U+E0061 tag latin small letter a"),
        ("\u200d", "U+200D zero width joiner"),
        ("a\u200d", "U+200D zero width joiner"),
        ("\u200ca", "U+200C zero width non-joiner"),
        ("a \u200db", "U+200D zero width joiner"),
        ("a\u200d\u200db", "U+200D zero width joiner"),
        ("\u0301\u200da", "U+200D zero width joiner"),
        ("\u3164\u200da", "U+200D zero width joiner"),
    ],
)
def test_the_character_is_named(text: str, character: str) -> None:
    assert unseen(text) == character


@pytest.mark.parametrize(
    "text", ["", " ", "\u00a0\u3000", "\u0301", "\ufe0f", "\u200b", "\u3164", "\u2800", "\u115f"]
)
def test_marks_spaces_and_fillers_alone_show_nothing(text: str) -> None:
    assert not is_visible(text)


@pytest.mark.parametrize("text", ["a", "7", "½", "-", "€", "^", "監", "🚀"])
def test_a_letter_a_digit_punctuation_or_a_symbol_shows(text: str) -> None:
    assert is_visible(text)


def test_a_text_is_kept_without_what_nobody_sees() -> None:
    assert without_unseen("it\u200b leaked,\r\nsee\tmail\u2028now\x1b") == "it leaked, see mail now"


@given(st.text())
def test_what_is_shown_hides_nothing_and_what_is_kept_can_be_kept(text: str) -> None:
    assert unseen(shown(text)) == ""
    kept = without_unseen(text)
    assert all(unicodedata.category(one) not in REFUSED or one in "\u200c\u200d" for one in kept)
    assert isolated(text).strip("\u2068\u2069") == shown(text)


def test_only_what_is_written_from_right_to_left_is_set_apart() -> None:
    assert isolated("observability") == "observability"
    assert isolated("Größe") == "Größe"
    assert isolated("\u05d0\u05d1") == "\u2068\u05d0\u05d1\u2069"
    assert isolated("a\u2069\u05d0") == "\u2068a[U+2069]\u05d0\u2069"


def test_a_long_text_of_joiners_is_read_in_no_time() -> None:
    text = "a\u0301\u200d" * 20_000
    assert unseen(text) == "U+200D zero width joiner"
    assert len(without_unseen(text)) == len(text) - 1
