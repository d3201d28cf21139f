"""Read workspaces and service accounts from AMG, now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.audit import SYSTEM
from portal.flows.sync_catalog import sync_catalog
from portal.grafana.errors import GrafanaError
from portal.models import Connection


class Command(BaseCommand):
    help = "Reads workspaces and service accounts from Amazon Managed Grafana."

    def handle(self, *args: Any, **options: Any) -> None:
        connections = list(Connection.objects.all())
        if not connections:
            raise CommandError("There is no connection yet: apply an access file that names one.")
        for connection in connections:
            try:
                synced = sync_catalog(connection, actor=SYSTEM)
            except GrafanaError as error:
                raise CommandError(f"{connection.name}: AWS did not answer well: {error}") from None
            self.stdout.write(
                f"{connection.name}: {synced.workspaces} workspaces, "
                f"{synced.service_accounts} service accounts, {synced.changes} changes"
            )
