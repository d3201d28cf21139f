"""The orders in which a person's own tokens may stand; each follows an index, however many."""

from dataclasses import dataclass

from portal.models import Token
from portal.models.lookups import IS_LIVE, TRUE_END
from portal.models.queries import TokenQuerySet
from portal.models.states import NOT_LIVE
from portal.views.paging import Stretch

NEWEST, ENDS, NAME, USED = "", "ends", "name", "used"


@dataclass(frozen=True, slots=True)
class Order:
    """What the address says, what the link says, and the column that a sorted table names."""

    sort: str
    words: str
    caption: str
    column: str = ""


ORDERS = (
    Order(NEWEST, "Newest", "newest first"),
    Order(ENDS, "Ends next", "what ends next first, then what is not live, newest first", "ends"),
    Order(NAME, "Name", "by name", "name"),
    Order(USED, "Longest unused", "live ones that are unused for longest first", "used"),
)


def order(asked: str) -> Order:
    """The one that an address asks for; what it can't mean is the first."""
    return next((one for one in ORDERS if one.sort == asked), ORDERS[0])


def in_order(own: TokenQuerySet, sort: str) -> list[Stretch[Token]]:
    """A person's tokens, all of them and each once."""
    newest = ("-created_at", "-id")
    if sort == NAME:
        return [Stretch(own, ("name", "id"))]
    if sort == NEWEST:
        return [Stretch(own, newest)]
    live = own.filter(IS_LIVE)
    over = Stretch(own.filter(state__among=NOT_LIVE), newest)
    if sort == ENDS:
        ending = live.filter(expires_at__isnull=False)
        return [
            Stretch(ending, ("ends", "id"), {"ends": TRUE_END}),
            Stretch(live.filter(expires_at=None), newest),
            over,
        ]
    return [
        Stretch(live.filter(last_used_at=None), ("created_at", "id")),
        Stretch(live.filter(last_used_at__isnull=False), ("last_used_at", "id")),
        over,
    ]
