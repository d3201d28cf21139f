"""One rule for e-mail addresses, and one spelling for each."""

import re

import pytest
from django.core.mail.message import sanitize_address
from hypothesis import given
from hypothesis import strategies as st

from portal.mailbox import NotAnAddressError, canonical, folded, spellings

ADDRESSES = {
    "lead@example.com": "lead@example.com",
    "Lead@Example.COM": "lead@example.com",
    "o'brien+grafana@example.com": "o'brien+grafana@example.com",
    "a@b.c": "a@b.c",
    "admin@intranet": "admin@intranet",
    "root@localhost": "root@localhost",
    "a@[192.0.2.7]": "a@[192.0.2.7]",
    "anna@Bücher.example": "anna@xn--bcher-kva.example",
    "anna@xn--bcher-kva.example": "anna@xn--bcher-kva.example",
    "anna@straße.example": "anna@xn--strae-oqa.example",
    "anna@\uff45xample.com": "anna@example.com",
}


@pytest.mark.parametrize(("written", "kept"), ADDRESSES.items())
def test_an_address_has_one_spelling(written: str, kept: str) -> None:
    assert canonical(written) == kept
    assert canonical(kept) == kept


@pytest.mark.parametrize("address", sorted(set(ADDRESSES.values())))
def test_a_mail_goes_to_the_mailbox_that_was_checked(address: str) -> None:
    assert sanitize_address(address, "utf-8") == address


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "must be an e-mail address"),
        ("nobody", "must be an e-mail address"),
        ("lead@example.com,", "must be an e-mail address"),
        ("lead@example.com.", "must be an e-mail address"),
        ("lead@example.com, boss@example.com", "must be an e-mail address"),
        ("Lead <lead@example.com>", "must be an e-mail address"),
        ("lead@example..com", "must be an e-mail address"),
        ("lead@-example.com", "must be an e-mail address"),
        (".lead@example.com", "must be an e-mail address"),
        ("le ad@example.com", "must be an e-mail address"),
        ('"lead"@example.com', "must be an e-mail address"),
        ("lead@192.0.2.7", "must be an e-mail address"),
        ("x" * 250 + "@example.com", "must be an e-mail address"),
        ("a@" + "é" * 100_000, "must be an e-mail address"),
        ("rené@example.com", "not U+00E9 latin small letter e with acute"),
        ("straße@example.com", "not U+00DF latin small letter sharp s"),
        ("\u017fupport@example.com", "not U+017F latin small letter long s"),
        ("\u212aate@example.com", "not U+212A kelvin sign"),
        ("\u0430dmin@example.com", "not U+0430 cyrillic small letter a"),
        ("engineer@example.com\u200b", "holds U+200B zero width space"),
        ("engi\u200dneer@example.com", "not U+200D zero width joiner"),
        ("a\0@example.com", "holds U+0000 null"),
        ("lead@example.com\n", "holds U+000A line feed"),
    ],
)
def test_what_is_no_address_is_refused(written: str, why: str) -> None:
    with pytest.raises(NotAnAddressError, match=re.escape(why)):
        canonical(written)


@given(st.from_regex(r"[^@]{1,20}@[^@]{1,20}", fullmatch=True))
def test_every_address_is_ascii_in_lower_case_and_means_itself(text: str) -> None:
    try:
        found = canonical(text)
    except NotAnAddressError:
        return
    assert found.isascii()
    assert found == found.lower() == canonical(found.upper())
    assert sanitize_address(found, "utf-8") == found


def test_a_record_of_before_is_found_by_either_spelling() -> None:
    both = ["anna@bücher.example", "anna@xn--bcher-kva.example"]
    assert spellings("Anna@Bücher.example") == both
    assert spellings("anna@xn--bcher-kva.example") == both
    assert spellings("René@example.com") == ["rené@example.com"]
    assert folded("René@Example.com") == "rené@example.com"
    assert spellings("x" * 300) == spellings("a\0@example.com") == []
