"""My tokens and the request form."""

import secrets
from functools import partial

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from portal import lifetimes, requester
from portal.amg import LONGEST_LIFETIME
from portal.flows.request import RequestRefusedError, TokenRequest, free_name, name_is_taken
from portal.flows.request import request as request_token
from portal.forms import TokenRequestForm
from portal.limits import LimitExceededError
from portal.models import Token, User
from portal.requester import answers_json
from portal.tasks import follow_up
from portal.views import limiting
from portal.views.accounts.step_up import require_step_up_for
from portal.views.tokens.catalog import catalog, offered_workspace
from portal.views.unread import not_offered
from portal.views.zones import note_zone

PRESETS = (
    (3_600, "1 hour"),
    (8 * 3_600, "8 hours"),
    (86_400, "1 day"),
    (7 * 86_400, "7 days"),
    (30 * 86_400, "30 days"),
)
PREFILLABLE = ("workspace", "service_account", "name", "seconds_to_live", "reason", "team")


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """The request form; success answers 302 to the token's page, an error 422."""
    user = requester.person(request)
    if request.method == "POST":
        form = TokenRequestForm(request.POST, user=user)
        try:
            token = _request(request, form) if form.is_valid() else None
        except LimitExceededError as exceeded:
            form.add_error(None, str(exceeded))
            page = partial(_form_page, request, form, user)
            return limiting.answer(request, exceeded, page=page)
        if token is not None:
            note_zone(request)
            return redirect("token", token.pk)
        return _form_page(request, form, user, status=422)
    given = request.GET
    initial = {name: given[name] for name in PREFILLABLE if name in given}
    if "lifetime" in given:
        initial.setdefault("seconds_to_live", given["lifetime"])
    initial.setdefault("name", suggested_name(user))
    is_linked = bool({*PREFILLABLE, "lifetime"} & given.keys())
    return _form_page(
        request, TokenRequestForm(user=user, initial=initial), user, is_linked=is_linked
    )


@answers_json
@require_safe
def name(request: HttpRequest) -> JsonResponse:
    """Whether a name is taken in a workspace, for the form while a person types it.

    Only in workspaces that the person may ask for: others' names are not theirs to try.
    """
    workspace = request.GET.get("workspace", "")
    wanted = request.GET.get("name", "").replace("\0", "").strip()
    found = offered_workspace(requester.person(request), workspace)
    if found is None:
        raise Http404
    is_taken = Token.objects.holding_name(found.pk, wanted).exists()
    if not is_taken:
        return JsonResponse({"message": "", "free": ""})
    free = free_name(found.pk, wanted)
    return JsonResponse({"message": name_is_taken(wanted), "free": free})


def _request(request: HttpRequest, form: TokenRequestForm) -> Token | None:
    """The token that a valid form asks for; None when it was refused, and the form says why."""
    team, account = form.chosen
    require_step_up_for(request, account)
    fields = form.cleaned_data
    wanted = TokenRequest(
        team=team,
        service_account=account,
        name=fields["name"],
        seconds_to_live=fields["seconds_to_live"],
        reason=fields["reason"],
        public_key=fields["public_key"],
        says_until=lifetimes.is_until(form["seconds_to_live"].value()),
    )
    try:
        requested = request_token(wanted, actor=requester.actor(request))
    except RequestRefusedError as refusal:
        form.add_error(refusal.field, ValidationError(refusal.message, code=refusal.field))
        return None
    follow_up(requested.effects)
    return requested.token


def _form_page(
    request: HttpRequest,
    form: TokenRequestForm,
    user: User,
    status: int = 200,
    *,
    is_linked: bool = False,
) -> HttpResponse:
    offered = catalog(user, str(form["workspace"].value() or ""))
    wanted = str(form["service_account"].value() or "")
    return render(
        request,
        "tokens/new.html",
        {
            "form": form,
            "catalog": offered,
            "is_linked": is_linked,
            "is_full": form.has_error("workspace", code="workspace"),
            "not_read": not_offered(user),
            "account": offered.account(wanted),
            "account_options": offered.account_options(wanted),
            "presets": PRESETS,
            "longest_lifetime": LONGEST_LIFETIME,
            "suggested_name": suggested_name(user),
        },
        status=status,
    )


def suggested_name(user: User) -> str:
    """A free name: who asks, and random characters.

    The random end keeps strangers outside this portal from having taken it (docs/RELIABILITY.md,
    "Known limit").
    """
    local_part = user.email.partition("@")[0][:40]
    return f"{local_part}-{secrets.token_hex(3)}"


def try_again_url(token: Token) -> str:
    """The request form, filled in as for this token but for a fresh name's random end."""
    query = {
        "workspace": token.workspace.aws_id,
        "service_account": token.service_account.aws_id,
        "seconds_to_live": str(token.seconds_to_live),
        "reason": token.reason,
        "team": token.team.slug,
    }
    return reverse("token-new", query={name: value for name, value in query.items() if value})
