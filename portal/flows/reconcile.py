"""After the restore of an old backup: what was issued since is at AWS and on no row.

Its events are lost with the backup's missing end, and its keys are in use. It is adopted, so that
somebody answers for it and it ends as any other, or it is ended. AMG's own lists, as they were just
read, say what there is (``ListedToken``); whether the portal has made it nobody can know.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from portal import audit, life
from portal.audit import SYSTEM
from portal.gateway import Gateway, NotYetError
from portal.grafana.errors import GrafanaError
from portal.life import adopting
from portal.models import Action, AuditHead, Drift, Grant, ListedToken, Team, User
from portal.policy.leads import responsible_for
from portal.text import shown

PATIENCE = 120.0
"""Seconds that the deletions may wait for AWS's pace, for each connection."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one token; ``trouble`` says why nothing did."""

    entry: ListedToken
    did: str = ""
    trouble: str = ""


def unknown(since: datetime | None = None) -> QuerySet[ListedToken]:
    """Tokens at AWS that are on no row of ours, made at or after a moment where one is given."""
    rows = ListedToken.objects.filter(drift=Drift.FOREIGN)
    if since is not None:
        rows = rows.filter(Q(created_at__gte=since) | Q(created_at=None))
    rows = rows.select_related("service_account__workspace__connection")
    return rows.order_by("service_account__workspace__name", "service_account__name", "name", "pk")


def tell_cut(entries: int) -> str:
    """Have the log say where it was cut; returns that. Events after this one are new."""
    with transaction.atomic():
        head = AuditHead.objects.get()
        subject = (
            f"a backup that ends with event {head.seq} was restored; AWS has {entries} tokens that "
            "stand on no row"
        )
        audit.record(Action.HISTORY_RESTORED, actor=SYSTEM, subject=subject, count=entries)
    return subject


def end(entries: QuerySet[ListedToken]) -> Iterator[Done]:
    """Delete each of them at AWS."""
    gateways: dict[int, Gateway] = {}
    for entry in entries:
        account = entry.service_account
        connection = account.workspace.connection
        gateway = gateways.setdefault(connection.pk, Gateway(connection, patience=PATIENCE))
        try:
            request_id = gateway.delete_token(
                account.workspace.aws_id, account.aws_id, entry.aws_id
            )
        except (GrafanaError, NotYetError) as error:
            yield Done(entry, trouble=str(error))
            continue
        with transaction.atomic():
            ListedToken.objects.filter(pk=entry.pk).delete()
            audit.record(
                Action.HISTORY_RESTORED,
                actor=SYSTEM,
                service_account=account,
                aws_token_id=entry.aws_id,
                aws_request_id=request_id,
                subject=f"ended: {shown(entry.name)}",
            )
        yield Done(entry, did="ended")


def adopt(entries: QuerySet[ListedToken]) -> Iterator[Done]:
    """Give each a row: of a team that is granted its account, and of that team's lead."""
    for entry in entries:
        team = _team_for(entry)
        owner = _owner_in(team) if team else None
        if team is None or owner is None:
            yield Done(entry, trouble="no team with a lead or an admin is granted its account")
        else:
            yield _adopted(entry, team, owner)


def _adopted(entry: ListedToken, team: Team, owner: User) -> Done:
    if trouble := adopting.why_not(entry):
        return Done(entry, trouble=trouble)
    reason = "It was at AWS and on no row after a restore."
    try:
        with life.work(SYSTEM) as work:
            adopting.adopt(work, entry, team=team, owner=owner, reason=reason)
    except IntegrityError:
        return Done(entry, trouble=adopting.NAME_IS_HERE)
    return Done(entry, did=f"adopted by team {team.slug}, {owner.email}")


def _team_for(entry: ListedToken) -> Team | None:
    account = entry.service_account
    grants = Grant.objects.filter(
        Q(workspace=None) | Q(workspace=account.workspace_id),
        Q(service_account=None) | Q(service_account=account),
        team__closed_at=None,
    )
    nearest = grants.order_by(
        F("service_account").asc(nulls_last=True), F("workspace").asc(nulls_last=True), "team__slug"
    )
    grant = nearest.select_related("team").first()
    return grant.team if grant else None


def _owner_in(team: Team) -> User | None:
    return min(responsible_for(team), key=lambda person: person.email, default=None)
