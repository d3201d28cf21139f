"""Verify the audit log: the database's, or an export of it."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError

from portal.audit import SYSTEM, keys
from portal.audit.verify import (
    BROKEN,
    UNREADABLE,
    BrokenError,
    UnreadableError,
    published_heads,
    verify_export,
)
from portal.flows.verify_audit import verify_audit
from portal.incidents import one_line


class Command(BaseCommand):
    help = (
        "Verifies the audit log. Ends with 0 when it is intact, 1 when broken, 2 when unreadable."
    )
    requires_system_checks = ()  # whatever else is wrong, this must be able to tell

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "export", nargs="?", type=Path, help="an export as JSON Lines; without it, the database"
        )
        parser.add_argument(
            "--head",
            default="",
            help="with an export: a file of published heads, or one as SEQ:HASH",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["export"]:
                heads = published_heads(options["head"]) if options["head"] else {}
                with options["export"].open("rb") as file:
                    text = verify_export(file, keys.every(), heads)
            else:
                verdict = verify_audit(actor=SYSTEM)
                if not verdict.intact:
                    self._end(BROKEN, verdict.text)
                text = "\n".join([verdict.text, *verdict.keys])
        except BrokenError as broken:
            self._end(BROKEN, str(broken))
        except (UnreadableError, OSError, DatabaseError, InterfaceError) as error:
            self.stderr.write(f"unreadable: {one_line(error)}")
            sys.exit(UNREADABLE)
        self.stdout.write(f"intact: {text}")

    def _end(self, status: int, text: str) -> NoReturn:
        self.stdout.write(f"broken: {text}")
        sys.exit(status)
