"""What a new password must not be: too short, known to others, or made of words that anybody would
try here first. And what happens when it is set."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.db import transaction

from portal import audit, factors, notify, sessions
from portal.accounts import SHORTEST_BESIDE_A_FACTOR, SHORTEST_PASSWORD
from portal.audit import Actor
from portal.models import AccountMailKind, Action, User

PRODUCT = ("amazon", "grafana", "managed", "password", "portal", "token", "tokens")
LEAST_BESIDE = 10
"""Letters and digits that must be left without such words."""
SHORTEST_WORD = 3


def replace(person: User, password: str, *, actor: Actor, session: str | None) -> int:
    """Set a person's password, and all that belongs to it; the number of the mail that tells them.

    Every session of theirs ends but ``session``, the key of the one in which it was set. Django
    ends the others by itself, since their hash is of the old password (docs/THREAT_MODEL.md, "The
    edge"); here their rows go too, and the log says how many there were.
    """
    person.set_password(password)
    person.has_short_password = len(password) < SHORTEST_PASSWORD
    keys = [key for key in sessions.of_people([person.pk])[person.pk] if key != session]
    with transaction.atomic():
        person.save(update_fields=["password", "has_short_password"])
        ended = sessions.delete(keys)
        mail = notify.tell_person(AccountMailKind.PASSWORD_CHANGED, person, actor=actor)
        audit.record(Action.SIGNIN_FACTOR_CHANGED, actor=actor, subject="password")
        if ended:
            subject = f"{person.email}: another password"
            audit.record(Action.SESSION_ENDED, actor=actor, subject=subject, count=ended)
    return mail


class LengthValidator:
    """A password has 15 characters, or 8 where a second factor is asked for beside it."""

    def validate(self, password: str, user: User | None = None) -> None:
        has_factor = user is not None and user.pk is not None and factors.has_second_factor(user)
        least = SHORTEST_BESIDE_A_FACTOR if has_factor else SHORTEST_PASSWORD
        if len(password) < least:
            raise ValidationError(
                "This password is too short: it must have at least %(least)d characters.",
                code="password_too_short",
                params={"least": least},
            )

    def get_help_text(self) -> str:
        return (
            f"Your password must have {SHORTEST_PASSWORD} characters or more, or "
            f"{SHORTEST_BESIDE_A_FACTOR} where you have a second factor."
        )


class KnownPasswordValidator(CommonPasswordValidator):
    """Refuses what is common, and what stands in the operator's own file of leaked passwords.

    PORTAL_LEAKED_PASSWORDS names it: either a password on each line, or upper-case SHA-1 hashes in
    ascending order, each with or without a count behind a colon, which is how Have I Been Pwned
    gives its list away. That one may be as long as it likes.
    """

    def validate(self, password: str, user: Any = None) -> None:
        super().validate(password, user)
        leaked = settings.SIGN_IN.leaked_passwords
        if leaked and is_listed(Path(leaked), password):
            raise ValidationError(
                "This password stands in a list of passwords that have leaked elsewhere, so it is "
                "among the first that anybody tries. Choose another.",
                code="password_leaked",
            )


_HASH = re.compile(rb"[0-9A-F]{40}(:[0-9]+)?\s*")


def is_listed(file: Path, password: str) -> bool:
    """Whether the password stands in the file. Raises OSError where it can't be read."""
    with file.open("rb") as lines:
        first = lines.readline()
        if _HASH.fullmatch(first):
            digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
            return _has_hash(lines, digest.encode())
        wanted = password.encode()
        return first.rstrip(b"\r\n") == wanted or any(
            line.rstrip(b"\r\n") == wanted for line in lines
        )


def _has_hash(lines: BinaryIO, digest: bytes) -> bool:
    """Search by halves: a list of a billion hashes takes some thirty reads."""
    low, high = 0, lines.seek(0, os.SEEK_END)
    while low < high:
        middle = (low + high) // 2
        lines.seek(max(0, middle - 1))
        if middle:
            lines.readline()  # to the first line that begins at the middle or after it
        found = lines.readline()[:40]
        if found and found < digest:
            low = middle + 1
        else:
            high = middle
    lines.seek(max(0, low - 1))
    if low:
        lines.readline()
    return lines.readline()[:40] == digest


class ContextWordsValidator:
    """Refuses a password that is little else than the product's, the host's or the person's names.

    Such words may stand in a longer one. OWASP ASVS 5.0, 6.1.2 and 6.2.11.
    """

    def validate(self, password: str, user: User | None = None) -> None:
        rest, found = password.lower(), []
        for word in sorted(set(_words(user)), key=len, reverse=True):
            if word in rest:
                found.append(word)
                rest = rest.replace(word, " ")
        left = sum(letter.isalnum() for letter in rest)
        if found and left < LEAST_BESIDE:
            raise ValidationError(
                "Anybody would try %(words)s here first. Beside that a password needs at least "
                "%(least)d letters or digits; this one has %(left)d.",
                code="password_of_context_words",
                params={
                    "words": ", ".join(f"“{word}”" for word in sorted(found)),
                    "least": LEAST_BESIDE,
                    "left": left,
                },
            )

    def get_help_text(self) -> str:
        return "Your password can't be made of your own name, or of this product's or this site's."


def _words(user: User | None) -> Iterator[str]:
    texts = [urlsplit(settings.PORTAL_ORIGIN).hostname or "", *PRODUCT]
    if user is not None:
        texts += [user.email, user.name]
    for text in texts:
        for word in re.findall(r"\w+", text.lower()):
            if len(word) >= SHORTEST_WORD:
                yield word
