"""A log to tamper with, and what verification says of it."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction

from portal import audit
from portal.audit import SYSTEM, chain, keys, verify
from portal.audit.chain import Link
from portal.audit.head import read_head
from portal.models import Action, AuditEvent

EVENTS = 10


@pytest.fixture
def log(db: None) -> list[AuditEvent]:
    """Ten events."""
    written = []
    for number in range(1, EVENTS + 1):
        with transaction.atomic():
            written.append(
                audit.record(Action.ACCESS_CHANGED, actor=SYSTEM, subject=f"+ team n{number}")
            )
    return written


@dataclass(frozen=True, slots=True)
class Said:
    """What a program said and how it ended."""

    status: int
    text: str


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., Path]:
    """Write an export of the events that match, as the page streams it."""

    def export(**filters: str) -> Path:
        head, at = read_head()
        events = AuditEvent.objects.filter(**filters, seq__lte=head.seq).order_by("seq")
        lines = chain.export_lines(
            (Link(*row) for row in events.values_list("text", "prev_hash", "hash")),
            key=keys.current(),
            filters=filters,
            head=head,
            at=at,
        )
        path = tmp_path / "export.jsonl"
        path.write_bytes(b"".join(lines))
        return path

    return export


@pytest.fixture
def elsewhere(tmp_path: Path) -> Callable[..., Said]:
    """Verify an export elsewhere: in a process with one module, the file and the key."""
    machine = tmp_path / "elsewhere"
    machine.mkdir()
    module = machine / "verify.py"
    module.write_bytes(Path(verify.__file__).read_bytes())

    def run(path: Path, *arguments: str, **environment: str) -> Said:
        done = subprocess.run(
            # -I: no path but the standard library's, and no environment of Python's.
            [sys.executable, "-I", "-W", "error", str(module), str(path), *arguments],
            env={"AUDIT_KEY": settings.AUDIT_KEY, **environment},
            cwd=machine,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return Said(done.returncode, done.stdout + done.stderr)

    return run
