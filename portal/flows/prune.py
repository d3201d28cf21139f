"""Deletes ended tokens at AWS, so that they free their name and their place in the quota.

AMG keeps expired tokens listed, and counts them, until somebody deletes them.
"""

from datetime import timedelta

from django.db.models.functions import Now

from portal import life
from portal.audit import SYSTEM
from portal.gateway import Gateway, NotYetError
from portal.grafana.errors import GrafanaError, ResourceNotFoundException
from portal.grafana.types import LeftOut, TokenList
from portal.life import moves
from portal.models import ServiceAccount, Token
from portal.models.queries import SURELY_OVER
from portal.models.states import LEASE

LOOK_AGAIN_AFTER = timedelta(minutes=5)


def prune(service_account_id: int) -> int:
    """Delete the ended tokens of one service account; returns how many are gone.

    A token goes by its id, and only when AWS says, with AWS's clock, that its time is over.
    """
    rows = Token.objects.prunable().filter(service_account_id=service_account_id)
    pks = list(rows.due().values_list("pk", flat=True))
    # not_before doubles as the lease: two workers with the same message prune once.
    if not Token.objects.filter(pk__in=pks).due().update(not_before=Now() + LEASE):
        return 0
    account = ServiceAccount.objects.select_related("workspace__connection").get(
        pk=service_account_id
    )
    gateway = Gateway(account.workspace.connection)
    gone = 0
    try:
        unreadable: list[LeftOut] = []
        listed = gateway.list_tokens(account.workspace.aws_id, account.aws_id, left_out=unreadable)
        hidden = {one.id for one in unreadable}
        for token in Token.objects.for_pages().filter(pk__in=pks):
            request_id = listed.request_id
            if hidden & {"", token.aws_token_id}:
                continue  # it may be one of those: not_before is set, it is tried again then
            if _is_listed(token, listed):
                if not listed.is_over(token.aws_token_id, since=SURELY_OVER):
                    Token.objects.filter(pk=token.pk).update(not_before=Now() + LOOK_AGAIN_AFTER)
                    continue
                request_id = gateway.delete_token(
                    account.workspace.aws_id, account.aws_id, token.aws_token_id
                )
            _store(token, request_id)
            gone += 1
    except ResourceNotFoundException:
        # The account or its workspace is gone, and its tokens with it.
        for token in Token.objects.for_pages().filter(pk__in=pks, deleted_at=None):
            _store(token, "")
            gone += 1
    except (GrafanaError, NotYetError):
        # not_before is set already: the rest is tried again then.
        return gone
    return gone


def _is_listed(token: Token, listed: TokenList) -> bool:
    return any(one.id == token.aws_token_id for one in listed.tokens)


def _store(token: Token, request_id: str) -> None:
    with life.work(SYSTEM) as work:
        row = work.lock(token.pk)
        if row.deleted_at is None:
            work.move(
                row,
                moves.PRUNE,
                aws_request_id=request_id,
                may_exist_at_aws=row.unresolved_since is not None,
            )
