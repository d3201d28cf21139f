"""What a large company needs of the portal, from what each thing was measured to cost.

Pure arithmetic. ``python -m bench.capacity`` prints the tables that docs/CAPACITY.md holds, and
``--docs`` writes them there; tests/test_capacity.py holds that both are the same, and that each
figure's page has the section that it names. Whoever measures anew puts the figure here.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tests import pages

PAGE = pages.DOCS / "CAPACITY.md"
PERFORMANCE, HERE = "PERFORMANCE.md", "CAPACITY.md"


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure, its unit, and the page and section of docs/ where it was measured."""

    value: float
    unit: str
    page: str
    section: str
    what: str


WEB_TOKEN = Measured(40.3, "ms CPU", PERFORMANCE, "Issuing a token", "web, for a token")
WORKER_TOKEN = Measured(11.3, "ms CPU", PERFORMANCE, "Issuing a token", "worker, for a token")
_LARGE = "Large catalogs and long histories"
PAGE_DRAWN = Measured(
    35.4, "ms", PERFORMANCE, _LARGE, "a page: My tokens, form, desk and audit log, on average"
)
SWEEP = Measured(44.7, "ms", PERFORMANCE, _LARGE, "a sweep, every 2 s")
LISTS = Measured(13.1, "a second", PERFORMANCE, _LARGE, "lists by a worker host (2,000 in 153 s)")
CATALOG_CALLS = Measured(
    25.6, "a second", PERFORMANCE, _LARGE, "catalogs' calls by the scheduler (1,050 in 41 s)"
)
WORKER_MEMORY = Measured(617, "MB", PERFORMANCE, _LARGE, "a worker of 12 processes")
_LOG = "The audit log"
APPENDED = Measured(494, "a second", PERFORMANCE, _LOG, "events appended by 8 writers")
VERIFIED = Measured(15_946, "a second", PERFORMANCE, _LOG, "events verified in the database")
EXPORTED = Measured(125_034, "a second", PERFORMANCE, _LOG, "events exported")
EXPORT_VERIFIED = Measured(111_515, "a second", PERFORMANCE, _LOG, "events of an export verified")
COUNTED = Measured(
    27_027, "a second", PERFORMANCE, "A scrape of `/metrics`", "events counted (10⁷ in 370 s)"
)
EVENTS_OF_TOKEN = Measured(
    5.9, "", PERFORMANCE, "A scrape of `/metrics`", "events of a request (10⁷ of 1.7 million)"
)
PROVISIONED = Measured(25.7, "a second", PERFORMANCE, "Provisioning", "people put in by SCIM")
EVENT_SIZE = Measured(
    1_843, "bytes", HERE, "What was measured for this page", "an event with its indexes"
)
MEASURED = (
    *(WEB_TOKEN, WORKER_TOKEN, PAGE_DRAWN, SWEEP, LISTS, CATALOG_CALLS, WORKER_MEMORY, APPENDED),
    *(VERIFIED, EXPORTED, EXPORT_VERIFIED, COUNTED, EVENTS_OF_TOKEN, PROVISIONED, EVENT_SIZE),
)


@dataclass(frozen=True, slots=True)
class Company:
    """What is assumed. Times in seconds."""

    engineers: int = 10_000
    aws_accounts: int = 500
    workspaces: int = 10_000
    service_accounts_of_workspace: int = 2
    requests_a_day: int = 4_000
    in_the_busiest_hour: float = 0.25
    """Of a day's requests."""
    browse_then: float = 0.1
    """Of the engineers."""
    pages_an_hour: int = 12
    """Of each who browses."""
    working_days_a_year: int = 250
    events: float = 1e8
    calls_of_aws: float = 5.0
    """A second, of each account and region."""
    sync_seconds: float = 300.0
    inventory_seconds: float = 900.0
    lists_in_a_turn: int = 64
    """Of the scheduler's 2 s, with workers of 12 processes (docs/decisions/0064)."""

    @property
    def workspaces_of_account(self) -> float:
        return self.workspaces / self.aws_accounts

    @property
    def requests_a_second(self) -> float:
        """In the busiest hour."""
        return self.requests_a_day * self.in_the_busiest_hour / 3600

    @property
    def pages_a_second(self) -> float:
        return self.engineers * self.browse_then * self.pages_an_hour / 3600

    @property
    def lists_a_second(self) -> float:
        return self.workspaces * self.service_accounts_of_workspace / self.inventory_seconds

    @property
    def catalog_calls_a_second(self) -> float:
        """For each account its list of workspaces, and a list of accounts for each workspace."""
        return (self.aws_accounts + self.workspaces) / self.sync_seconds

    @property
    def calls_of_account(self) -> float:
        """A second, of an account like any other; a deleted token is a list and a delete."""
        of_tokens = 3 * self.requests_a_second
        readings = self.lists_a_second + self.catalog_calls_a_second
        return (readings + of_tokens) / self.aws_accounts

    @property
    def events_a_year(self) -> float:
        return self.requests_a_day * self.working_days_a_year * EVENTS_OF_TOKEN.value


