"""How long an access file of 200 teams, 5,000 people and 2,000 grants takes.

Run by ``make bench``; ``PORTAL_TEST_STACK=production`` measures on PostgreSQL instead of SQLite.
Measured is the command as an operator runs it, from the file's bytes to the commit, without the
start of Python.
"""

import io
import os
import tempfile
import time
from pathlib import Path

import django
from django.core.management import call_command

from bench import report
from tests import environment

REPEATS = 3
FIRST_LIMIT, SECOND_LIMIT = 10_000.0, 3_000.0


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    load = report.Load()
    django.setup()
    from tests import big_access  # its models want Django set up

    def timed(*arguments: str) -> float:
        began = time.monotonic()
        call_command("apply_access", *arguments, stdout=io.StringIO())
        return (time.monotonic() - began) * 1000

    runs: dict[str, list[float]] = {"dry run": [], "applied": [], "applied again": []}
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "access.yaml"
        call_command("migrate", verbosity=0)
        big_access.make_catalog()
        for number in range(REPEATS):
            # Each company's file closes the teams of the one before: the log can't be emptied.
            file.write_text(big_access.access_file(f"company-{number}"))
            runs["dry run"].append(timed(str(file), "--dry-run"))
            runs["applied"].append(timed(str(file)))
            runs["applied again"].append(timed(str(file)))
    rows = [report.Row("200 teams, 5,000 people, 2,000 grants", *run) for run in runs.items()]
    targets = [
        report.Target("applied", max(runs["applied"]), FIRST_LIMIT),
        report.Target("applied again", max(runs["applied again"]), SECOND_LIMIT),
    ]
    report.show(
        f"Access file of {rows[0].group} ({environment.STACK})",
        ["", "median ms", "slowest ms"],
        [(row.who, f"{row.p50:.0f}", f"{max(row.samples):.0f}") for row in rows],
    )
    for target in targets:
        print(target)
    path = report.write(
        f"access_file-{environment.STACK}",
        {
            "milliseconds": runs,
            "targets": [{"what": one.what, "reached": one.reached} for one in targets],
            "stack": environment.STACK,
            "machine": report.machine(),
            "load": load.describe(),
        },
    )
    print(f"\nwritten to {path}")


if __name__ == "__main__":
    main()
