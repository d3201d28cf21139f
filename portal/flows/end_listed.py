"""Ends what AMG lists otherwise than we do: deletes what nobody here issued, closes what is gone.

A token of ours goes the way of every revocation, whether AMG has it still or not: deleting what is
gone is done. What has no row here waits on its entry of AMG's list until a worker has deleted it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from portal import audit, life, policy
from portal.audit import SYSTEM, Actor
from portal.gateway import Gateway, NotYetError
from portal.grafana.errors import GrafanaError
from portal.life import Effects, Work, moves
from portal.models import Action, Drift, ListedToken, Token
from portal.text import shown

MOST_AT_ONCE = 100
"""Entries that one transaction ends: others wait for the log's head meanwhile."""
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 300.0
"""Seconds between two tries to delete a token at AWS; each is twice as long as the one before."""


@dataclass(slots=True)
class EndedListed:
    """What became of each: asked for its end, or over by then."""

    asked: list[ListedToken] = field(default_factory=list)
    too_late: list[ListedToken] = field(default_factory=list)
    effects: Effects = field(default_factory=Effects)


def end_listed(ids: Iterable[int], *, actor: Actor, reason: str) -> EndedListed:
    """Ask for the end of each of these entries that still differs.

    Raises PermissionDenied where one is not the actor's to end, ListedToken.DoesNotExist where one
    is not there; then nothing more is asked for.
    """
    wanted = sorted(set(ids))
    rows = ListedToken.objects.filter(pk__in=wanted).select_related("service_account__workspace")
    entries = list(rows)
    if len(entries) != len(wanted):
        raise ListedToken.DoesNotExist
    for account in {entry.service_account for entry in entries}:
        policy.require(policy.may_act_on_inventory, actor.user, account)
    done = EndedListed()
    for start in range(0, len(wanted), MOST_AT_ONCE):
        with life.work(actor) as work:
            _end_some(work, wanted[start : start + MOST_AT_ONCE], done, reason)
        done.effects += work.effects
    return done


def _end_some(work: Work, ids: list[int], done: EndedListed, reason: str) -> None:
    # Tokens first, as everybody locks them; then the entries, in their order.
    entries = ListedToken.objects.filter(pk__in=ids)
    known = Token.objects.known_at_aws_as(
        entries.values_list("service_account__workspace", flat=True),
        entries.values_list("aws_id", flat=True),
    )
    ours = {(one.workspace_id, one.aws_token_id): one for one in work.lock_each(known)}
    locked = entries.select_related("service_account__workspace").order_by("pk")
    for entry in locked.select_for_update(of=("self",), no_key=True):
        token = ours.get((entry.service_account.workspace_id, entry.aws_id))
        if token is not None:
            is_done = _end_ours(work, entry, token, reason)
        else:
            is_done = _ask(work, entry, reason)
        (done.asked if is_done else done.too_late).append(entry)


def _end_ours(work: Work, entry: ListedToken, token: Token, reason: str) -> bool:
    # What agrees by now was adopted: its own page ends it, once somebody has looked at that.
    if not entry.drift or not policy.is_revocable(token):
        return False
    policy.require(policy.may_revoke, work.actor.user, token)
    is_over = policy.outlives_its_end(token)
    work.move(token, moves.REVOKE_ENDED if is_over else moves.BEGIN_REVOCATION, reason=reason)
    if entry.drift == Drift.VANISHED:
        ListedToken.objects.filter(pk=entry.pk).delete()
    return True


def _ask(work: Work, entry: ListedToken, reason: str) -> bool:
    if entry.drift != Drift.FOREIGN or entry.end_asked_at is not None:
        return False
    ListedToken.objects.filter(pk=entry.pk).update(
        end_asked_at=Now(),
        end_asked_by=work.actor.label,
        end_reason=reason,
        end_error="",
        not_before=None,
        rung_at=Now(),
        tries=0,
    )
    work.record(
        Action.TOKEN_REVOKE_REQUESTED,
        service_account=entry.service_account,
        aws_token_id=entry.aws_id,
        subject=f"not issued here: {shown(entry.name)}",
        reason=reason,
    )
    work.effects.end_listed.append(entry.pk)
    return True


def delete_listed(listed_id: int) -> Effects:
    """Delete it at AWS, unless another worker does, or somebody has adopted it meanwhile.

    What AWS refuses, or does not answer, stays and is tried again.
    """
    rows = ListedToken.objects.to_end()
    if not rows.claim(listed_id):
        return Effects()
    row = rows.filter(pk=listed_id)
    entry = row.select_related("service_account__workspace__connection").get()
    account = entry.service_account
    known = Token.objects.known_at_aws_as([account.workspace_id], [entry.aws_id])
    if known.exists():
        row.update(end_asked_at=None, drift="", found_at=None)
        return Effects()
    try:
        request_id = Gateway(account.workspace.connection).delete_token(
            account.workspace.aws_id, account.aws_id, entry.aws_id
        )
    except NotYetError as later:
        row.update(not_before=Now() + timedelta(seconds=later.seconds), rung_at=None)
        return Effects()
    except GrafanaError as error:
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(entry.tries, 10))
        pause = max(error.retry_after or 0.0, pause)
        row.update(
            not_before=Now() + timedelta(seconds=pause), rung_at=None, end_error=error.code[:80]
        )
        return Effects()
    with transaction.atomic():
        # Whoever reads AMG's list meanwhile may have told of it already.
        deleted, _ = row.delete()
        if deleted:
            audit.record(
                Action.TOKEN_REVOKED,
                actor=SYSTEM,
                service_account=account,
                aws_token_id=entry.aws_id,
                aws_request_id=request_id,
                subject=f"not issued here: {shown(entry.name)}",
                reason=entry.end_reason,
            )
    return Effects()
