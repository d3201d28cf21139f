"""What the request form offers, and whether there can be one more token there.

A page names workspaces, and the accounts of the chosen one: a catalog may have 500 workspaces of
100 accounts each. The others' accounts are asked for when a workspace is chosen (``accounts``), and
workspaces that find no place on the page when somebody types (``workspaces``).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from itertools import accumulate, takewhile
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import reverse
from django.utils.html import json_script
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe

from portal import policy, requester
from portal.amg import is_workspace_id
from portal.forms.selects import typed
from portal.models import Token, User, Workspace
from portal.models.lookups import HOLDS_NAME
from portal.policy import Entitlement, Usage
from portal.requester import answers_json
from portal.text import isolated
from portal.views.unread import in_words, unread_workspaces

MOST_OF_WORKSPACES = 90_000
MOST_OF_ACCOUNTS = 40_000
"""Characters on a page: with all else on it, it stays below 150 kB."""

MOST_NAMED = 3

CHANGING = "AWS is changing it ({}): the token is made when that is done, within 30 minutes."

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Catalog:
    """What one page of the form shows.

    ``chosen`` is the workspace that the form has, with its accounts; None when there is none, or
    none that the person may ask for. ``is_cut`` when there are workspaces that the page leaves out.
    """

    workspaces: list[Entry]
    chosen: Entry | None
    is_cut: bool

    @property
    def workspace_options(self) -> SafeString:
        """Every workspace of the page, but those that find no place on it."""
        return _options(self.workspaces, self.chosen["workspace"]["id"] if self.chosen else "")

    def account_options(self, wanted: str) -> SafeString:
        """The accounts of the chosen workspace."""
        return _options(self.chosen["accounts"] if self.chosen else [], wanted)

    def account(self, wanted: str) -> Entry | None:
        """The account of the chosen workspace with this id."""
        accounts = self.chosen["accounts"] if self.chosen else ()
        return next((one for one in accounts if one["id"] == wanted), None)

    @property
    def details(self) -> SafeString:
        """The chosen workspace as the page's script reads it; empty where that is to ask for it."""
        told = json_script(self.chosen, "chosen-workspace") if self.chosen else SafeString()
        return told if len(told) <= MOST_OF_ACCOUNTS else SafeString()


def catalog(user: User, wanted: str) -> Catalog:
    """What the form offers ``user``; ``wanted`` is the workspace's id that it has, or empty.

    Where only one can be chosen it is.
    """
    offer = policy.offer(user)
    unread = unread_workspaces()
    entries = [_workspace(one, offer.usage, unread) for one in offer.workspaces]
    usable = [one for one in entries if not one["obstacle"]]
    alone = usable or entries  # what stands in the way of the only one is said beside the field
    if not wanted and len(alone) == 1 and not offer.is_cut:
        wanted = alone[0]["id"]
    workspace = next((one for one in offer.workspaces if one.aws_id == wanted), None)
    if workspace is None and offer.is_cut:
        workspace = offered_workspace(user, wanted)
    chosen = _details(user, workspace, offer.usage, unread) if workspace else None
    shown = _fitting(entries)
    is_cut = offer.is_cut or len(shown) < len(entries)
    if chosen and is_cut and all(one["id"] != wanted for one in shown):
        shown.append(chosen["workspace"])
    return Catalog(shown, chosen, is_cut)


def offered_workspace(user: User, wanted: str) -> Workspace | None:
    """The workspace with this id of AWS's, if ``user`` may ask for a token of an account there."""
    return policy.workspace_for(user, wanted) if is_workspace_id(wanted) else None


@answers_json
@require_safe
def accounts(request: HttpRequest) -> JsonResponse:
    """One workspace, with its accounts that the person may ask for."""
    user = requester.person(request)
    workspace = offered_workspace(user, request.GET.get("workspace", ""))
    if workspace is None:
        raise Http404
    return JsonResponse(_details(user, workspace, Usage(), unread_workspaces()))


@answers_json
@require_safe
def workspaces(request: HttpRequest) -> JsonResponse:
    """Workspaces that the person may ask in, by a part of name or id: for lists that are cut."""
    offer = policy.offer_like(requester.person(request), typed(request))
    unread = unread_workspaces()
    found = [_workspace(one, offer.usage, unread) for one in offer.workspaces]
    options = [{"value": one["id"], "label": _label(one), "reason": _why_not(one)} for one in found]
    return JsonResponse({"options": options, "is_cut": offer.is_cut})


