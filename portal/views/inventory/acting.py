"""What is done about what differs: adopt, revoke or close, one or many, and read again."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode

from portal import display, policy, requester
from portal.flows.adopt import AdoptionRefusedError, NotForeignError, adopt
from portal.flows.end_listed import EndedListed, end_listed
from portal.flows.want_lists import want_lists
from portal.forms import EndForm
from portal.forms.fields import ReasonField
from portal.limits import table
from portal.models import ListedToken, ServiceAccount, Team, Token, User
from portal.tasks import follow_up
from portal.text import isolated
from portal.views.accounts.step_up import require_step_up
from portal.views.inventory.index import Row, beside_ours, require_inventory
from portal.views.limiting import limited
from portal.views.way_back import posted_from

BATCH_SIZE = 500
"""Entries on one page of those to end: below the number of fields that Django takes in a form."""


class AdoptForm(forms.Form):
    """Who is to answer for a token that nobody here issued."""

    team = forms.CharField(max_length=64, error_messages={"required": "Choose the team."})
    owner = forms.CharField(
        max_length=254, error_messages={"required": "Say who is to own it, by their address."}
    )
    reason = ReasonField(required_message="Say why, or what uses it: it stays in the record.")


@posted_from("inventory", bare=True)
@limited(table.ADOPTIONS)
def adopt_one(request: HttpRequest, item: int) -> HttpResponse:
    """Give a token that somebody made at AWS a team, an owner and a record; never a key."""
    user = requester.person(request)
    entry = _find(user, [str(item)])[0]
    form = AdoptForm(request.POST)
    if form.is_valid():
        account = entry.service_account
        teams = policy.adopting_teams_of(user, [account]).get(account.pk, [])
        team = next((one for one in teams if one.slug == form.cleaned_data["team"]), None)
        owner = User.objects.by_address(form.cleaned_data["owner"].strip())
        if team is None:
            form.add_error("team", "That team has no grant for this account, or is not yours.")
        if owner is None:
            form.add_error("owner", "Nobody here has this address.")
        if team is not None and owner is not None:
            return _adopt(request, entry, form, team, owner)
    return _again(request, entry, adoption=form)


def _adopt(
    request: HttpRequest, entry: ListedToken, form: AdoptForm, team: Team, owner: User
) -> HttpResponse:
    require_step_up(request)
    reason = form.cleaned_data["reason"]
    actor = requester.actor(request)
    try:
        token, effects = adopt(entry.pk, team=team, owner=owner, actor=actor, reason=reason)
    except AdoptionRefusedError as refused:
        form.add_error(refused.field or None, refused.message)
        return _again(request, entry, adoption=form)
    except (NotForeignError, ListedToken.DoesNotExist):
        return _too_late(request, _what_became_of(entry))
    follow_up(effects)
    messages.success(
        request, f"{isolated(token.name)} belongs to {owner.email} of team {team.slug} now."
    )
    return redirect("token", token.pk)


@posted_from("inventory", bare=True)
@limited(table.ENDS)
def end_one(request: HttpRequest, item: int) -> HttpResponse:
    """Delete at AWS what nobody here issued, revoke what lives there still, close what is gone."""
    [entry] = _find(requester.person(request), [str(item)])
    form = EndForm(request.POST)
    if not form.is_valid():
        return _again(request, entry, ending=form)
    done = _end(request, [entry], form.cleaned_data["reason"])
    if not done.asked:
        return _too_late(request, _what_became_of(entry))
    return _back(entry)


@posted_from("inventory")
@limited(table.ENDS)
def end_many(request: HttpRequest) -> HttpResponse:
    """The same for several; with ``preview=1`` they are listed, and nothing changes."""
    user = requester.person(request)
    names = request.POST.getlist("item")
    entries = _find(user, names) if names else []
    if not entries:
        require_inventory(user)
        if not policy.may_read_again(user):
            raise PermissionDenied
    rows = [one for one in beside_ours(entries, user) if one.is_endable]
    if request.POST.get("preview") == "1":
        form = EndForm(initial={"reason": request.POST.get("reason", "")})
        return _preview(request, rows, form, status=200 if rows else 422)
    form = EndForm(request.POST)
    if not form.is_valid() or not entries:
        return _preview(request, rows, form, status=422)
    if len(entries) > 1:  # ending one must be quick
        require_step_up(request)
    done = _end(request, entries, form.cleaned_data["reason"])
    if not done.asked:
        return _too_late(request, "All of them have ended, or are being ended already.")
    if done.too_late:
        messages.warning(
            request, f"{len(done.too_late)} of them had ended, or were ending, already."
        )
    return redirect("inventory")


@posted_from("inventory")
@limited(table.READINGS)
def read_now(request: HttpRequest) -> HttpResponse:
    """Have AMG's lists read now, all that one may act on or those of one workspace."""
    require_inventory(requester.person(request))
    accounts = ServiceAccount.objects.to_list()
    asked = request.POST.get("workspace", "").replace("\0", "")
    if asked:
        accounts = accounts.filter(workspace__aws_id=asked)
    want_lists(ServiceAccount.objects.filter(pk__in=accounts), actor=requester.actor(request))
    query = f"?{urlencode({'workspace': asked})}" if asked else ""
    return redirect(reverse("inventory") + query)


