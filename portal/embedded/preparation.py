"""Brings the database, the demo people and the catalog up to date before the first request."""

import hashlib
from pathlib import Path

from django.conf import settings
from django.core.management import call_command

from portal import access
from portal.audit import SYSTEM
from portal.embedded import demo
from portal.flows.apply_access import apply_access, connect
from portal.flows.sync_catalog import sync_catalog
from portal.grafana.errors import GrafanaError
from portal.models import Connection, Heartbeat


def prepare_database() -> None:
    """Migrate, and give the demo people their password."""
    call_command("migrate", interactive=False, verbosity=0)
    if settings.DEMO_PASSWORD:
        demo.set_passwords()


def prepare_catalog() -> list[str]:
    """Read the catalog and apply the access file (or the demo's); returns what went wrong."""
    problems: list[str] = []
    file, sha256 = None, ""
    if settings.ACCESS_FILE:
        try:
            content = Path(settings.ACCESS_FILE).read_bytes()
            file, sha256 = access.parse(content.decode()), hashlib.sha256(content).hexdigest()
        except (OSError, UnicodeDecodeError, access.AccessFileError) as error:
            problems.append(f"PORTAL_ACCESS_FILE was not applied: {error}")
    elif settings.DEMO_PASSWORD:
        file = demo.access_file()
    if file is not None:
        connect(file)
    for connection in Connection.objects.all():
        try:
            sync_catalog(connection, actor=SYSTEM)
            Heartbeat.beat("aws")
        except GrafanaError as error:
            problems.append(f"the catalog of {connection.name!r} could not be read: {error}")
    try:
        if file is not None and not settings.ACCESS_FILE:
            file = demo.access_file()  # its grants follow what the sync found
        if file is not None:
            apply_access(file, actor=SYSTEM, sha256=sha256)
    except access.AccessFileError as error:
        problems.append(f"the access file was not applied: {error}")
    return problems
