"""Ends replaced tokens that were held until Grafana saw no use of them any more, and are quiet now.

By ``revoke_at`` each ends in any case (portal.flows.deadlines): a use is told of late, and
sometimes not at all.
"""

from django.db.models import Q
from django.db.models.functions import Now

from portal import life, policy
from portal.life import Effects, Work, moves
from portal.lifetimes import in_words
from portal.models import State, Token


def end_quiet() -> Effects:
    """Revoke them; a worker then deletes them at AWS."""
    now = Token.objects.database_now()

    def end(work: Work, token: Token) -> None:
        quiet = policy.quiet_of(token)
        if quiet is not None and quiet.is_reached(now):
            seconds = int(quiet.wanted.total_seconds())
            why = f"It was replaced, and Grafana has told of no use for {in_words(seconds)}."
            work.move(token, moves.BEGIN_REVOCATION, reason=why)

    held = Token.objects.filter(
        state=State.ACTIVE, revoke_at__isnull=False, quiet_from__lte=Now()
    ).select_related("service_account")
    quiet = [token.pk for token in held if (it := policy.quiet_of(token)) and it.is_reached(now)]
    if not quiet:
        return Effects()
    return life.work_on_each(Token.objects.all(), Q(pk__in=quiet, state=State.ACTIVE), end)
