"""Records who took a key, where a version of the portal that did not record it delivered it.

The audit log knows: whoever confirmed the key is the actor of ``token.delivered``. A job of the
sweep, so that nothing waits for it during an upgrade, while both versions serve.
"""

from portal.life import Effects
from portal.models import Action, AuditEvent, Token, User
from portal.models.queries import BATCH_SIZE


def note_recipients() -> Effects:
    """Set the recipient of delivered tokens that have none, some at a time."""
    unnoted = Token.objects.filter(recipient=None, delivered_at__isnull=False)
    ids = list(unnoted.order_by("delivered_at").values_list("pk", flat=True)[:BATCH_SIZE])
    if ids:
        events = AuditEvent.objects.filter(token_id__in=ids, action=Action.TOKEN_DELIVERED)
        took = {event.token_id: event.actor_id for event in events}
        people = [person for person in took.values() if person is not None]
        known = set(User.objects.filter(pk__in=people).values_list("pk", flat=True))
        for token in unnoted.filter(pk__in=ids):
            person = took.get(token.pk)
            recipient = person if person in known else token.owner_id
            unnoted.filter(pk=token.pk).update(recipient=recipient)
    return Effects()
