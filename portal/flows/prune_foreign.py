"""Deletes expired tokens at AWS that nobody here issued, by an admin's standing permission.

As with tokens of ours (portal.flows.prune): by its id, and only when AWS says, with AWS's clock,
that its time is over.
"""

from django.db import transaction
from django.db.models.functions import Now

from portal import audit
from portal.audit import SYSTEM
from portal.gateway import Gateway, NotYetError
from portal.grafana.errors import GrafanaError
from portal.models import Action, ListedToken, ServiceAccount, Token
from portal.models.queries import SURELY_OVER
from portal.models.states import LEASE
from portal.text import shown


def prune_foreign(service_account_id: int) -> int:
    """Delete those of one service account; returns how many are gone."""
    rows = ListedToken.objects.to_prune().filter(service_account=service_account_id)
    pks = list(rows.due().values_list("pk", flat=True))
    # not_before doubles as the lease: two workers with the same message prune once.
    if not pks or not ListedToken.objects.filter(pk__in=pks).due().update(not_before=Now() + LEASE):
        return 0
    account = ServiceAccount.objects.select_related("workspace__connection").get(
        pk=service_account_id
    )
    gateway = Gateway(account.workspace.connection)
    try:
        listed = gateway.list_tokens(account.workspace.aws_id, account.aws_id)
        return sum(
            _delete(entry, account, gateway)
            for entry in ListedToken.objects.filter(pk__in=pks)
            if listed.is_over(entry.aws_id, since=SURELY_OVER)
        )
    except (GrafanaError, NotYetError):
        # not_before is set already: it is tried again then, if the next list still has it.
        return 0


def _delete(entry: ListedToken, account: ServiceAccount, gateway: Gateway) -> bool:
    """False where somebody has adopted it, asked for its end or withdrawn the permission."""
    workspace = account.workspace
    if Token.objects.known_at_aws_as([workspace.pk], [entry.aws_id]).exists():
        return False
    if not ListedToken.objects.to_prune().filter(pk=entry.pk).exists():
        return False
    request_id = gateway.delete_token(workspace.aws_id, account.aws_id, entry.aws_id)
    with transaction.atomic():
        deleted, _ = ListedToken.objects.filter(pk=entry.pk).delete()
        if deleted:
            audit.record(
                Action.TOKEN_PRUNED,
                actor=SYSTEM,
                service_account=account,
                aws_token_id=entry.aws_id,
                aws_request_id=request_id,
                subject=f"not issued here: {shown(entry.name)}",
                reason=f"It had expired; {workspace.foreign_pruned_by} permits to delete such.",
            )
    return bool(deleted)