@dataclass(frozen=True, slots=True)
class Need:
    """What a part has to do, and what one of it does."""

    part: str
    needs: float
    has: float
    unit: str
    turn: str

    @property
    def share(self) -> float:
        """Of what one of it does, in per cent."""
        return 100 * self.needs / self.has


def needs(company: Company) -> list[Need]:
    """The parts, that which ends first before the others."""
    tokens, drawn = company.requests_a_second, company.pages_a_second
    found = [
        Need(
            "the scheduler's readers of catalogs",
            company.catalog_calls_a_second,
            CATALOG_CALLS.value,
            "calls a second",
            "nothing has to be: above 100 % a catalog is read less often than every 300 s, in "
            "proportion. More processor for scheduler and PostgreSQL; `MOST_READERS`",
        ),
        Need(
            "lists of tokens, one worker host of 12 processes",
            company.lists_a_second,
            LISTS.value,
            "lists a second",
            "another worker host, or a larger `PORTAL_INVENTORY_SECONDS`",
        ),
        Need(
            "lists of tokens that the scheduler hands out",
            company.lists_a_second,
            company.lists_in_a_turn / 2,
            "lists a second",
            "`PORTAL_WORKER_PROCESSES` (of the scheduler's host, too), or a larger "
            "`PORTAL_INVENTORY_SECONDS`",
        ),
        Need(
            "the web's processors, 2 cores",
            (tokens * WEB_TOKEN.value + drawn * PAGE_DRAWN.value) / 1000,
            2.0,
            "cores",
            "another web host",
        ),
        Need(
            "AWS's limit, an account like any other",
            company.calls_of_account,
            company.calls_of_aws,
            "calls a second",
            "a larger `PORTAL_INVENTORY_SECONDS`; fewer workspaces in an account",
        ),
        Need(
            "AWS's limit, all requests in one account",
            company.calls_of_account + 3 * tokens,
            company.calls_of_aws,
            "calls a second",
            "spread the workspaces over accounts; nothing of the portal changes AWS's limit",
        ),
        Need(
            "the scheduler's table of jobs",
            SWEEP.value / 1000,
            2.0,
            "seconds of a turn",
            "`manage.py prune`: a sweep grows with what is alive and what is kept",
        ),
        Need(
            "the head of the audit log",
            tokens * EVENTS_OF_TOKEN.value,
            APPENDED.value,
            "events a second",
            "a disk that syncs faster: writers follow one another",
        ),
        Need(
            "the workers' processors, 2 cores",
            tokens * WORKER_TOKEN.value / 1000,
            2.0,
            "cores",
            "another worker host",
        ),
    ]
    return sorted(found, key=lambda need: -need.share)


def needs_table(company: Company) -> list[str]:
    headings = ("part", "needs", "one does", "share", "what to turn")
    rows = (
        (
            one.part,
            number(one.needs),
            f"{number(one.has)} {one.unit}",
            f"{number(one.share)} %",
            one.turn,
        )
        for one in needs(company)
    )
    return [*pages.table(headings, rows)]


def log_rows(company: Company) -> Iterator[tuple[str, str]]:
    """What the log of so many events is."""
    events = company.events
    yield "years until there are so many", number(events / company.events_a_year)
    yield "on PostgreSQL's disk, with indexes, GB", number(events * EVENT_SIZE.value / 1e9)
    yield "a year's growth, GB", number(company.events_a_year * EVENT_SIZE.value / 1e9)
    yield "exported whole, minutes", number(events / EXPORTED.value / 60)
    yield "that export verified, minutes on a core", number(events / EXPORT_VERIFIED.value / 60)
    yield "verified in the database, minutes on a core", number(events / VERIFIED.value / 60)
    yield (
        "counted once for `/metrics` after an upgrade, minutes",
        number(events / COUNTED.value / 60),
    )
    yield (
        "requests a second at which the head is busy",
        number(APPENDED.value / EVENTS_OF_TOKEN.value),
    )


def log_table(company: Company) -> list[str]:
    return [*pages.table((f"{company.events:,.0f} events", ""), log_rows(company))]


def measured_table() -> list[str]:
    rows = (
        (one.what, f"{number(one.value)} {one.unit}".strip(), f"{one.page}, “{one.section}”")
        for one in MEASURED
    )
    return [*pages.table(("what", "measured", "where"), rows)]


def number(value: float) -> str:
    """With three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


TABLES = {
    "needs": lambda: needs_table(Company()),
    "log": lambda: log_table(Company()),
    "measured": measured_table,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", action="store_true", help="write docs/CAPACITY.md")
    to_docs = parser.parse_args().docs
    for name, table in TABLES.items():
        lines = table()
        sys.stdout.write("\n".join([*lines, "", ""]))
        if to_docs:
            pages.write(PAGE, name, lines, command="python -m bench.capacity --docs")


if __name__ == "__main__":
    main()
