"""Reads settings from the environment, or stops the start with one line that names the setting.

Every setting may also be given as ``NAME_FILE``, a path to a file that holds the value (the way
Docker, Kubernetes and systemd hand over secrets). Values are never printed: they may be secrets.
"""

import os
import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from portal import authorities
from portal.valkey import Server, WrongUrlError

T = TypeVar("T")

# Read as a mapping, not by ``env.str``: that takes a value such as "$ecret" for another variable's
# name, and a secret may begin with anything.
env = environ.FileAwareEnv().ENVIRON

A_DATABASE = "a URL such as postgres://user:password@host/name"
URLS = (
    *("PORTAL_ORIGIN", "DATABASE_URL", "CELERY_BROKER_URL", "CACHE_URL", "EMAIL_URL"),
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_GRAFANA", "AWS_ENDPOINT_URL_STS"),
)
MARKS_OF_PRODUCTION = ("SECRET_KEY", "AUDIT_KEY", "CELERY_BROKER_URL")
"""The embedded default makes these for itself, and whoever sets them means servers."""
EMBEDDED_FILE = "portal.env"
"""The file in PORTAL_DATA_DIR that holds what the embedded default has generated for itself."""

_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+|aws(-[a-z-]+)?-global")
_ORIGIN = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


class SettingError(SystemExit):
    """A setting is missing or malformed; ends the process with one line on standard error."""


def refuse(name: str, why: str) -> NoReturn:
    """Stop the start, naming the setting and what is wrong with it (never its value)."""
    raise SettingError(f"portal: setting {name} {why}")


def read(name: str, parse: Callable[[str], T], *, default: str | None = None, wanted: str) -> T:
    """The setting ``name`` as ``parse`` makes it.

    ``wanted`` completes the sentence "setting NAME must be …" when it is missing or malformed.
    """
    try:
        text = env.get(name, default)
    except (OSError, UnicodeDecodeError):
        refuse(name, f"is missing or unreadable: it must be {wanted}")
    if text is None or (default is None and not text.strip()):
        refuse(name, f"is missing: it must be {wanted}")
    text = text.strip()
    if not text and os.environ.get(f"{name}_FILE"):
        # Perhaps a mount that failed: what the secret guards must not stand open.
        refuse(name, f"is missing, for its file is empty: it must be {wanted}")
    try:
        return parse(text)
    except WrongUrlError as error:
        refuse(name, f"{error}: it must be {wanted}")
    except (ValueError, ImproperlyConfigured):
        refuse(name, f"is malformed: it must be {wanted}")


def one_line(text: str) -> str:
    """Any text that would not break out of the line that it is put into; may be empty."""
    if not text.isprintable():
        raise ValueError
    return text


def text(name: str, *, default: str = "") -> str:
    """The setting ``name`` as it stands, on one line."""
    return read(name, one_line, default=default, wanted="a text on one line")


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """A parser for a whole number between two bounds, both included."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,19}", text):
            raise ValueError
        number = int(text)
        if not least <= number <= most:
            raise ValueError
        return number

    return parse


def switch(text: str) -> bool:
    """``on`` or ``off``."""
    if text not in ("on", "off"):
        raise ValueError
    return text == "on"


def on_or_off(name: str, *, default: str) -> bool:
    """The setting ``name`` as ``on`` or ``off``."""
    return read(name, switch, default=default, wanted="on or off")


def number(name: str, least: int, most: int, *, default: int) -> int:
    """The setting ``name`` as a whole number between two bounds, both included."""
    wanted = f"a whole number, {least}-{most}"
    return read(name, whole_number(least, most), default=str(default), wanted=wanted)


def one_of(*choices: str) -> Callable[[str], str]:
    """A parser that admits only the given words."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError
        return text

    return parse


