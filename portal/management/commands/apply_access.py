"""Apply an access file."""

import hashlib
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal import access, gateway
from portal.access import words
from portal.audit import SYSTEM
from portal.catalog import read_brought
from portal.flows.apply_access import Plan, apply_access
from portal.metrics import aws
from portal.tasks import end_lost_access

MOST_WARNINGS = 100


class Command(BaseCommand):
    help = "Makes teams, people and grants what an access file says."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="show the plan, change nothing")
        parser.add_argument(
            "--leave-no-admin",
            action="store_true",
            help="apply it although nobody is admin afterwards",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            content = access.load(path)
            file = access.parse(content.decode())
            plan = apply_access(
                file,
                actor=SYSTEM,
                sha256=hashlib.sha256(content).hexdigest(),
                dry_run=options["dry_run"],
                brought=read_brought(file.connections),
                leave_no_admin=options["leave_no_admin"],
            )
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{path} can't be read: {error}") from None
        except access.AccessFileError as error:
            lines = "\n".join(f"  {problem}" for problem in error.problems)
            raise CommandError(f"{path} was not applied; nothing has changed:\n{lines}") from None
        dry_run: bool = options["dry_run"]
        for line in plan.lines:
            self.stdout.write(line)
        for token in plan.ends:
            self.stdout.write(words.token("x", token))
        for token in plan.left:
            self.stdout.write(words.token("!", token))
        for problem in plan.warnings[:MOST_WARNINGS]:
            self.stdout.write(words.warning(problem))
        self.stdout.write(_summary(plan, dry_run=dry_run))
        if not dry_run:
            gateway.note_heard()
            aws.write()
            end_lost_access(SYSTEM)


def _summary(plan: Plan, *, dry_run: bool) -> str:
    """What it comes to, in one line."""
    parts = [f"{_count(plan.changes, 'change')} {'to make' if dry_run else 'made'}"]
    if plan.ends:
        parts.append(f"{_count(plan.ends, 'request')} {'to end' if dry_run else 'ended'} (x)")
    if plan.left:
        parts.append(f"{_count(plan.left, 'live token')} left behind for lead or admin (!)")
    if plan.warnings:
        parts.append(f"{_count(plan.warnings, 'warning')} (?)")
    return f"{', '.join(parts)}."


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"
