"""Second factors: authenticator apps, passkeys and recovery codes, as rows of django-allauth's.

An app's seed is kept locked (portal.sealing) with a key from SECRET_KEY. Recovery codes are kept as
slow hashes with a salt: nobody reads them again, and each is good once.
"""

import hmac
import logging
import secrets
from collections.abc import Sequence

from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from portal import sealing
from portal.models import User
from portal.secret_keys import secret_keys

CannotUnlockError = sealing.CannotUnlockError

log = logging.getLogger(__name__)

APP, PASSKEY, CODES = (
    Authenticator.Type.TOTP,
    Authenticator.Type.WEBAUTHN,
    Authenticator.Type.RECOVERY_CODES,
)
HOW_MANY_CODES = 10
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of recovery codes: none that looks like another."""
CODE_LENGTH = 10
"""Letters: 49 random bits."""

_SEED, _CODES = "seeds of second factors", "recovery codes until they are saved"


def has_second_factor(person: User) -> bool:
    """Whether an app or a passkey is asked for beside this person's password."""
    return _of(person).filter(type__in=(APP, PASSKEY)).exists()


def kinds(person: User) -> set[str]:
    """Which kinds of factors the person has."""
    return set(_of(person).values_list("type", flat=True))


def names(person: User) -> list[str]:
    """What the person has, in words."""
    return [name_of(row) for row in _of(person).exclude(type=CODES).order_by("pk")]


def name_of(row: Authenticator) -> str:
    """A factor in words, for people."""
    if row.type == PASSKEY:
        return f"the passkey “{row.data.get('name', '')}”"
    return "an authenticator app" if row.type == APP else "recovery codes"


def codes_left(person: User) -> int:
    """How many recovery codes are still good."""
    row = _of(person).filter(type=CODES).first()
    return len(row.data.get("hashes", [])) if row else 0


# -- Seeds --------------------------------------------------------------------------------------


def lock_seed(seed: str) -> str:
    """A seed as it is kept."""
    return sealing.lock(seed, purpose=_SEED, secrets=secret_keys())


def open_seed(locked: str) -> str:
    """A seed as its app has it. Raises CannotUnlockError where no secret of ours opens it."""
    return sealing.unlock(locked, purpose=_SEED, secrets=secret_keys())


# -- Recovery codes -----------------------------------------------------------------------------


def new_codes() -> list[str]:
    """Ten codes that nobody has had before, as people write them: ``abcde-fghjk``."""
    half = CODE_LENGTH // 2
    made = [
        "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH)) for _ in range(HOW_MANY_CODES)
    ]
    return [f"{code[:half]}-{code[half:]}" for code in made]


def hashed(codes: Sequence[str]) -> dict[str, object]:
    """What is kept of them."""
    salt = secrets.token_hex(16)
    return {"salt": salt, "hashes": [sealing.slow_hash(_plain(code), salt) for code in codes]}


def lock_codes(codes: Sequence[str]) -> str:
    """Codes on their way to the page that shows them: for minutes, in the person's own session."""
    return sealing.lock(" ".join(codes), purpose=_CODES, secrets=secret_keys())


def open_codes(locked: str, *, within: int) -> list[str]:
    """The codes, for so many seconds after they were made; then none."""
    try:
        opened = sealing.unlock(locked, purpose=_CODES, secrets=secret_keys(), within=within)
    except sealing.CannotUnlockError:
        return []
    return opened.split()


def _plain(code: str) -> str:
    return str(normalize_user_code(code)).lower()


# -- Codes that people type ---------------------------------------------------------------------


def use_code(person: User, typed: str) -> Authenticator | None:
    """The factor that a typed code belongs to, and use the code up; None for a wrong one.

    A code of an app is good in its 30 seconds and in those before and after, for clocks differ; and
    once. So is a recovery code.
    """
    found = _use_app_code(person, typed)
    return found or _use_recovery_code(person, typed)


def counter_of(seed: str, typed: str, *, after: int = 0) -> int | None:
    """The period (RFC 6238's T) whose code this is, if it lies after one that was used before."""
    code = normalize_user_code(typed)
    for counter in yield_hotp_counters_from_time():
        expected = format_hotp_value(hotp_value(seed, counter))
        if counter > after and hmac.compare_digest(code.encode(), expected.encode()):
            return int(counter)
    return None


def _use_app_code(person: User, typed: str) -> Authenticator | None:
    if len(normalize_user_code(typed)) != app_settings.TOTP_DIGITS:
        return None
    with transaction.atomic():
        row = _locked(person, APP)
        if row is None:
            return None
        try:
            seed = open_seed(row.data["secret"])
        except sealing.CannotUnlockError:
            log.error("factor.cannot_be_read: is a key missing in SECRET_KEYS_RETIRED?")
            return None
        counter = counter_of(seed, typed, after=row.data.get("counter", 0))
        if counter is None:
            return None
        row.data["counter"] = counter
        if not sealing.is_locked_with(
            row.data["secret"], purpose=_SEED, secret=settings.SECRET_KEY
        ):
            row.data["secret"] = lock_seed(seed)  # SECRET_KEY is another one by now
        row.save(update_fields=["data"])
        return row


def _use_recovery_code(person: User, typed: str) -> Authenticator | None:
    known = _of(person).filter(type=CODES).first()
    code = _plain(typed)
    if known is None or len(code) != CODE_LENGTH:
        return None
    used = sealing.slow_hash(code, known.data["salt"])  # before anything is locked
    with transaction.atomic():
        row = _locked(person, CODES)
        if row is None or row.data["salt"] != known.data["salt"]:
            return None
        left = [one for one in row.data["hashes"] if not hmac.compare_digest(one, used)]
        if len(left) == len(row.data["hashes"]):
            return None
        row.data["hashes"] = left
        row.save(update_fields=["data"])
        return row


def _locked(person: User, kind: str) -> Authenticator | None:
    rows: QuerySet[Authenticator] = _of(person).filter(type=kind).select_for_update(no_key=True)
    return rows.first()


def _of(person: User) -> "QuerySet[Authenticator]":
    found: QuerySet[Authenticator] = Authenticator.objects.filter(user_id=person.pk)
    return found
