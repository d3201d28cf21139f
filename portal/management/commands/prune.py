"""Delete what is over for long, now."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.audit import SYSTEM
from portal.flows.prune_history import DEFAULT_DAYS, NotYetCountedError, prune_history


class Command(BaseCommand):
    help = (
        "Deletes sessions, mails, and requests and tokens that ended long ago. Their events stay "
        "in the audit log."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--days",
            type=_days,
            default=DEFAULT_DAYS,
            help=f"how long ago they must have ended (default {DEFAULT_DAYS})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            gone = prune_history(days=options["days"], actor=SYSTEM)
        except NotYetCountedError:
            raise CommandError(
                "The scheduler has not counted the audit log for monitors yet: try again later."
            ) from None
        for what, number in gone.items():
            self.stdout.write(f"{what}: {number}")


def _days(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 36_500):
        raise ArgumentTypeError("a whole number of days, 1 or more")
    return int(text)
