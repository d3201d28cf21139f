"""Reads which tokens AMG has for a service account, and holds them against ours.

Nothing is changed at AWS, nor in the tokens' states: what differs is recorded, once, and shown.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from portal import audit
from portal.audit import SYSTEM
from portal.clock import TOLERANCE
from portal.gateway import Gateway, NotYetError
from portal.grafana.errors import GrafanaError, ResourceNotFoundException
from portal.grafana.types import LeftOut, TokenSummary
from portal.logs import mask
from portal.models import Action, Drift, ListedToken, ServiceAccount, State, Token
from portal.text import shown

SURELY_LISTED = timedelta(minutes=1)
"""How long after its creation a token is missed: AWS promises nobody a list that is up to date."""

PATIENCE = 5.0
"""Seconds that one reading may wait for AWS to take calls again."""

_SEEN = ("name", "created_at", "expires_at", "last_used_at", "drift", "found_at")

log = logging.getLogger(__name__)


def take_inventory(service_account_id: int) -> bool:
    """Bring our copy of one account's list up to date; False when AWS did not give it whole.

    Each difference is one event ``token.drift_found``, written when it is first seen.
    """
    account = ServiceAccount.objects.select_related("workspace__connection").get(
        pk=service_account_id
    )
    asked_at = Token.objects.database_now()
    try:
        listed, unreadable, request_id, answered_at = _read_list(account)
    except (GrafanaError, NotYetError) as error:
        log.warning(
            "inventory.not_taken",
            extra={
                "account": f"{account.workspace.aws_id}/{account.aws_id}",
                "code": getattr(error, "code", type(error).__name__),
                "aws_request_id": getattr(error, "request_id", ""),
            },
        )
        return False
    # What was made or removed after the list was read is in our rows by now, or in doubt there.
    hidden = {one.id for one in unreadable}
    ids = {one.id for one in listed} | hidden
    # A row without a readable id could be any: then nothing is missed.
    vanished = [] if "" in hidden else _vanished(account, ids, asked_at)
    ended = _ended_here(account, listed, asked_at, answered_at or asked_at)
    with transaction.atomic():
        # One at a time, and no older list over a newer one.
        row = ServiceAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
        if row.listed_at is not None and row.listed_at > asked_at:
            return True
        # Once the account is locked: somebody may just have adopted one of them.
        foreign = _foreign(account, listed)
        found, deleted = _store(account, listed, foreign, vanished, hidden, ended)
        if not unreadable:
            ServiceAccount.objects.filter(pk=account.pk).update(listed_at=asked_at)
        by_id = {token.aws_token_id: token for token in (*vanished, *ended)}
        # In one go: of a list that nobody here issued each token is an event.
        events = [
            audit.compose(
                Action.TOKEN_DRIFT_FOUND,
                actor=SYSTEM,
                token=by_id.get(entry.aws_id),
                service_account=account,
                aws_token_id=entry.aws_id,
                aws_request_id=request_id,
                subject=f"{Drift(entry.drift).label}: {shown(entry.name)}",
            )
            for entry in found
        ]
        events += [
            audit.compose(
                Action.TOKEN_REVOKED,
                actor=SYSTEM,
                service_account=account,
                aws_token_id=entry.aws_id,
                aws_request_id=request_id,
                reason=entry.end_reason,
                subject=f"AMG lists it no more: {shown(entry.name)}",
            )
            for entry in deleted
        ]
        audit.append(events)
    _note_last_use(account, listed)
    for one in unreadable:
        place = f"{account.workspace.aws_id}/{account.aws_id}"
        log.warning(
            "inventory.left_out",
            extra={"account": place, "why": one.why, "aws_request_id": one.request_id},
        )
    return not unreadable


def _read_list(
    account: ServiceAccount,
) -> tuple[tuple[TokenSummary, ...], list[LeftOut], str, datetime | None]:
    """AMG's list, what of it can't be read, AWS's id of the call and its time.

    An account that is gone has no tokens.
    """
    gateway = Gateway(account.workspace.connection, patience=PATIENCE)
    unreadable: list[LeftOut] = []
    try:
        listed = gateway.list_tokens(account.workspace.aws_id, account.aws_id, left_out=unreadable)
    except ResourceNotFoundException as gone:
        return (), [], gone.request_id, None
    return listed.tokens, unreadable, listed.request_id, listed.answered_at


def _foreign(account: ServiceAccount, listed: Iterable[TokenSummary]) -> set[str]:
    """The ids that stand on no row of ours, and that no request of ours may just have made."""
    rows = Token.objects.filter(workspace=account.workspace_id)
    doubtful = Q(state=State.ISSUING) | ~Q(unresolved_since=None) | ~Q(orphan_id="")
    names = set(
        rows.filter(doubtful, name__in=[one.name for one in listed]).values_list("name", flat=True)
    )
    # After that question: what was in doubt a moment ago has its id by now.
    ours = Token.objects.known_at_aws_as([account.workspace_id], [one.id for one in listed])
    known = set(ours.values_list("aws_token_id", flat=True))
    return {one.id for one in listed if one.id not in known and one.name not in names}


def _vanished(account: ServiceAccount, listed: set[str], asked_at: datetime) -> list[Token]:
    """Our live tokens that AMG should have listed and did not."""
    expected = Token.objects.for_pages().filter(
        service_account=account,
        state__in=(State.SEALED, State.ACTIVE),
        deleted_at=None,
        sealed_at__lt=asked_at - SURELY_LISTED,
        expires_at__gt=asked_at,
    )
    return [token for token in expected.order_by("pk") if token.aws_token_id not in listed]


def _ended_here(
    account: ServiceAccount, listed: Iterable[TokenSummary], asked_at: datetime, at_aws: datetime
) -> list[Token]:
    """Those that AMG lists as alive, by AWS's own time, and that have ended here.

    Ours may end them a little early, and what was just deleted may be listed for a while.
    """
    alive = [
        one.id
        for one in listed
        if one.expires_at is not None and one.expires_at > at_aws + 2 * TOLERANCE
    ]
    just_now = Q(state_at__gte=asked_at - SURELY_LISTED, state_at__lte=asked_at)
    rows = Token.objects.known_at_aws_as([account.workspace_id], alive)
    ended = rows.filter(service_account=account, state__in=(State.EXPIRED, State.REVOKED))
    return list(ended.exclude(just_now).for_pages().order_by("pk"))


def _store(
    account: ServiceAccount,
    listed: Iterable[TokenSummary],
    foreign: set[str],
    vanished: Iterable[Token],
    hidden: set[str],
    ended: Iterable[Token],
) -> tuple[list[ListedToken], list[ListedToken]]:
    """Make our copy the same as the list; returns what is newly found to differ, and what is gone
    of that which somebody has asked to have deleted.

    What can't be read stays as it was: ``hidden`` are the ids, "" one that can't be read either.
    """
    before = {entry.aws_id: entry for entry in account.listed_tokens.all()}
    found: list[ListedToken] = []
    new: list[ListedToken] = []
    changed: list[ListedToken] = []

    def put(aws_id: str, drift: str, **seen: object) -> None:
        entry = before.pop(aws_id, None) or ListedToken(service_account=account, aws_id=aws_id)
        if drift and drift != entry.drift:
            seen["found_at"] = Now()
            found.append(entry)
        elif not drift:
            seen["found_at"] = None
        seen["drift"] = drift
        if entry._state.adding:
            new.append(entry)
        elif any(getattr(entry, name) != value for name, value in seen.items()):
            changed.append(entry)
        for name, value in seen.items():
            setattr(entry, name, value)

    drifts: dict[str, str] = dict.fromkeys(foreign, Drift.FOREIGN)
    drifts |= dict.fromkeys((token.aws_token_id for token in ended), Drift.ENDED)
    for one in listed:
        put(
            one.id,
            drifts.get(one.id, ""),
            name=mask(one.name)[:255],
            created_at=one.created_at,
            expires_at=one.expires_at,
            last_used_at=one.last_used_at,
        )
    for token in vanished:
        put(
            token.aws_token_id,
            Drift.VANISHED,
            name=token.name,
            created_at=token.issued_at,
            expires_at=token.expires_at,
        )
    gone = [] if "" in hidden else [one for one in before.values() if one.aws_id not in hidden]
    ListedToken.objects.filter(pk__in=[one.pk for one in gone]).delete()
    ListedToken.objects.bulk_update(changed, _SEEN)
    ListedToken.objects.bulk_create(new)
    return found, [one for one in gone if one.end_asked_at and one.drift == Drift.FOREIGN]


def _note_last_use(account: ServiceAccount, listed: Iterable[TokenSummary]) -> None:
    """Keep on our rows when AMG last saw their keys used, and when for the first time."""
    used = {one.id: one.last_used_at for one in listed if one.last_used_at is not None}
    ours = Token.objects.known_at_aws_as([account.workspace_id], used)
    rows = ours.filter(service_account=account)
    for pk, aws_token_id, before in rows.values_list("pk", "aws_token_id", "last_used_at"):
        if before is None or before < used[aws_token_id]:
            seen = {"last_used_at": used[aws_token_id]}
            if before is None:
                seen["first_used_at"] = used[aws_token_id]
            Token.objects.filter(pk=pk).update(**seen)
