"""Where a person may ask for tokens: workspaces first, since a catalog may have 50,000 accounts."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from portal.models import Grant, ServiceAccount, User, Workspace
from portal.models.prepared import Prepared
from portal.policy.usage import Usage, count_foreign, counted

MOST_OFFERED = 1000
"""Workspaces that are listed; more are found by a part of their name."""
MOST_FOUND = 50


@dataclass(frozen=True, slots=True)
class Offer:
    """Workspaces by name, and how full each is; ``is_cut`` when there are more of them."""

    workspaces: list[Workspace]
    usage: Usage
    is_cut: bool = False


def offer(user: User) -> Offer:
    """The workspaces with accounts that ``user`` may ask for, at most MOST_OFFERED."""
    found = _offered(user.pk)
    return _offer(found[:MOST_OFFERED], is_cut=len(found) > MOST_OFFERED)


def offer_like(user: User, text: str) -> Offer:
    """Those of them whose name or id holds a text, at most MOST_FOUND."""
    like = Q(name__icontains=text) | Q(aws_id__icontains=text)
    found = list(counted(_granted(user.pk).filter(like))[: MOST_FOUND + 1])
    return _offer(found[:MOST_FOUND], is_cut=len(found) > MOST_FOUND)


def workspace_for(user: User, aws_id: str) -> Workspace | None:
    """The workspace, if ``user`` may ask for a token of an account there."""
    return _one.one(user.pk, aws_id)


def _granted(user_id: int) -> QuerySet[Workspace]:
    """Those that AMG has, with an account, in which a grant of the person's teams says something.

    Where each account's own grant is suspended there is nothing to ask for after all.
    """
    grants = Grant.objects.filter(
        team__closed_at=None, team__memberships__user=user_id, suspended_at=None
    )
    of_present_accounts = Q(service_account=None) | Q(service_account__gone_at=None)
    named = grants.filter(of_present_accounts, workspace__isnull=False)
    accounts = ServiceAccount.objects.filter(gone_at=None, workspace=OuterRef("pk"))
    # Neither of the two asks for the workspace at hand, so each is answered once for all of them.
    everywhere = Exists(grants.filter(workspace=None))
    return Workspace.objects.present().filter(
        Q(everywhere) | Q(pk__in=named.values("workspace")), Exists(accounts)
    )


def _offer(workspaces: list[Any], *, is_cut: bool) -> Offer:
    foreign = count_foreign()
    usage = Usage(
        by_workspace={
            one.pk: (one.used + foreign.get(one.pk, 0), one.expired) for one in workspaces
        }
    )
    return Offer(workspaces, usage, is_cut)


_offered = Prepared(lambda user_id: counted(_granted(user_id))[: MOST_OFFERED + 1], like=[-1])
_one = Prepared(
    lambda user_id, aws_id: _granted(user_id).filter(aws_id=aws_id), like=[-1, "a workspace"]
)
