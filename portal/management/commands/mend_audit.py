"""Mend the head of the audit log, as the owner of its tables."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError

from portal.audit import SYSTEM
from portal.audit.verify import UnreadableError
from portal.flows.mend_audit import CannotMendError, mend_audit
from portal.incidents import one_line


class Command(BaseCommand):
    help = (
        "Sets the head of the audit log to its last event, as the owner of the tables. Ends with 0 "
        "when it is right, and with 1 when it could not be mended."
    )
    requires_system_checks = ()  # whatever else is wrong, this must be able to mend

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--take-out",
            type=int,
            metavar="SEQ",
            help="rows from this number on, which no key has hashed, are printed and taken out",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            mended = mend_audit(actor=SYSTEM, take_out=options["take_out"])
        except (CannotMendError, UnreadableError, DatabaseError, InterfaceError) as error:
            self.stderr.write(f"not mended: {one_line(error)}")
            sys.exit(1)
        for row in mended.taken_out:
            self.stdout.write(row)
        self.stdout.write(f"mended: {mended.text}" if mended.text else "nothing to mend")
