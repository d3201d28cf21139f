"""After the restore of an old backup: tokens at AWS that no row knows."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_datetime

from portal import gateway
from portal.audit import SYSTEM
from portal.flows import reconcile
from portal.flows.sync_catalog import sync_catalogs
from portal.flows.take_inventory import take_inventory
from portal.metrics import aws
from portal.models import ServiceAccount
from portal.text import shown


class Command(BaseCommand):
    help = (
        "Lists tokens at AWS that no row of the database knows, as after the restore of an old "
        "backup, and adopts or ends them. Ends with 1 where something could not be read or done."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        way = parser.add_mutually_exclusive_group()
        way.add_argument(
            "--adopt", action="store_true", help="give each to a team that is granted its account"
        )
        way.add_argument("--end", action="store_true", help="delete each of them at AWS")
        parser.add_argument(
            "--since",
            metavar="MOMENT",
            help="only those made at or after it, such as 2026-11-28T09:00:00Z: when the backup "
            "was taken. What is older was made by others, and known before",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        since = _moment(options["since"])
        unread = _read()
        entries = reconcile.unknown(since)
        for one in entries:
            account = one.service_account
            made = f"{one.created_at:%Y-%m-%d %H:%M:%S} UTC" if one.created_at else "unknown"
            self.stdout.write(
                f"{account.workspace.aws_id} {shown(account.workspace.name)} / "
                f"{shown(account.name)}: {shown(one.name)} (id {one.aws_id}), made {made}"
            )
        if not entries:
            self.stdout.write("AWS has no token that no row knows.")
        failures = list(unread)
        if entries and (options["adopt"] or options["end"]):
            self.stdout.write(reconcile.tell_cut(len(entries)))
            act = reconcile.adopt if options["adopt"] else reconcile.end
            for done in act(entries):
                if done.trouble:
                    failures.append(f"{shown(done.entry.name)}: {done.trouble}")
                else:
                    self.stdout.write(f"{shown(done.entry.name)}: {done.did}")
        gateway.note_heard()
        aws.write()
        if failures:
            raise CommandError("\n".join(failures))


def _read() -> list[str]:
    """Read the catalog and every account's list now; what could not be read."""
    unread = [str(one) for synced in sync_catalogs(actor=SYSTEM) for one in synced.unread]
    for account in ServiceAccount.objects.to_list().select_related("workspace"):
        if not take_inventory(account.pk):
            unread.append(
                f"{account.workspace.aws_id} / {account.name}: its tokens could not be listed; see "
                "the log"
            )
    return unread


def _moment(text: str | None) -> Any:
    if text is None:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CommandError("--since is a moment with its zone, such as 2026-11-28T09:00:00Z")
    return moment
