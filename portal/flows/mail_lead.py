"""Sends one mail to a lead that is about no single token."""

import logging
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from portal import notify, policy
from portal.models import LeadMail, LeadMailKind, MailTopic, UnwantedMail
from portal.models.filling import Filling, count_by_workspace
from portal.notify import Patience
from portal.reading.digest import digest

PATIENCE = Patience(
    first=timedelta(seconds=30), longest=timedelta(hours=1), in_all=timedelta(days=3)
)

TOPICS = {
    LeadMailKind.DIGEST: MailTopic.DIGEST,
    LeadMailKind.NEARLY_FULL: MailTopic.NEARLY_FULL,
}

log = logging.getLogger(__name__)


def mail_lead(mail_id: int) -> bool:
    """Send this mail, unless another worker does; returns whether the mail server took it.

    What it says is read now. What has become untrue, or says nothing, is not sent.
    """
    if not LeadMail.objects.claim(mail_id):
        return False
    mail = LeadMail.objects.select_related("recipient", "workspace").get(pk=mail_id)
    row = LeadMail.objects.filter(pk=mail.pk)
    is_wanted = mail.recipient.is_active and not UnwantedMail.is_unwanted(
        mail.recipient, TOPICS[LeadMailKind(mail.kind)]
    )
    content = _content(mail) if is_wanted else None
    if content is None:
        row.update(dropped_at=Now())
        return False
    try:
        notify.send(notify.compose_lead_mail(mail, content))
    except notify.CANNOT_BE_SENT as error:
        is_lost = PATIENCE.put_back(
            mail, error, kind=mail.kind, to=mail.recipient.email, about=mail.about
        )
        log.warning(
            "lead_mail.given_up" if is_lost else "lead_mail.not_sent",
            extra={"kind": mail.kind, "error": type(error).__name__, "tries": mail.tries},
        )
        return False
    row.update(sent_at=Now())
    log.info("lead_mail.sent", extra={"kind": mail.kind, "about": mail.about})
    return True


def _content(mail: LeadMail) -> dict[str, Any] | None:
    """What the mail says; None where there is nothing to say any more."""
    if mail.kind == LeadMailKind.DIGEST:
        teams = policy.led_by(mail.recipient).order_by("slug")
        found = digest(teams, endable=policy.ENDABLE)
        return {"teams": found} if found else None
    workspace = mail.workspace
    if workspace is None or not policy.leads_in(mail.recipient, workspace):
        return None
    filling = Filling.of(workspace.pk, count_by_workspace())
    if not filling.is_nearly_full:
        return None
    return {
        "workspace": workspace,
        "filling": filling,
        "could_go": policy.who_could_go(mail.recipient, workspace),
    }
