"""Read workspaces and service accounts from AMG, now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal import gateway
from portal.audit import SYSTEM
from portal.flows.sync_catalog import sync_catalogs
from portal.metrics import aws


class Command(BaseCommand):
    help = (
        "Reads workspaces and service accounts from Amazon Managed Grafana. Ends with 1 when a "
        "part could not be read, and names it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        read = sync_catalogs(actor=SYSTEM)
        gateway.note_heard()
        aws.write()
        if not read:
            raise CommandError("There is no connection yet: apply an access file that names one.")
        for synced in read:
            self.stdout.write(
                f"{synced.connection}: {synced.workspaces} workspaces, "
                f"{synced.service_accounts} service accounts, {synced.changes} changes"
            )
        unread = [str(one) for synced in read for one in synced.unread]
        if unread:
            raise CommandError("\n".join(unread))
