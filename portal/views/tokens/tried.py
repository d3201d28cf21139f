"""What came of trying a new key at its Grafana, in words for people."""

from dataclasses import dataclass

from portal.grafana import smoke

_ANYWAY = "The token is made all the same: try the key yourself with one of the snippets."
_SECONDS = f"{smoke.SECONDS:g} s"


@dataclass(frozen=True, slots=True)
class Tried:
    """``works``, or why that is not known; empty ``said`` where nobody has tried."""

    works: bool
    said: str


_SAID = {
    smoke.REFUSED: "Grafana refused the key (401 from /api/org). Its service account may be "
    "disabled, or the key may need a moment: try it, and request another if it stays refused.",
    smoke.TIMED_OUT: f"Grafana did not answer in {_SECONDS}: whether the key works is not known. "
    f"{_ANYWAY}",
    smoke.UNREACHABLE: "The portal can't reach this Grafana, which may take calls from certain "
    f"networks alone: whether the key works is not known. {_ANYWAY}",
    smoke.NOT_TRUSTED: "The portal does not trust this Grafana's certificate, so the key was not "
    f"sent there. {_ANYWAY}",
    smoke.NO_ADDRESS: f"AWS names no address of this Grafana, so the key was not tried. {_ANYWAY}",
    smoke.NO_TIME: f"Making the token took so long that the key was not tried. {_ANYWAY}",
}


def tried(code: str) -> Tried | None:
    """What the page says; None where nobody has tried."""
    if not code:
        return None
    if code == smoke.WORKS:
        return Tried(True, "It works: Grafana took the key (200 from /api/org).")
    status = code.removeprefix(smoke.STATUS)
    other = (
        f"Grafana answered {status} from /api/org: whether the key works is not known. {_ANYWAY}"
    )
    return Tried(False, _SAID.get(code, other))