def _find(user: User, names: list[str]) -> list[ListedToken]:
    """The entries of these numbers; 404 for one that the person may not know of, 403 for one that
    they may not act on."""
    require_inventory(user)
    if not policy.may_read_again(user):
        raise PermissionDenied("Only admins and team leads can change anything here.")
    if not all(one.isascii() and one.isdigit() and len(one) < 19 for one in names):
        raise Http404
    wanted = {int(one) for one in names[:BATCH_SIZE]}
    rows = policy.listed_in_inventory(user).select_related("service_account__workspace")
    entries = list(rows.filter(pk__in=wanted).order_by("service_account", "name", "pk"))
    if len(entries) != len(wanted):
        raise Http404
    for account in {entry.service_account for entry in entries}:
        policy.require(policy.may_act_on_inventory, user, account)
    return entries


def _end(request: HttpRequest, entries: list[ListedToken], reason: str) -> EndedListed:
    try:
        done = end_listed(
            [one.pk for one in entries], actor=requester.actor(request), reason=reason
        )
    except ListedToken.DoesNotExist:
        return EndedListed()
    follow_up(done.effects)
    if done.asked:
        count = len(done.asked)
        messages.success(
            request,
            f"{isolated(done.asked[0].name)} is being ended: AWS is asked to delete it."
            if count == 1
            else f"{count} tokens are being ended: AWS is asked to delete them.",
        )
    return done


def _back(entry: ListedToken) -> HttpResponse:
    workspace = entry.service_account.workspace.aws_id
    return redirect(f"{reverse('inventory')}?{urlencode({'workspace': workspace})}")


def _again(
    request: HttpRequest,
    entry: ListedToken,
    *,
    adoption: AdoptForm | None = None,
    ending: EndForm | None = None,
) -> HttpResponse:
    """422: one entry with its forms, and what is wrong beside its field."""
    [row] = beside_ours([entry], requester.person(request))
    context: dict[str, Any] = {"row": row, "adoption": adoption, "ending": ending}
    return render(request, "inventory/item.html", context, status=422)


def _preview(request: HttpRequest, rows: list[Row], form: EndForm, *, status: int) -> HttpResponse:
    return render(request, "inventory/end.html", {"rows": rows, "form": form}, status=status)


def _what_became_of(entry: ListedToken) -> str:
    """Who has done what with it meanwhile, and when."""
    now = ListedToken.objects.filter(pk=entry.pk).first()
    if now is not None and now.end_asked_at is not None:
        return f"{now.end_asked_by} asked to have it deleted at {display.minute(now.end_asked_at)}."
    account = entry.service_account
    token = Token.objects.known_at_aws_as([account.workspace_id], [entry.aws_id]).first()
    if token is not None:
        by = f", by {token.ended_by}" if token.ended_by else ""
        return (
            f"It has a record here by now: {token.get_state_display()} since "
            f"{display.minute(token.state_at)}{by}."
        )
    return "It is gone by now: AMG lists it no more."


def _too_late(request: HttpRequest, why: str) -> HttpResponse:
    return render(request, "inventory/too_late.html", {"why": why}, status=409)
