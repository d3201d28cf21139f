"""Another commit beside this one, for benchmarks that compare the two in one run."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HERE = "now"


@contextlib.contextmanager
def trees(commit: str | None) -> Iterator[dict[str, Path]]:
    """The trees to measure by their names; a commit's is checked out for as long as it takes."""
    if commit is None:
        yield {HERE: ROOT}
        return
    directory = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    tree, git = directory / "tree", ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(tree), commit], check=True)
    try:
        yield {commit: tree, HERE: ROOT}
    finally:
        subprocess.run([*git, "remove", "--force", str(tree)], check=True)
        shutil.rmtree(directory, ignore_errors=True)
