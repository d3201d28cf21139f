"""Try everything that the portal depends on."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from portal.doctor import Finding, State, examine
from portal.doctor.table import checks

_SIGNS = {State.OK: "ok     ", State.WARNING: "warning", State.FAILED: "FAILED "}


class Command(BaseCommand):
    help = (
        "Tries database, broker, cache, mail, origin, AWS, single sign-on, disk and processes, and "
        "says what is missing and how to mend it. Changes nothing. Ends with 1 where something is."
    )
    # It tells of what Django's own checks would stop at.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="say it as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = examine(checks())
        failed = any(one.state == State.FAILED for one in findings)
        if options["json"]:
            said = {"ok": not failed, "findings": [asdict(one) for one in findings]}
            self.stdout.write(json.dumps(said, indent=2))
        else:
            for one in findings:
                self._tell(one)
            self.stdout.write("Something is missing." if failed else "The portal is well.")
        if failed:
            sys.exit(1)

    def _tell(self, one: Finding) -> None:
        self.stdout.write(f"{_SIGNS[one.state]}  {one.check}: {one.says}")
        if one.mend:
            self.stdout.write(f"           {one.mend}")
