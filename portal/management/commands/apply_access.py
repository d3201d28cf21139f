"""Apply an access file."""

import hashlib
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal import access
from portal.audit import SYSTEM
from portal.flows.apply_access import apply_access


class Command(BaseCommand):
    help = "Makes teams, people and grants what an access file says."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="show the plan, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            content = path.read_bytes()
            file = access.parse(content.decode())
            plan = apply_access(
                file,
                actor=SYSTEM,
                sha256=hashlib.sha256(content).hexdigest(),
                dry_run=options["dry_run"],
            )
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{path} can't be read: {error}") from None
        except access.AccessFileError as error:
            lines = "\n".join(f"  {problem}" for problem in error.problems)
            raise CommandError(f"{path} was not applied; nothing has changed:\n{lines}") from None
        for line in plan.lines:
            self.stdout.write(line)
        done = "would change" if options["dry_run"] else "changed"
        self.stdout.write(f"{len(plan.lines)} things {done}.")
