"""E-mail addresses: one rule for what is one, and one spelling for each (docs/decisions/0015).

The local part is ASCII, and a domain is kept as the domain name system has it (``xn--…``), both in
lower case: so no two addresses look alike or differ by folding alone, and a mail goes to the
mailbox that was checked.
"""

import re
from contextlib import suppress
from email.utils import parseaddr

import idna

from portal import environment
from portal.text import name_of, unseen

LONGEST = 254
"""Characters: RFC 5321, section 4.5.3.1.3, without the brackets of a path."""

# RFC 5321, section 4.1.2, without quoted strings: "a"@example.com would be a second spelling of a@.
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ADDRESS = re.compile(
    rf"{_ATOM}(?:\.{_ATOM})*@(?:(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}|\[[0-9a-f:.]+\])"
)


class NotAnAddressError(ValueError):
    """What was written is no e-mail address. The message says what it must be, and is not."""


def canonical(text: str) -> str:
    """The one spelling of an address. Raises NotAnAddressError."""
    if len(text) > LONGEST:
        raise NotAnAddressError("must be an e-mail address")
    if character := unseen(text):
        raise NotAnAddressError(f"must be an e-mail address, and holds {character}")
    person, at, host = text.rpartition("@")
    if odd := next((one for one in person if not one.isascii()), ""):
        raise NotAnAddressError(
            f"must be an e-mail address: before the “@” stand ASCII characters, not {name_of(odd)}"
        )
    if at and not host.isascii():
        with suppress(UnicodeError):  # idna's own errors are some; what stays as it is, is none
            host = idna.encode(host, uts46=True, std3_rules=True).decode()
    found = f"{person}{at}{host}".lower()
    if len(found) > LONGEST or not _ADDRESS.fullmatch(found):
        raise NotAnAddressError("must be an e-mail address")
    return found


def is_address(text: str) -> bool:
    """Whether a mail may go there."""
    try:
        canonical(text)
    except NotAnAddressError:
        return False
    return True


def folded(text: str) -> str:
    """The one spelling of an address; of an older record that is none today, its lower case."""
    try:
        return canonical(text)
    except NotAnAddressError:
        return text.lower()


def spellings(text: str) -> list[str]:
    """How the address may stand in the database: older records keep a domain as it was written.

    None for a text that no database holds.
    """
    if len(text) > LONGEST or "\0" in text:
        return []
    found = folded(text)
    person, _, host = found.rpartition("@")
    spelled = {found, text.lower()}
    if "xn--" in host:
        with suppress(idna.IDNAError):  # of a name that only looks encoded
            spelled.add(f"{person}@{idna.decode(host)}")
    return sorted(spelled)


def sender(text: str) -> str:
    """Whom mails come from, as it stands: an address, with or without a name before it.

    Raises ValueError.
    """
    canonical(parseaddr(environment.one_line(text))[1])
    return text


SEVERAL = "mail addresses, separated by commas"


def several(text: str) -> list[str]:
    """Addresses as they stand, separated by commas; may be none. Raises ValueError."""
    found = environment.words(text) if text else []
    for address in found:
        canonical(address)
    return found
