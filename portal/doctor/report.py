"""What is found, and how checks are run."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from django.db import DatabaseError, InterfaceError, connection

LONGEST = 50.0
"""Seconds for all checks together."""


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """Unwise, or not known yet: it works."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """``mend`` says what to do about it; empty where nothing is to be done."""

    check: str
    state: State
    says: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """``run`` writes down what it finds; ``seconds`` is how long it may take."""

    name: str
    run: Callable[["Report"], None]
    seconds: float = 10.0


@dataclass(slots=True)
class Report:
    """Where one check writes down what it finds."""

    check: str
    found: list[Finding] = field(default_factory=list)

    def ok(self, says: str) -> None:
        self.found.append(Finding(self.check, State.OK, says))

    def warn(self, says: str, mend: str) -> None:
        self.found.append(Finding(self.check, State.WARNING, says, mend))

    def fail(self, says: str, mend: str) -> None:
        self.found.append(Finding(self.check, State.FAILED, says, mend))


def examine(checks: Iterable[Check]) -> list[Finding]:
    """Run them all at once; the findings come in the order of the checks."""
    running = []
    for check in checks:
        report = Report(check.name)
        thread = threading.Thread(target=_run, args=(check, report), daemon=True)
        thread.start()
        running.append((check, report, thread))
    begun = time.monotonic()
    findings: list[Finding] = []
    for check, report, thread in running:
        seconds = min(check.seconds, LONGEST)
        thread.join(max(0.0, begun + seconds - time.monotonic()))
        found = list(report.found)
        if thread.is_alive():
            found.append(
                Finding(
                    check.name,
                    State.FAILED,
                    f"no answer within {seconds:.0f} seconds",
                    "See whether a firewall drops packets on the way, or the server is overloaded.",
                )
            )
        findings += found
    return findings


def _run(check: Check, report: Report) -> None:
    try:
        check.run(report)
    except (DatabaseError, InterfaceError) as error:
        first = str(error).strip().splitlines() or [type(error).__name__]
        report.fail(
            f"could not be tried, for the database can't be used: {first[0]}",
            "See what is said of the database.",
        )
    except Exception as error:  # noqa: BLE001 (a mistake of one check must not hide the others)
        report.fail(
            f"the check itself failed with {type(error).__name__}: {error}",
            "This is a mistake of the portal: please report it.",
        )
    finally:
        connection.close()
