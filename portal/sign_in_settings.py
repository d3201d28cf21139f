"""Settings of sign-in, second factors and sessions, as the environment gives them."""

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from portal import environment
from portal.environment import read


class SignIn(NamedTuple):
    """What the environment says of it."""

    second_factor: str
    """Who must have one when they sign in by password; privileged: leads, admins and auditors."""
    session_seconds: int
    session_idle_seconds: int
    leaked_passwords: str
    """A file of passwords that nobody may choose (portal.passwords); empty for none."""


def read_all(*, embedded: bool) -> SignIn:
    return SignIn(
        second_factor=read(
            "PORTAL_SECOND_FACTOR",
            environment.one_of("off", "privileged", "everyone"),
            default="off" if embedded else "privileged",
            wanted="off, privileged or everyone",
        ),
        session_seconds=_hours("PORTAL_SESSION_HOURS", default="12"),
        session_idle_seconds=_hours("PORTAL_SESSION_IDLE_HOURS", default="4"),
        leaked_passwords=_file("PORTAL_LEAKED_PASSWORDS"),
    )


def for_django(sign_in: SignIn, *, step_up_seconds: int) -> dict[str, Any]:
    """The settings of Django and allauth that follow."""
    return {
        "ACCOUNT_REAUTHENTICATION_TIMEOUT": step_up_seconds,
        "PASSWORD_RESET_TIMEOUT": 3600,
        # portal.sessions knows the end of each session; no cookie outlasts its browser.
        "SESSION_COOKIE_AGE": sign_in.session_idle_seconds,
        "SESSION_EXPIRE_AT_BROWSER_CLOSE": True,
    }


def retired(name: str, which: str) -> list[str]:
    """The setting ``name``: secrets that were in use before."""
    wanted = f"the {which} keys that were in use before, separated by commas"
    return read(name, environment.secrets_or_none, default="", wanted=wanted)


def _hours(name: str, *, default: str) -> int:
    """The setting ``name``, hours such as ``12`` or ``0.5``, in seconds: 1 to a year."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,6})?", text):
            raise ValueError
        seconds = round(float(text) * 3600)
        if not 1 <= seconds <= 365 * 86_400:
            raise ValueError
        return seconds

    return read(name, parse, default=default, wanted="a number of hours such as 12 or 0.5")


def _file(name: str) -> str:
    """The setting ``name`` as the path of a file that this process can read; may be empty."""

    def parse(text: str) -> str:
        if text and not (Path(text).is_file() and os.access(text, os.R_OK)):
            raise ValueError
        return text

    return read(name, parse, default="", wanted="the path of a file that the portal can read")
