"""Events of any time and kind for tests that read the log, chained as the writer chains them."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from portal.audit import chain, rows
from portal.audit.chain import Head
from portal.audit.head import lock_head
from portal.audit.verify import FORMAT, key_id
from portal.models import Action, AuditEvent, Outcome


def tell(action: Action, *, at: datetime | None = None, **columns: Any) -> AuditEvent:
    """Append one event; ``at`` is now unless given. The other columns are AuditEvent's own."""
    event = AuditEvent(action=action, **{"outcome": Outcome.SUCCEEDED, "actor": "portal"} | columns)
    key = settings.AUDIT_KEY.encode()
    with transaction.atomic():
        head, now = lock_head()
        event.at = at or now
        event.seq, event.format, event.key_id = head.seq + 1, FORMAT, key_id(key)
        body = chain.body(rows.told(event))
        event.text, event.prev_hash, event.hash = chain.link(key, head, event.at, body)
        rows.write([[*rows.known(event), *rows.linked(event)]], Head(event.seq, event.hash))
    return event
