"""Brings the database, the demo people and the catalog up to date before the first request."""

import hashlib
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import transaction

from portal import access, gateway
from portal.access import AccessFile
from portal.audit import SYSTEM
from portal.embedded import demo
from portal.environment import refuse
from portal.flows.apply_access import NO_ADMIN, apply_access, connect, leaves_an_admin
from portal.flows.sync_catalog import sync_catalogs
from portal.metrics import aws


def prepare_database() -> None:
    """Migrate, and give the demo people their password."""
    call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
    if settings.DEMO_PASSWORD:
        demo.set_passwords()


def require_access_file() -> AccessFile | None:
    """Stop the start if PORTAL_ACCESS_FILE names no access file.

    Whether the catalog knows what the file names can only be told later.
    """
    if not settings.ACCESS_FILE:
        return None
    try:
        return access.parse(access.load(Path(settings.ACCESS_FILE)).decode())
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", "it is no text")
        refuse("PORTAL_ACCESS_FILE", f"names a file that can't be read: {why}")
    except access.AccessFileError as error:
        first, *others = error.problems
        more = f" (and {len(others)} more: apply_access says them all)" if others else ""
        refuse("PORTAL_ACCESS_FILE", f"names a file with a mistake: {first}{more}")


def require_admin() -> None:
    """Stop the start if nobody is admin after PORTAL_ACCESS_FILE. Asks the database."""
    file = require_access_file()
    if file is not None and not leaves_an_admin(file):
        refuse("PORTAL_ACCESS_FILE", f"names a file after which {NO_ADMIN}")


def prepare_catalog() -> list[str]:
    """Read the catalog and apply the access file (or the demo's); returns what went wrong."""
    if not settings.ACCESS_FILE:
        if settings.DEMO_PASSWORD:
            connect(demo.access_file(), actor=SYSTEM)
        problems = _read_catalog()
        follow_catalog(starts=True)
        return problems
    try:
        content = access.load(Path(settings.ACCESS_FILE))
        sha256 = hashlib.sha256(content).hexdigest()
        file = access.parse(content.decode())
        connect(file, actor=SYSTEM, sha256=sha256)
        problems = _read_catalog()
        # A start confirms nothing: what AMG has changed since wants a person's look.
        apply_access(file, actor=SYSTEM, sha256=sha256, confirm=False)
    except (OSError, UnicodeDecodeError, access.AccessFileError) as error:
        return [f"PORTAL_ACCESS_FILE was not applied: {error}"]
    return problems


def _read_catalog() -> list[str]:
    """Read the catalog of every connection; returns what could not be read."""
    read = sync_catalogs(actor=SYSTEM)
    gateway.note_heard()
    aws.write()
    return [str(one) for synced in read for one in synced.unread]


def follow_catalog(*, starts: bool = False) -> None:
    """Let the demo's grants follow the catalog: a workspace may come while the demo runs.

    What somebody has changed since the start stays as they want it.
    """
    if settings.DEMO_PASSWORD and not settings.ACCESS_FILE:
        with transaction.atomic():
            if starts or demo.is_in_force():
                apply_access(demo.access_file(), actor=SYSTEM, confirm=False)
