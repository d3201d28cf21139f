"""A lookup for states, by which SQLite finds partial indexes.

SQLite uses a partial index only where the question contains the index's own condition, term by
term, and a term with a parameter in a list is another term. So states are written into the SQL:
they are words of ours, never what somebody has typed.

A condition that says which states there are *not* can be answered by no other index: that leaves
the partial one, where the planner would rather look every state up in a whole one
(docs/decisions/0020).
"""

import re
from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from portal.models.states import ENDED, NOT_ACTIVE, NOT_LIVE, OPEN

_WORD = re.compile(r"[a-z_]+")


@models.CharField.register_lookup
class Among(models.Lookup):
    """``state__among=LIVE`` is ``state__in=LIVE`` without parameters."""

    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        column, params = self.process_lhs(compiler, connection)
        words = [str(word) for word in self.rhs]
        if not all(_WORD.fullmatch(word) for word in words):
            raise ValueError("only words may be written into a question")
        listed = ", ".join(f"'{word}'" for word in words)
        return f"{column} IN ({listed})", params


# The conditions of the partial indexes of portal.models.tokens, as questions must write them.
IS_OPEN = ~Q(state__among=ENDED)
OPEN_OF_TEAM = IS_OPEN & Q(service_account__gt=0)
"""To be asked of a team: every account's key is above 0, and to say so keeps SQLite, which can't
tell the few that are open from all that a team ever had, from an index of the team alone."""
IS_LIVE = ~Q(state__among=NOT_LIVE)
IS_ACTIVE = ~Q(state__among=NOT_ACTIVE)
HAS_ENDED = ~Q(state__among=OPEN)
TRUE_END = Coalesce("revoke_at", "expires_at")
"""When a token ends: by itself, or when the overlap with its successor is over, which never lies
behind that (portal.flows.deliver). As the index ``token_live_by_true_end`` has it."""
HOLDS_NAME = Q(state__among=OPEN) | Q(may_exist_at_aws=True)
