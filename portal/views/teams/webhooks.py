"""A team's webhooks, for who manages it: their list, a new one, and each one's own page."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from portal import policy, requester
from portal.flows.add_webhook import MOST, TooManyError, add_webhook
from portal.flows.change_webhook import change_webhook
from portal.flows.remove_webhook import remove_webhook
from portal.flows.rotate_webhook import hide_secret, rotate_webhook
from portal.flows.try_webhook import try_webhook
from portal.forms.webhooks import WebhookForm
from portal.limits import table
from portal.models import Team, Webhook, WebhookDelivery, WebhookFormat, WebhookKind
from portal.tasks import follow_up
from portal.views.limiting import limited
from portal.views.teams import desk
from portal.views.way_back import posted_from
from portal.webhooks import signing


@require_safe
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """All of a team's, with how they do."""
    team = managed(request, slug)
    webhooks = list(Webhook.objects.filter(team=team))
    return render(request, "team/webhooks.html", {"team": team, "webhooks": webhooks})


@require_http_methods(["GET", "HEAD", "POST"])
@limited(table.WEBHOOKS)
def new(request: HttpRequest, slug: str) -> HttpResponse:
    """The form for another one; a POST makes it, and its page shows the secret."""
    team = managed(request, slug)
    if request.method != "POST":
        every = {"events": WebhookKind.values, "format": WebhookFormat.STANDARD}
        return _new(request, team, WebhookForm(initial=every, needs_address=True))
    form = WebhookForm(request.POST, needs_address=True)
    if not form.is_valid():
        return _new(request, team, form, status=422)
    said = form.cleaned_data
    try:
        webhook = add_webhook(
            team,
            name=said["name"],
            url=said["url"],
            form=said["format"],
            kinds=said["events"],
            actor=requester.actor(request),
        )
    except TooManyError:
        form.add_error(None, f"The team has {MOST} webhooks, which is the most: delete one first.")
        return _new(request, team, form, status=422)
    return redirect("team-webhook", team.slug, webhook.pk)


def _new(request: HttpRequest, team: Team, form: WebhookForm, status: int = 200) -> HttpResponse:
    context = {"team": team, **_choices(form)}
    return render(request, "team/webhook_new.html", context, status=status)


def _choices(form: WebhookForm) -> dict[str, Any]:
    return {"form": form, "formats": WebhookFormat.choices, "kinds": WebhookKind.choices}


@require_http_methods(["GET", "HEAD", "POST"])
@limited(table.WEBHOOKS)
def page(request: HttpRequest, slug: str, webhook_id: int) -> HttpResponse:
    """One of them; a POST changes it."""
    webhook = find(request, slug, webhook_id)
    if request.method != "POST":
        kept = {"name": webhook.name, "format": webhook.format, "events": webhook.kinds}
        return _page(request, webhook, WebhookForm(initial=kept, needs_address=False))
    form = WebhookForm(request.POST, needs_address=False)
    if not form.is_valid():
        return _page(request, webhook, form, status=422)
    said = form.cleaned_data
    has_changed = change_webhook(
        webhook,
        name=said["name"],
        url=said["url"],
        form=said["format"],
        kinds=said["events"],
        actor=requester.actor(request),
    )
    messages.success(request, "Saved." if has_changed else "Nothing was changed: it is so already.")
    return redirect("team-webhook", slug, webhook.pk)


def _page(
    request: HttpRequest, webhook: Webhook, form: WebhookForm, status: int = 200
) -> HttpResponse:
    secret, is_unreadable = _secret_for(request, webhook)
    now = timezone.now()
    context = {
        "team": webhook.team,
        "webhook": webhook,
        "secret": secret,
        "is_unreadable": is_unreadable,
        "old_signs_until": (
            webhook.before_until if webhook.before_until and webhook.before_until > now else None
        ),
        "waiting": WebhookDelivery.objects.filter(webhook=webhook).waiting().count(),
        **_choices(form),
    }
    return render(request, "team/webhook.html", context, status=status)


def _secret_for(request: HttpRequest, webhook: Webhook) -> tuple[str, bool]:
    """The secret, for whoever has just made it; and whether it can't be read any more."""
    is_theirs = webhook.shown_to_id == requester.person(request).pk
    until = webhook.shown_until
    try:
        secret = signing.unlock(webhook.secret)
    except signing.CannotUnlockError:
        return "", True
    return (secret if is_theirs and until and until > timezone.now() else ""), False


@posted_from("team-webhook")
@limited(table.WEBHOOKS)
def stored(request: HttpRequest, slug: str, webhook_id: int) -> HttpResponse:
    """POST: who made the secret has put it where it is used."""
    webhook = find(request, slug, webhook_id)
    hide_secret(webhook, actor=requester.actor(request))
    return redirect("team-webhook", slug, webhook.pk)


@posted_from("team-webhook")
@limited(table.WEBHOOKS)
def rotate(request: HttpRequest, slug: str, webhook_id: int) -> HttpResponse:
    """POST: another secret; the one before signs too for a day."""
    webhook = find(request, slug, webhook_id)
    rotate_webhook(webhook, actor=requester.actor(request))
    messages.success(request, "There is a new secret. For 24 hours the old one signs beside it.")
    return redirect("team-webhook", slug, webhook.pk)


@posted_from("team-webhook")
@limited(table.WEBHOOKS)
def test(request: HttpRequest, slug: str, webhook_id: int) -> HttpResponse:
    """POST: send a message that tells of nothing."""
    webhook = find(request, slug, webhook_id)
    follow_up(try_webhook(webhook, actor=requester.actor(request)))
    messages.success(request, "A test is on its way. Its line below says how it went.")
    return redirect("team-webhook-messages", slug, webhook.pk)


@posted_from("team-webhook")
def delete(request: HttpRequest, slug: str, webhook_id: int) -> HttpResponse:
    """POST: it goes, with what waits for it."""
    webhook = find(request, slug, webhook_id)
    remove_webhook(webhook, actor=requester.actor(request))
    messages.success(request, "The webhook is deleted: nothing is sent there any more.")
    return redirect("team-webhooks", slug)


def managed(request: HttpRequest, slug: str) -> Team:
    """The team, for who manages it. Raises Http404 or PermissionDenied."""
    team = desk.find(request, slug)
    policy.require(policy.may_manage, requester.person(request), team)
    return team


def find(request: HttpRequest, slug: str, webhook_id: int) -> Webhook:
    """A webhook of a team, for who manages that. Raises Http404 or PermissionDenied."""
    team = managed(request, slug)
    webhook = Webhook.objects.filter(team=team, pk=webhook_id).select_related("team").first()
    if webhook is None:
        raise Http404
    return webhook
