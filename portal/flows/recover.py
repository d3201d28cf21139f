"""The recovery rule: after an unknown outcome, no token may be left that nobody holds the key of.

AMG has no idempotency token, so the name is ours: one token of a name lives in a workspace, and all
attempts of a request use the same name (AMG_API, "The recovery rule").
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction

from portal import audit
from portal.audit import SYSTEM
from portal.grafana.client import Client
from portal.grafana.errors import ResourceNotFoundException
from portal.grafana.types import TokenList, TokenSummary
from portal.models import Action, Token

CLOCK_TOLERANCE = timedelta(seconds=5)
LIFETIME_TOLERANCE = timedelta(seconds=5)
SIGNATURE_VALIDITY = timedelta(minutes=6)
"""SigV4 refuses a request that is 5 minutes old; a minute more for slow answers."""
SECOND_LOOK_SECONDS = 1.0


def remove_orphans(token: Token, client: Client, *, before_each_call: Callable[[], None]) -> int:
    """Delete what earlier attempts of this request may have left at AWS; returns how many it was.

    Lists twice, a moment apart, when the first list shows nothing. ``before_each_call`` may raise
    to stop. Raises GrafanaError when a list can't be read whole or a deletion fails.
    """
    before_each_call()
    found = _remove_listed(token, client, before_each_call)
    if not found:
        time.sleep(SECOND_LOOK_SECONDS)
        before_each_call()
        found = _remove_listed(token, client, before_each_call)
    return found


def _remove_listed(token: Token, client: Client, before_each_call: Callable[[], None]) -> int:
    workspace, account = token.workspace.aws_id, token.service_account.aws_id
    asked_at = Token.objects.database_now()
    orphans = ours(token, client.list_tokens(workspace, account), asked_at=asked_at)
    for orphan in orphans:
        before_each_call()
        try:
            request_id = client.delete_token(workspace, account, orphan.id)
        except ResourceNotFoundException as gone:
            request_id = gone.request_id
        with transaction.atomic():
            audit.record(
                Action.TOKEN_ORPHAN_REMOVED,
                actor=SYSTEM,
                token=token,
                aws_token_id=orphan.id,
                aws_request_id=request_id,
            )
    return len(orphans)


def ours(token: Token, listed: TokenList, *, asked_at: datetime) -> list[TokenSummary]:
    """Of the listed tokens, those that an unresolved attempt of this request made.

    That is all of: the exact name; an id that stands on no row; created, by AWS's clock, between
    the first unresolved attempt and the last moment its signature was good for; the lifetime that
    was asked for. Without a creation time nothing is ours. ``asked_at`` is when the list was asked
    for, by the database's clock: it tells how far AWS's clock is from it.
    """
    if token.unresolved_since is None or token.last_signature_at is None:
        return []
    skew = listed.answered_at - asked_at if listed.answered_at else timedelta(0)
    earliest = token.unresolved_since + min(skew, timedelta(0)) - CLOCK_TOLERANCE
    latest = token.last_signature_at + max(skew, timedelta(0)) + SIGNATURE_VALIDITY
    lifetime = timedelta(seconds=token.seconds_to_live)
    matching = [
        one
        for one in listed.tokens
        if one.name == token.name
        and one.created_at is not None
        and earliest <= one.created_at <= latest
        and one.expires_at is not None
        and abs(one.expires_at - one.created_at - lifetime) <= LIFETIME_TOLERANCE
    ]
    known = set(
        Token.objects.filter(
            workspace=token.workspace_id, aws_token_id__in=[one.id for one in matching]
        ).values_list("aws_token_id", flat=True)
    )
    return [one for one in matching if one.id not in known]
