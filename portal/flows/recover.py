"""The recovery rule: after an unknown outcome, no token may be left that nobody holds the key of.

AMG has no idempotency token, so the name is ours: one token of a name lives in a workspace, and all
attempts of a request use the same name (docs/RELIABILITY.md, "The recovery rule").
"""

import time
import uuid
from datetime import datetime, timedelta

from django.db.models.functions import Now

from portal import life
from portal.audit import SYSTEM
from portal.gateway import Gateway, NotYetError
from portal.grafana.errors import GrafanaError, NoAnswer, ResourceNotFoundException
from portal.grafana.types import LeftOut, Operation, TokenList, TokenSummary
from portal.models import Action, AuditEvent, State, Token
from portal.models.states import LEASE, LIVE

CLOCK_TOLERANCE = timedelta(seconds=5)
LIFETIME_TOLERANCE = timedelta(seconds=5)
SIGNATURE_VALIDITY = timedelta(minutes=6)
"""SigV4 refuses a request that is 5 minutes old; a minute more for slow answers."""
SECOND_LOOK_SECONDS = 1.0
LOOK_AGAIN_AFTER = timedelta(seconds=30)


def remove_orphans(token: Token, gateway: Gateway) -> int:
    """Delete what earlier attempts of this request may have left at AWS; returns how many it was.

    Lists twice, a moment apart, when the first list shows nothing. Raises GrafanaError when a list
    can't be read whole or a deletion fails, NotYetError when a call's turn comes too late.
    """
    found, _ = _remove_listed(token, gateway)
    if not found:
        time.sleep(SECOND_LOOK_SECONDS)
        found, _ = _remove_listed(token, gateway)
    return found


def settle(token_id: uuid.UUID) -> int:
    """Look once more for what unresolved attempts of a request have left; returns how much it was.

    For requests that nobody tries any more: ended ones, and those that have their token. Only a
    list taken after the last signature has lost its validity clears them for good; until then a
    create that was sent long ago may still take effect.
    """
    row = Token.objects.unsettled().filter(pk=token_id)
    if not row.due().update(not_before=Now() + LEASE):
        return 0
    token = Token.objects.for_page(token_id)
    last_signature = token.last_signature_at
    asked_at = Token.objects.database_now()
    try:
        found, skew = _remove_listed(token, Gateway(token.workspace.connection))
    except (GrafanaError, NotYetError):
        # not_before is set already: it is tried again then.
        return 0
    with life.work(SYSTEM) as work:
        token = work.lock(token_id)
        if token.last_signature_at != last_signature or last_signature is None:
            return found
        if token.state == State.REVOKING:
            # Ended meanwhile: its time belongs to the revocation, and this comes again after it.
            return found
        # AWS holds a signature against its own clock: one that is behind takes it for longer.
        clear_at = last_signature + SIGNATURE_VALIDITY - min(skew, timedelta(0))
        if asked_at >= clear_at:
            token.change(
                not_before=None,
                unresolved_since=None,
                last_signature_at=None,
                may_exist_at_aws=bool(token.aws_token_id) and token.deleted_at is None,
            )
        else:
            # While the token lives its name is taken, and no twin can come.
            next_look = clear_at if token.state in LIVE else asked_at + LOOK_AGAIN_AFTER
            token.change(not_before=min(next_look, clear_at), rung_at=None)
    return found


def remove(token: Token, orphan_id: str, gateway: Gateway) -> None:
    """Delete a token at AWS whose key nobody has or will get, and record that, once.

    Its id is written down first. If the answer is lost, or this worker dies, the next look deletes
    it again, and learns that it is gone. Raises GrafanaError or NotYetError.
    """
    Token.objects.filter(pk=token.pk).update(orphan_id=orphan_id)
    request_id = gateway.delete_token(
        token.workspace.aws_id, token.service_account.aws_id, orphan_id
    )
    with life.work(SYSTEM) as work:
        row = work.lock(token.pk)
        row.change(orphan_id="")
        # A worker that lost its attempt has one in hand that another may have found and removed.
        if not AuditEvent.objects.filter(
            token_id=row.pk, action=Action.TOKEN_ORPHAN_REMOVED, aws_token_id=orphan_id
        ).exists():
            work.record(
                Action.TOKEN_ORPHAN_REMOVED,
                token=row,
                aws_token_id=orphan_id,
                aws_request_id=request_id,
            )


def _remove_listed(token: Token, gateway: Gateway) -> tuple[int, timedelta]:
    """How many were removed, and how far AWS's clock is ahead of the database's."""
    begun, token.orphan_id = token.orphan_id, ""
    if begun:
        remove(token, begun, gateway)
    unreadable: list[LeftOut] = []
    asked_at = Token.objects.database_now()
    try:
        listed = gateway.list_tokens(
            token.workspace.aws_id, token.service_account.aws_id, left_out=unreadable
        )
    except ResourceNotFoundException:
        # The account or its workspace is gone, and its tokens with it.
        return int(bool(begun)), timedelta(0)
    for one in unreadable:
        if one.name in (None, token.name):  # it may be ours
            raise NoAnswer(one.why, operation=Operation.LIST_TOKENS, request_id=one.request_id)
    orphans = orphans_in(token, listed, asked_at=asked_at)
    for orphan in orphans:
        remove(token, orphan.id, gateway)
    skew = listed.answered_at - asked_at if listed.answered_at else timedelta(0)
    return len(orphans) + bool(begun), skew


def orphans_in(token: Token, listed: TokenList, *, asked_at: datetime) -> list[TokenSummary]:
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
