"""Have spin look at every run of docs/model/life.pml: ``python -m tests.model [--wide]``.

Prints how many states there are, how deep they go and how long it took. Then each step of the
protocol is taken away in turn, and spin must find a run that breaks the promise: the table in
docs/RELIABILITY.md. ``--wide`` allows more attempts, for some minutes. Exit 1 where a run breaks
the promise that must not, or none does that must.
"""

import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

MODEL = Path(__file__).resolve().parents[1] / "docs" / "model" / "life.pml"
BOUNDS = {"ATTEMPTS": 2, "CRASHES": 1, "FAULTS": 1}
WIDE_BOUNDS = {**BOUNDS, "ATTEMPTS": 3}
"""Some breaks show at the third attempt only."""
BREAKS = {
    "CLAIM_WITHOUT_DOUBT": "the claim does not say that a create may have had an effect",
    "CREATE_WITHOUT_LOOKING": "an attempt after an unknown outcome does not list first",
    "LOOK_ONCE": "one list instead of two",
    "MATCH_BY_NAME_ALONE": "every listed token of the name counts as ours",
    "RESEND_AFTER_UNKNOWN_OUTCOME": "a create of unknown outcome is sent again at once",
    "STORE_WITHOUT_CONDITION": "a worker stores its outcome whoever holds the row",
    "CLEAR_EARLY": "a list clears the doubt while a signature is still good",
    "DELIVER_WITHOUT_CONDITION": "a confirmation is taken in any state",
}


@dataclass(frozen=True, slots=True)
class Result:
    """What spin found; ``broken`` is the assertion that some run breaks, or empty."""

    broken: str
    states: int
    depth: int
    seconds: float


def look(bounds: dict[str, int], *, without: str = "", loops: bool = False) -> Result:
    """Build the verifier and run it; ``loops`` looks for runs that never end instead.

    Raises CalledProcessError when spin or the compiler fails.
    """
    switches = [f"-D{name}={value}" for name, value in bounds.items()]
    switches += [f"-D{without}"] if without else []
    kind = ["-DNP"] if loops else ["-DSAFETY"]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        for command in (
            ["spin", *switches, "-a", str(MODEL)],
            ["cc", "-O2", *kind, "-DNOFAIR", "-DCOLLAPSE", "-DVECTORSZ=2048", "pan.c", "-o", "pan"],
        ):
            subprocess.run(command, cwd=scratch, check=True, capture_output=True, text=True)
        command = ["./pan", "-m1000000", *(["-l"] if loops else [])]
        said = subprocess.run(
            command, cwd=scratch, check=True, capture_output=True, text=True, timeout=1800
        ).stdout
    if "Search not completed" in said and "errors: 0" in said:
        raise RuntimeError(said)
    broken = re.search(r"pan:1: (.+?) \(at depth", said)
    return Result(
        broken=broken[1] if broken else "",
        states=int(found(r"([\d.e+]+) states, stored", said)),
        depth=int(found(r"depth reached (\d+)", said)),
        seconds=time.monotonic() - began,
    )


def found(pattern: str, said: str) -> float:
    match = re.search(pattern, said)
    if match is None:
        raise RuntimeError(said)
    return float(match[1])


def main() -> int:
    bounds = WIDE_BOUNDS if sys.argv[1:] == ["--wide"] else BOUNDS
    is_fine = True
    for what, loops in (("the promise", False), ("that every run ends", True)):
        result = look(bounds, loops=loops)
        verdict = f"BROKEN: {result.broken}" if result.broken else "holds"
        print(
            f"{what} {verdict}: {result.states:,} states, {result.depth} steps deep, "
            f"{result.seconds:.0f} s"
        )
        is_fine = is_fine and not result.broken
    for name, meaning in BREAKS.items():
        result = look(WIDE_BOUNDS, without=name)
        print(f"| {meaning} | `{result.broken or 'NOTHING BREAKS'}` | {result.depth} |")
        is_fine = is_fine and bool(result.broken)
    return 0 if is_fine else 1


if __name__ == "__main__":
    sys.exit(main())
