"""`make` on a machine that lacks something, and after it was interrupted."""

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.product import ROOT, clean_environment

MAKES_OWN = ("MAKELEVEL", "MAKEFLAGS", "MFLAGS")
"""What `make test` tells the makes that it starts; nobody's own make has these."""

LOCKS = [f"requirements{part}.txt" for part in ("", "-pip", "-embedded", "-dev")]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile alone, with requirements that ask for nothing, in a folder with a blank."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    for name in LOCKS:
        (folder / name).touch()
    return folder


def make(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    of_its_own = {
        name: value for name, value in clean_environment().items() if name not in MAKES_OWN
    }
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        env=of_its_own,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def complaint(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode != 0
    [line] = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    return line


def python_that(folder: Path, refuses: str) -> Path:
    """Python as Debian has it without a package: whatever says ``refuses`` fails."""
    program = folder / "python"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *{refuses}*) exit 1;; esac\nexec "{sys.executable}" "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def test_no_python_at_all(checkout: Path) -> None:
    line = complaint(make(checkout, ".venv/.made", "PYTHON=python3.99"))
    assert line.startswith("There is no python3.99 here")


def test_a_python_that_is_too_old(checkout: Path) -> None:
    python = python_that(checkout, "version_info")
    assert "3.11 or newer is needed" in complaint(make(checkout, ".venv/.made", f"PYTHON={python}"))


def test_a_folder_that_can_not_be_written(checkout: Path) -> None:
    (checkout / ".venv").touch()  # root may write anywhere, but not below a file
    line = complaint(make(checkout, ".venv/.made"))
    assert line == f"This user can't write here: {checkout}/.venv"


def test_a_run_that_failed_or_was_interrupted_spoils_none_that_follows(checkout: Path) -> None:
    without_venv = python_that(checkout, "ensurepip")
    line = complaint(make(checkout, ".venv/.made", f"PYTHON={without_venv}"))
    assert "apt-get install python3-venv" in line
    # As Ctrl-C leaves it half-way.
    (checkout / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (checkout / ".venv" / "bin").mkdir()
    (checkout / ".venv" / "bin" / "python").symlink_to(sys.executable + "-that-is-gone")
    done = make(checkout, ".venv/.made", f"PYTHON={sys.executable}")
    assert done.returncode == 0, done.stderr
    pip = subprocess.run(
        [checkout / ".venv" / "bin" / "python", "-m", "pip", "--version"],
        capture_output=True,
        check=False,
    )
    assert pip.returncode == 0
    assert make(checkout, "-q", ".venv/.made").returncode == 0, "it is made once"
