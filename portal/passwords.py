"""What a new password must not be made of: words that anybody would try here first."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError

from portal.models import User

PRODUCT = ("amazon", "grafana", "managed", "password", "portal", "token", "tokens")
LEAST_BESIDE = 10
"""Letters and digits that must be left without such words."""
SHORTEST_WORD = 3


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
