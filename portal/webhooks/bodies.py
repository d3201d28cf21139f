"""What a message says: of an event of the audit log, of an end to come, or of nothing (a test).

One sentence for people and the facts beside it; as Standard Webhooks has it, or ready for Slack or
Microsoft Teams. Never a key, a fingerprint or a public key: nothing of these is read here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from portal.logs import mask
from portal.models import AuditEvent, Team, Token, WebhookFormat, WebhookKind
from portal.models.webhooks import TEST
from portal.text import isolated

CARD = "http://adaptivecards.io/schemas/adaptive-card.json"


@dataclass(frozen=True, slots=True)
class Said:
    """One thing to tell. ``page`` is where to go on, a path of the portal's."""

    kind: str
    at: datetime
    text: str
    page: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def write(said: Said, form: str) -> str:
    """The body, JSON, as a webhook of this format gets it."""
    written = {WebhookFormat.SLACK: _for_slack, WebhookFormat.TEAMS: _for_teams}
    body = written.get(WebhookFormat(form), _standard)(said)
    # Names and reasons are what people or AWS wrote, and somebody may have pasted a key.
    return mask(json.dumps(body, ensure_ascii=False, separators=(",", ":")))


def of_event(kind: WebhookKind, event: AuditEvent, token: Token | None) -> Said:
    """What an event of the audit log tells. ``token`` is its row as of now, where it has one."""
    page = f"/tokens/{event.token_id}/" if event.token_id else "/inventory/"
    facts: dict[str, Any] = {
        "event": event.seq,
        "team": event.team or None,
        "token": _token(event, token) if event.token_id else None,
        "workspace": {"id": event.workspace, "name": event.workspace_name},
        "service_account": {
            "id": event.service_account,
            "name": event.service_account_name,
            "role": event.grafana_role,
        },
        "actor": event.actor,
        "reason": event.reason,
    }
    if kind in (WebhookKind.DRIFT_FOUND, WebhookKind.REISSUED):
        facts["what"] = event.subject
    return Said(kind, event.at, _sentence(kind, event, token), page, facts)


def of_end(token: Token, at: datetime) -> Said:
    """That a live token ends soon."""
    account, workspace = token.service_account, token.workspace
    facts = {
        "team": token.team.slug,
        "token": {
            "id": str(token.pk),
            "name": token.name,
            "owner": token.owner.email,
            "seconds_to_live": token.seconds_to_live,
            "expires_at": _moment(token.ends_at),
        },
        "workspace": {"id": workspace.aws_id, "name": workspace.name},
        "service_account": {
            "id": account.aws_id,
            "name": account.name,
            "role": account.grafana_role,
        },
    }
    text = (
        f"Token {isolated(token.name)} of {token.owner.email} ends {_words(token.ends_at)}: "
        f"{isolated(account.name)} in {isolated(workspace.name)}. What uses it then stops working; "
        "its page renews it."
    )
    return Said(WebhookKind.ENDS_SOON, at, text, f"/tokens/{token.pk}/", facts)


def of_test(team: Team, *, by: str, at: datetime) -> Said:
    """A message that tells of nothing."""
    text = f"{by} tries this webhook of team {isolated(team.name)}. Nothing has happened."
    page = f"/team/{team.slug}/webhooks/"
    return Said(TEST, at, text, page, {"team": team.slug, "actor": by})


def _token(event: AuditEvent, token: Token | None) -> dict[str, Any]:
    return {
        "id": str(event.token_id),
        "name": event.token_name,
        "owner": event.owner,
        "seconds_to_live": event.seconds_to_live,
        "expires_at": _moment(token.ends_at) if token is not None else None,
    }


def _sentence(kind: WebhookKind, event: AuditEvent, token: Token | None) -> str:
    name = f"Token {isolated(event.token_name)} of {event.owner}"
    where = f"{isolated(event.service_account_name)} in {isolated(event.workspace_name)}"
    why = f" Reason: {isolated(event.reason)}" if event.reason else ""
    match kind:
        case WebhookKind.ISSUED:
            ends = f", ends {_words(token.ends_at)}" if token is not None and token.ends_at else ""
            return f"{name} was issued: {where} ({event.grafana_role}){ends}."
        case WebhookKind.REVOKED:
            by = f" by {token.ended_by}" if token is not None and token.ended_by else ""
            return f"{name} was revoked{by}: {where}.{why}"
        case WebhookKind.REISSUED:
            return f"{name} is replaced by {event.actor}: {isolated(event.subject)}.{why}"
        case WebhookKind.APPROVAL_WANTED:
            return (
                f"{event.owner} asks for token {isolated(event.token_name)}: {where} "
                f"({event.grafana_role}). A lead is to approve or deny it.{why}"
            )
        case WebhookKind.UNCLAIMED:
            return f"{name} is being revoked: nobody took its key in time."
        case _:
            return f"AMG's own list differs for {where}: {isolated(event.subject)}."


def _standard(said: Said) -> dict[str, Any]:
    data = {"text": said.text, "url": f"{settings.PORTAL_ORIGIN}{said.page}", **said.facts}
    return {"type": said.kind, "timestamp": _moment(said.at), "data": data}


def _for_slack(said: Said) -> dict[str, Any]:
    """https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks

    The sentence as plain text: a name can neither mention nor link anybody.
    """
    escaped = said.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    link = f"<{settings.PORTAL_ORIGIN}{said.page}|Open it in the portal>"
    return {
        "text": escaped,
        "blocks": [
            {"type": "section", "text": {"type": "plain_text", "text": said.text, "emoji": False}},
            {"type": "section", "text": {"type": "mrkdwn", "text": link}},
        ],
    }


def _for_teams(said: Said) -> dict[str, Any]:
    """An Adaptive Card, as a workflow "when a webhook request is received" posts it to a channel.

    In a TextRun nothing is read as Markdown.
    """
    url = f"{settings.PORTAL_ORIGIN}{said.page}"
    inlines = [{"type": "TextRun", "text": said.text}]
    return {
        "type": "message",
        "attachments": [
            {
                "contentType": "application/vnd.microsoft.card.adaptive",
                "content": {
                    "$schema": CARD,
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "body": [{"type": "RichTextBlock", "inlines": inlines}],
                    "actions": [
                        {"type": "Action.OpenUrl", "title": "Open it in the portal", "url": url}
                    ],
                },
            }
        ],
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _words(at: datetime | None) -> str:
    return "soon" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