def _details(
    user: User, workspace: Workspace, usage: Usage, unread: Collection[Workspace]
) -> Entry:
    entitlements = policy.entitlements(user, workspace)
    usage = policy.usage(user, entitlements, known=usage)
    entries: dict[str, Entry] = {}
    who_agrees = _WhoAgrees(user)
    for entitlement in entitlements:
        account = entitlement.service_account
        entry = entries.setdefault(
            account.aws_id,
            {
                "id": account.aws_id,
                "name": isolated(account.name),
                "role": isolated(account.grafana_role),
                "obstacle": account.obstacle,
                "teams": [],
            },
        )
        entry["teams"].append(
            {
                "slug": entitlement.team.slug,
                "name": entitlement.team.name,
                "max_ttl": entitlement.limits.max_ttl,
                "default_ttl": entitlement.limits.default_ttl,
                "reason_required": entitlement.limits.reason_required,
                "needs_approval": entitlement.limits.needs_approval,
                "who_agrees": who_agrees(entitlement),
                "room": _live(entitlement, usage),
                "limit_reached": getattr(usage.grant_limit_reached(entitlement), "message", ""),
            }
        )
    chosen = _workspace(workspace, usage, unread)
    if chosen["is_full"]:
        could_go = policy.who_could_go(user, workspace)
        chosen["obstacle"] = f"{chosen['obstacle']} {could_go}".strip()
        if Token.objects.filter(HOLDS_NAME, owner=user, workspace=workspace).exists():
            chosen["way_out"] = reverse("tokens", query={"sort": "used"})
    return {"workspace": chosen, "accounts": list(entries.values())}


class _WhoAgrees:
    """Who has to agree to what one person asks for, in words: each team is asked about once."""

    def __init__(self, user: User) -> None:
        self._user = user
        self._said: dict[tuple[int, bool], str] = {}

    def __call__(self, entitlement: Entitlement) -> str:
        """Empty where nobody has to."""
        if not entitlement.limits.needs_approval:
            return ""
        asked = entitlement.team.pk, entitlement.limits.self_approval
        if asked not in self._said:
            self._said[asked] = self._say(entitlement)
        return self._said[asked]

    def _say(self, entitlement: Entitlement) -> str:
        wanted = Token(
            owner=self._user, team=entitlement.team, service_account=entitlement.service_account
        )
        if entitlement.limits.self_approval and policy.may_approve(self._user, wanted):
            return "You have to"
        people = [one.email for one in policy.approvers_of(wanted)]
        if len(people) < 2:
            return f"{people[0] if people else 'An admin'} has to"
        named = ", ".join(people[:MOST_NAMED])
        more = len(people) - MOST_NAMED
        return f"One of {named}{f' and {more} more' if more > 0 else ''} has to"


def _workspace(workspace: Workspace, usage: Usage, unread: Collection[Workspace]) -> Entry:
    not_read = next((in_words(one) for one in unread if one.pk == workspace.pk), "")
    used, expired = usage.used(workspace.pk)
    cleaned_up = f", {expired} of them expired and being cleaned up" if expired else ""
    full = usage.full(workspace.pk)
    return {
        "id": workspace.aws_id,
        "name": isolated(workspace.name),
        "obstacle": workspace.obstacle or (full.message if full else ""),
        "is_full": bool(full) and not workspace.obstacle,
        "way_out": "",
        "unread": not_read,
        "room": " ".join(
            (
                *([f"It {not_read}: what is offered may be old."] if not_read else ()),
                *([CHANGING.format(workspace.status)] if workspace.is_changing else ()),
                f"{used} of {settings.TOKEN_QUOTA} tokens used{cleaned_up}.",
            )
        ),
    }


def _live(entitlement: Entitlement, usage: Usage) -> str:
    """How much of a grant's limits is used, where it has any."""
    limits = entitlement.limits
    if not limits.counts_live:
        return ""
    team, own = usage.live(entitlement)
    parts = []
    if limits.max_live is not None:
        parts.append(f"team {entitlement.team.name} has {team} of at most {limits.max_live}")
    if limits.max_live_per_person is not None:
        parts.append(f"you have {own} of at most {limits.max_live_per_person}")
    return f"Live tokens under this grant: {', '.join(parts)}."


# -- Options, written as plain strings: a template would take longer for them than for all the rest.


def _fitting(entries: list[Entry]) -> list[Entry]:
    """As many of the first as the page has room for."""
    sizes = accumulate(len(_option(one, "")) for one in entries)
    return entries[: len(list(takewhile(lambda size: size <= MOST_OF_WORKSPACES, sizes)))]


def _options(entries: Iterable[Entry], wanted: str) -> SafeString:
    written = "\n".join(_option(one, wanted) for one in entries)
    return mark_safe(written)  # noqa: S308 (every word in it is escaped)


def _option(entry: Entry, wanted: str) -> str:
    state = " selected" if entry["id"] == wanted else " disabled" if entry["obstacle"] else ""
    said = _why_not(entry) or entry.get("unread")
    reason = f" — {said}" if said else ""
    return f'<option value="{escape(entry["id"])}"{state}>{escape(_label(entry) + reason)}</option>'


def _why_not(entry: Mapping[str, Any]) -> str:
    """In a list of choices: what to do about it is said beside the field."""
    return "full" if entry.get("is_full") else str(entry["obstacle"])


def _label(entry: Mapping[str, Any]) -> str:
    """An account says its role, a workspace its id."""
    return f"{entry['name']} · {entry.get('role') or entry['id']}"
