"""What was sent to a webhook and how it went: the log of a month, from which it is sent again."""

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from portal import requester
from portal.flows.try_webhook import send_again
from portal.limits import table
from portal.models import WebhookDelivery
from portal.tasks import follow_up
from portal.views import paging
from portal.views.limiting import limited
from portal.views.paging import Stretch
from portal.views.teams import webhooks
from portal.views.way_back import posted_from

PER_PAGE = 25


@require_safe
def log(request: HttpRequest, slug: str, webhook_id: int) -> HttpResponse:
    """The messages of a webhook, newest first."""
    webhook = webhooks.find(request, slug, webhook_id)
    rows = WebhookDelivery.objects.filter(webhook=webhook)
    newest_first = [Stretch(rows, ("-id",))]
    page = paging.page(newest_first, request.GET.get("page"), _load, size=PER_PAGE)
    context = {
        "team": webhook.team,
        "webhook": webhook,
        "page": page,
        "waits": any(one.is_waiting for one in page),
    }
    return render(request, "team/webhook_messages.html", context)


def _load(keys: list[Any]) -> Iterable[WebhookDelivery]:
    rows = WebhookDelivery.objects.filter(pk__in=keys).select_related("webhook")
    return rows.order_by() if keys else ()


@posted_from("team-webhook-messages", "slug", "webhook_id")
@limited(table.WEBHOOKS)
def again(request: HttpRequest, slug: str, webhook_id: int, message_id: int) -> HttpResponse:
    """POST: send a message once more, under its id."""
    webhook = webhooks.find(request, slug, webhook_id)
    message = WebhookDelivery.objects.filter(webhook=webhook, pk=message_id).first()
    if message is None:
        raise Http404
    message.webhook = webhook
    follow_up(send_again(message, actor=requester.actor(request)))
    messages.success(request, "It is sent again, under the id that it has.")
    return redirect("team-webhook-messages", slug, webhook.pk)
