"""An identity at a provider, and whose it is here."""

import hashlib
from dataclasses import dataclass

from allauth.socialaccount.models import SocialAccount

from portal.models import User

LONGEST_SUBJECT = 191
"""Characters that django-allauth keeps (SOCIALACCOUNT_UID_MAX_LENGTH)."""
LONGEST_PROVIDER = 200


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody at a provider. Whoever makes one has verified that the provider says so.

    ``provider`` is its name for itself: an issuer, or the entity id of SAML. ``subject`` is who it
    is there, for good; an address may pass to somebody else. ``groups`` is None where the provider
    has sent no list although there is one (too long a list, say), and empty where there are none.
    """

    provider: str
    subject: str
    email: str = ""
    email_verified: bool = False
    name: str = ""
    groups: frozenset[str] | None = frozenset()


class SignInError(Exception):
    """Why single sign-on has let nobody in.

    ``code`` is for the audit log and for whoever is asked for help; ``title`` and the text tell the
    person what has happened and what to do. ``status`` is that of HTTP: 400 to 403, or 502 and 503
    where the provider is away or answers nonsense.
    """

    def __init__(
        self, code: str, message: str, *, status: int = 400, title: str = "", email: str = ""
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.title = title or "You are not signed in"
        self.why = ""
        """What is wrong with the provider, for whoever runs the portal."""
        self.email = email
        """Whom it is about, where the provider has proved that."""
        self.groups: tuple[str, ...] = ()
        """What to show of the groups that were seen."""


def bound(identity: Identity) -> User | None:
    """The person to whom this identity was bound at an earlier sign-in."""
    account = (
        SocialAccount.objects.filter(
            provider=identity.provider[:LONGEST_PROVIDER], uid=_key(identity.subject)
        )
        .select_related("user")
        .first()
    )
    return account.user if account else None


def is_bound(person: User, provider: str) -> bool:
    """Whether the person has an identity at this provider already."""
    accounts = SocialAccount.objects.filter(provider=provider[:LONGEST_PROVIDER], user=person)
    return bool(accounts.exists())


def bind(person: User, identity: Identity) -> None:
    """From now on this identity is this person. Nothing else that the provider sent is kept."""
    SocialAccount.objects.create(
        user=person,
        provider=identity.provider[:LONGEST_PROVIDER],
        uid=_key(identity.subject),
        extra_data={},
    )


def release(person: User) -> bool:
    """Forget the person's identities; returns whether there were any."""
    return bool(SocialAccount.objects.filter(user=person).delete()[0])


def _key(subject: str) -> str:
    """The subject, or of a very long one its SHA-256."""
    if len(subject) <= LONGEST_SUBJECT and "\0" not in subject:
        return subject
    return f"sha256:{hashlib.sha256(subject.encode()).hexdigest()}"
