"""Messages to webhooks, of what the audit log tells, and beside the mail that an end nears.

``about`` names what a message tells of, and each webhook is told of it once.
"""

from collections.abc import Iterable, Sequence

from portal import policy
from portal.models import (
    Action,
    AuditEvent,
    ServiceAccount,
    State,
    Token,
    Webhook,
    WebhookDelivery,
    WebhookKind,
)
from portal.webhooks import bodies

_KINDS = {
    Action.TOKEN_ISSUED: WebhookKind.ISSUED,
    Action.TOKEN_REVOKED: WebhookKind.REVOKED,
    Action.TOKEN_REISSUED: WebhookKind.REISSUED,
    Action.TOKEN_REQUESTED: WebhookKind.APPROVAL_WANTED,
    Action.TOKEN_DRIFT_FOUND: WebhookKind.DRIFT_FOUND,
    Action.TOKEN_UNCLAIMED: WebhookKind.UNCLAIMED,
}
ACTIONS = tuple(_KINDS)
"""Events that a webhook may be told of."""


def last_event() -> int:
    """The number of the audit log's last event; 0 where there is none."""
    return AuditEvent.objects.order_by("-seq").values_list("seq", flat=True).first() or 0


def messages_of(events: Sequence[AuditEvent], webhooks: Sequence[Webhook]) -> list[WebhookDelivery]:
    """What these webhooks are told of these events; each hears of what came after its making."""
    wanted = [(event, kind) for event in events if (kind := kind_of(event)) is not None]
    tokens = Token.objects.for_pages().in_bulk(
        {event.token_id for event, _ in wanted if event.token_id}
    )
    found = []
    for event, kind in wanted:
        listening = [one for one in webhooks if kind in one.kinds and one.after_event < event.seq]
        teams = _teams_of(event, {one.team_id for one in listening})
        token = tokens.get(event.token_id) if event.token_id else None
        said = bodies.of_event(kind, event, token)
        found += [
            WebhookDelivery(
                webhook=one,
                kind=kind,
                about=f"event {event.seq}",
                token_id=event.token_id,
                body=bodies.write(said, one.format),
            )
            for one in listening
            if one.team_id in teams
        ]
    return found


def tell_of_end(token: Token, notice: str) -> None:
    """Have the team's webhooks told that a token ends soon, once for each notice of it.

    Inside the transaction that writes the mails of the same.
    """
    listening = [
        one
        for one in Webhook.objects.filter(team=token.team_id)
        if WebhookKind.ENDS_SOON in one.kinds
    ]
    if not listening:
        return
    said = bodies.of_end(token, Token.objects.database_now())
    WebhookDelivery.objects.bulk_create(
        [
            WebhookDelivery(
                webhook=one,
                kind=WebhookKind.ENDS_SOON,
                about=f"{notice} {token.pk}",
                token_id=token.pk,
                body=bodies.write(said, one.format),
            )
            for one in listening
        ],
        ignore_conflicts=True,
    )


def kind_of(event: AuditEvent) -> WebhookKind | None:
    """What of an event webhooks are told; None where it is nothing."""
    kind = _KINDS.get(Action(event.action))
    if kind == WebhookKind.APPROVAL_WANTED and event.subject != State.AWAITING_APPROVAL.label:
        return None
    if kind != WebhookKind.DRIFT_FOUND and event.token_id is None:
        return None  # what nobody here issued belongs to no team
    return kind


def _teams_of(event: AuditEvent, among: Iterable[int]) -> set[int]:
    """Whose news it is: the token's team's; of what nobody here issued, the teams' that are granted
    its account."""
    among = set(among)
    if not among or event.team_id is not None:
        return among & {event.team_id}
    account = ServiceAccount.objects.filter(
        aws_id=event.service_account, workspace__aws_id=event.workspace
    ).first()
    return policy.granted_among(among, account) if account is not None else set()
