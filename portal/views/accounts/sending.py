"""Whether mails and webhooks go out: what waits, since when, and what was given up. For admins and
auditors.

What a server took and could not deliver comes back to the sender's address as a bounce, which the
portal does not read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Count, Min, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal import notify, policy, requester
from portal.models import AccountMail, Heartbeat, LeadMail, LostMail, Notice, PasswordMail, Webhook

MOST_SHOWN = 100
_UNSENT = Q(sent_at=None, dropped_at=None)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Mails of one kind that have not gone out; ``tried`` of them the server has not taken."""

    what: str
    count: int
    tried: int
    oldest: datetime


@require_safe
def sending(request: HttpRequest) -> HttpResponse:
    policy.require(lambda user, _: policy.may_audit(user), requester.person(request), None)
    heard = dict(Heartbeat.objects.values_list("kind", "at"))
    taken_at, trouble_at = heard.get(notify.SENT), heard.get(notify.NOT_SENT)
    is_away = trouble_at is not None and (taken_at is None or taken_at < trouble_at)
    lost = list(LostMail.objects.all()[: MOST_SHOWN + 1])
    webhooks = list(Webhook.objects.in_trouble().select_related("team")[: MOST_SHOWN + 1])
    context = {
        "is_away": is_away,
        "taken_at": taken_at,
        "trouble_at": trouble_at,
        "waiting": list(_waiting()),
        "lost": lost[:MOST_SHOWN],
        "has_more": len(lost) > MOST_SHOWN,
        "webhooks": webhooks[:MOST_SHOWN],
        "has_more_webhooks": len(webhooks) > MOST_SHOWN,
        "may_open_webhooks": requester.person(request).is_admin,
        "goes_to_files": bool(settings.EMAIL_FILE_PATH),
        "sender": settings.DEFAULT_FROM_EMAIL,
    }
    return render(request, "account/sending.html", context)


def _waiting() -> Iterator[Waiting]:
    for what, rows in (
        ("about tokens", Notice.objects.filter(_UNSENT)),
        ("to leads", LeadMail.objects.filter(_UNSENT)),
        ("about accounts", AccountMail.objects.all()),
        ("links to set a password", PasswordMail.objects.exclude(person=None)),
    ):
        found = rows.order_by().aggregate(
            count=Count("pk"), tried=Count("pk", filter=Q(tries__gt=0)), oldest=Min("created_at")
        )
        if found["count"]:
            yield Waiting(what, found["count"], found["tried"], found["oldest"])
