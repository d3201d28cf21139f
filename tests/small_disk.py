"""Folders whose disk is full, and a whole product whose data folder a test fills.

The disk is a tmpfs in a mount namespace of the process that writes: as root by itself, as anybody
else in a user namespace too. Where the machine forbids both, as containers often do, no file of the
processes may grow (RLIMIT_FSIZE), which takes no rights anywhere: writes end in "File too large"
then, as over a quota they do in "Disk quota exceeded".
"""

import contextlib
import functools
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.product import ROOT, Product, clean_environment, prepared

BLOCK = b"\0" * 4096
PRODUCT_KIBIBYTES = 40 * 1024
MOUNT = (
    'mount -t tmpfs -o mode=700,size="$1"k tmpfs "$2" && { [ -z "$3" ] || cp -a "$3"/. "$2"; } '
    '&& shift 3 && exec "$@"'
)
WAYS = (("unshare", "--mount"), ("unshare", "--user", "--map-root-user", "--mount"))
LIMITED = ("run", "web", "worker", "scheduler", "sandbox")
"""All but the broker, which such a limit would kill."""


@functools.cache
def way_to_mount() -> tuple[str, ...] | None:
    """The command under which a tmpfs can be mounted; None where nothing may."""
    with tempfile.TemporaryDirectory() as folder:
        for way in WAYS:
            tried = (*way, "mount", "-t", "tmpfs", "tmpfs", folder)
            with contextlib.suppress(FileNotFoundError):
                if subprocess.run(tried, capture_output=True, check=False).returncode == 0:
                    return way
    return None


def on_small_disk(folder: Path, kibibytes: int, content: Path | None = None) -> tuple[str, ...]:
    """What to put before a command so that ``folder`` has so much room, less ``content``.

    Where nothing can be mounted no file in any folder may be larger.
    """
    if (way := way_to_mount()) is None:
        return below_quota(kibibytes)
    return (
        *(*way, "sh", "-c", MOUNT, "sh"),
        *(str(kibibytes), str(folder), str(content or "")),
    )


def below_quota(kibibytes: int) -> tuple[str, ...]:
    """What to put before a command so that no file of it may be larger."""
    return ("prlimit", f"--fsize={kibibytes * 1024}")


def manage(
    before: tuple[str, ...], command: str, **settings: str
) -> "subprocess.CompletedProcess[str]":
    """A command of manage.py in a process of its own."""
    return subprocess.run(
        (*before, sys.executable, "manage.py", command),
        cwd=ROOT,
        env={**clean_environment(), "PORTAL_EMBEDDED": "1", **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class ProductOnSmallDisk(Product):
    def __init__(self, **settings: str) -> None:
        super().__init__(**settings)
        if way_to_mount():
            self.before = on_small_disk(self.data_dir, PRODUCT_KIBIBYTES, prepared())

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Nothing more can be written to its data folder meanwhile."""
        with self._filled() if way_to_mount() else self._limited():
            yield

    @contextlib.contextmanager
    def _filled(self) -> Iterator[None]:
        # As the product sees its folder: nobody else has this disk.
        folder = Path(f"/proc/{self.master('run')}/root{self.data_dir.resolve()}")
        filling = folder / "filling"
        try:
            with filling.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(BLOCK)
            yield
        finally:
            filling.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        self._limit((0, before[1]))
        try:
            yield
        finally:
            self._limit(before)

    def _limit(self, limits: tuple[int, int]) -> None:
        for one in self.processes():
            if one.name in LIMITED:
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(one.pid, resource.RLIMIT_FSIZE, limits)
