"""What is installed: wheels alone, by their hashes, of a lock that is not old."""

import re
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.product import ROOT, clean_environment


def run(script: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        ["sh", f"tests/{script}", *arguments],
        cwd=ROOT,
        env=clean_environment() | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("days", "said"),
    [(0, ""), (30, ""), (31, "The lock is 31 days old: run make lock LOCK_ARGS=--upgrade")],
)
def test_an_old_lock_is_named(tmp_path: Path, days: int, said: str) -> None:
    file = tmp_path / "locked"
    file.write_text(f"{datetime.now(UTC).date() - timedelta(days=days)}\n")
    assert run("lock-age.sh", str(file)).partition(", and")[0].strip() == said


def test_the_lock_says_when_it_was_made() -> None:
    assert date.fromisoformat((ROOT / "requirements.locked").read_text().strip())


def test_advisories_that_are_out_of_reach_are_named_and_stop_nothing() -> None:
    said = run("known-faults.sh", "requirements.txt", ADVISORIES="http://127.0.0.1:1")
    assert said == "Not looked for: the advisories of http://127.0.0.1:1 are out of reach\n"


def test_make_check_does_both() -> None:
    check = (ROOT / "tests" / "check.sh").read_text()
    assert "sh tests/lock-age.sh requirements.locked" in check
    assert re.search(r"sh tests/known-faults\.sh requirements\.txt ", check)


def installs() -> list[tuple[str, str]]:
    """Every line that installs something: of the Makefile, the image and the guide."""
    found = []
    for name in ("Makefile", "deploy/Dockerfile", "docs/OPERATIONS.md"):
        text = (ROOT / name).read_text().replace("\\\n", " ").replace('", "', " ")
        found += [
            (name, line)
            for line in text.splitlines()
            if re.search(r"\bpip\b[^|;]* install\b", line)
        ]
    return found


def test_only_wheels_are_installed_and_each_by_its_hash() -> None:
    lines = installs()
    assert {name for name, _ in lines} == {"Makefile", "deploy/Dockerfile", "docs/OPERATIONS.md"}
    for name, line in lines:
        assert "--require-hashes" in line, name
        assert "--only-binary :all:" in line, name


def test_pip_is_installed_first_in_the_version_that_is_locked() -> None:
    assert re.match(r"pip==\d+\S* ", (ROOT / "requirements-pip.txt").read_text())
    for name in ("Makefile", "deploy/Dockerfile", "docs/OPERATIONS.md"):
        text = (ROOT / name).read_text()
        first = [text.index("requirements-pip.txt"), text.index("requirements.txt")]
        assert first == sorted(first), name
