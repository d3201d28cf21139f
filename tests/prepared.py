"""What a first start takes longest for, made once in a process and copied for each test."""

import atexit
import functools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MADE = ("portal.sqlite3", "static")
_MAKE = """
import django
django.setup()
from django.core.management import call_command
from portal.embedded.product import collect_static_files
call_command("migrate", interactive=False, verbosity=0)
collect_static_files()
"""


@functools.cache
def data_directory(environment: "tuple[tuple[str, str], ...]") -> Path:
    """A data directory of this version with an empty database and collected static files; no keys
    and no people. ``environment`` speaks to no portal."""
    directory = Path(tempfile.mkdtemp(prefix="portal-prepared-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    told = {
        **dict(environment),
        "PORTAL_EMBEDDED": "1",
        "PORTAL_DATA_DIR": str(directory),
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    subprocess.run([sys.executable, "-c", _MAKE], cwd=ROOT, env=told, check=True)
    for other in directory.iterdir():
        if other.name not in MADE:
            other.unlink()
    return directory
