"""Three words tell keys apart: the page's, those of the JSON, and those that a shell prints."""

import hashlib
import itertools
import re
import subprocess

import pytest

from portal import prints

KEYS = [f"glsa_{letter * 32}_0000000{number}" for number, letter in enumerate("abcdefgh")]


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def test_every_byte_has_a_word_of_its_own_that_is_short_and_plain() -> None:
    assert len(prints.WORDS) == len(set(prints.WORDS)) == 256
    assert [one for one in prints.WORDS if not re.fullmatch(r"[a-z]{3,7}", one)] == []


def test_no_word_is_one_letter_away_from_another() -> None:
    def shortened(word: str) -> set[str]:
        return {word[:place] + "?" + word[place + 1 :] for place in range(len(word))}

    def without_one(word: str) -> set[str]:
        return {word[:place] + word[place + 1 :] for place in range(len(word))}

    close = [
        (one, other)
        for one, other in itertools.combinations(prints.WORDS, 2)
        if shortened(one) & shortened(other)
        or one in without_one(other)
        or other in without_one(one)
    ]
    assert close == []


def test_the_order_of_the_words_is_kept_since_people_write_prints_down() -> None:
    said = hashlib.sha256(" ".join(prints.WORDS).encode()).hexdigest()
    assert said == "c0769b7dc422fa601c511ebbb223958a0be31cabd6e70766a8d7affe4ce966d6"


def test_a_print_is_three_words_of_the_first_three_bytes() -> None:
    assert prints.of("00ff01" + "0" * 58) == f"{prints.WORDS[0]}-{prints.WORDS[255]}-agate"
    assert prints.of("") == ""


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("key", KEYS)
def test_a_shell_prints_the_same_words(key: str, end: str) -> None:
    ran = subprocess.run(
        ["bash", "-c", prints.command()],
        input=key + end,
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert ran.stdout == f"{prints.of(digest(key))}\n"
    assert key not in ran.stderr