def words(text: str) -> list[str]:
    """A comma-separated list, at least one word long."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found:
        raise ValueError
    return found


def regions(name: str) -> list[str]:
    """The setting ``name`` as a comma-separated list of AWS regions; may be empty."""

    def parse(text: str) -> list[str]:
        found = words(text) if text else []
        if not all(re.fullmatch(r"[a-z0-9-]{1,32}", region) for region in found):
            raise ValueError
        return found

    wanted = "names of AWS regions such as eu-west-1, separated by commas"
    return read(name, parse, default="", wanted=wanted)


def secrets_or_none(text: str) -> list[str]:
    """A comma-separated list of secrets; may be empty."""
    return [secret(word) for word in words(text)] if text else []


def secret(text: str) -> str:
    """A secret of at least 32 characters: shorter ones can be guessed."""
    if len(text) < 32:
        raise ValueError
    return text


def require_strong(secret_key: str, audit_key: str, *tokens: str) -> None:
    """Refuse secrets that can be guessed, or that are the same: who learns one has both."""
    names = ("SECRET_KEY", "AUDIT_KEY", "PORTAL_MONITOR_TOKEN", "PORTAL_SCIM_TOKEN")
    seen: dict[str, str] = {}
    for name, value in zip(names, (secret_key, audit_key, *tokens), strict=False):
        if not value:
            continue
        least, different = (32, 8) if name.endswith("_KEY") else (8, 5)
        wanted = f"it must be a random text of {least} or more characters of its own"
        if value in seen:
            refuse(name, f"is the same as {seen[value]}: {wanted}")
        if len(value) < least:
            refuse(name, f"is too short: {wanted}")
        if len(set(value)) < different:
            refuse(name, f"has too few different characters: {wanted}")
        seen[value] = name


def require_regions(*names: str) -> None:
    """Refuse a region of AWS's own variables that is none: no call could go there."""
    for name in names:
        value = os.environ.get(name, "")
        if value and not _REGION.fullmatch(value):
            refuse(name, "is malformed: it must be the name of an AWS region, such as eu-west-1")


def is_embedded() -> bool:
    """Whether everything runs on this machine (``make run``) instead of on named servers.

    A production that has forgotten its DATABASE_URL would begin on an empty file of its own.
    """
    if read("PORTAL_EMBEDDED", one_of("0", "1"), default="0", wanted="0 or 1") == "1":
        return True
    if is_given("DATABASE_URL"):
        return False
    is_run = sys.argv[1:2] == ["run"] or is_given("PORTAL_DEMO_PASSWORD")
    others = [name for name in MARKS_OF_PRODUCTION if is_given(name)]
    if others and not is_run:
        refuse(
            "DATABASE_URL",
            f"is missing, and {others[0]} is there: it must be {A_DATABASE} "
            "(for a command beside `make run`, set PORTAL_EMBEDDED=1)",
        )
    return True


def is_given(name: str) -> bool:
    """Whether the setting ``name``, or the file that holds it, is named."""
    return name in os.environ or f"{name}_FILE" in os.environ


def directory(name: str, *, default: Path) -> Path:
    """The setting ``name`` as the absolute path of a directory, which need not be there yet."""

    def parse(text: str) -> Path:
        if not text or not text.isprintable():
            raise ValueError
        return Path(text).resolve()

    return read(name, parse, default=str(default), wanted="the path of a directory")


def origin(text: str) -> str:
    """A web origin such as ``https://tokens.example.com``: scheme and host, no path."""
    text = text.removesuffix("/")
    if not _ORIGIN.fullmatch(text):
        raise ValueError
    _ = urlsplit(text).port  # raises ValueError for what is none
    return text.lower()  # as browsers write it


A_BROKER = "the URL of a Valkey or Redis server, such as rediss://:password@host:6379/0"


def broker(text: str) -> Server:
    """A Valkey or Redis server."""
    return authorities.with_readable_files(Server.parse(text))


def load_embedded_secrets(data_dir: Path) -> None:
    """Give the embedded default the secrets that it has generated for itself, once.

    What stands in the environment wins. The file, and whatever this process writes from now on, is
    readable by its owner alone.
    """
    os.umask(0o077)
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = _generated(data_dir)
    except OSError as error:
        refuse("PORTAL_DATA_DIR", f"names what can't be used ({data_dir}): {error.strerror}")
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if f"{name}_FILE" not in env:
            env.setdefault(name, value)


def _generated(data_dir: Path) -> str:
    """The file of generated secrets, written first if there is none."""
    file = data_dir / EMBEDDED_FILE
    if not file.exists():
        lines = {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "AUDIT_KEY": secrets.token_urlsafe(48),
            "GENERATED_DEMO_PASSWORD": secrets.token_urlsafe(12),
            "SANDBOX_SECRET_ACCESS_KEY": secrets.token_urlsafe(30),
        }
        # Written beside and linked into place: of two processes that start at once one wins,
        # and neither ever reads half a file.
        draft = data_dir / f".{EMBEDDED_FILE}.{secrets.token_hex(4)}"
        try:
            draft.touch(mode=0o600)
            draft.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
            file.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink(missing_ok=True)
    return file.read_text()


def point_at_sandbox(port: int) -> None:
    """Send every AWS call of this process to the sandbox, with the sandbox's own credentials.

    Whatever AWS settings the environment holds are set aside: nothing may reach a real account.
    """
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        AWS_ENDPOINT_URL_GRAFANA=f"http://127.0.0.1:{port}",
        AWS_ACCESS_KEY_ID="SANDBOX",
        AWS_SECRET_ACCESS_KEY=read(
            "SANDBOX_SECRET_ACCESS_KEY", one_line, wanted="the secret that the sandbox was given"
        ),
        AWS_REGION="eu-west-1",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
    )
