"""Somebody asks for a token: the row is the outbox."""

from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from portal import audit, limits, notify, policy, sealing
from portal.audit import Actor
from portal.limits import LimitExceededError
from portal.models import Action, NoticeKind, ServiceAccount, State, Team, Token, User
from portal.policy import Choice


class RequestRefusedError(Exception):
    """The request can't be taken; ``field`` names the input that the message belongs to."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for; lifetimes in seconds, the public key as DER.

    Without a public key the recipient's browser is elsewhere: it collects the token later. The
    recipient is who asks, unless it is somebody else's token that is to be replaced.
    """

    team: Team
    service_account: ServiceAccount
    name: str
    seconds_to_live: int
    reason: str
    public_key: bytes
    recipient: User | None = None
    replaces: Token | None = None
    overlap_seconds: int | None = None


def request(wish: Wish, *, actor: Actor) -> tuple[Token, bool]:
    """Write the request; returns its row and whether it is new.

    The same wish from the same browser key (a double click, a resent form) is the same request.
    Raises RequestRefusedError, with a message for people, when policy or the name stand against it,
    LimitExceededError when the owner has asked for too many within an hour.
    """
    owner = actor.user
    if owner is None:
        raise ValueError("a request has an owner")
    earlier = _same_wish(wish, owner)
    if earlier is not None:
        return earlier, False
    choice = check(wish, owner)
    try:
        with transaction.atomic():
            token = insert(wish, choice, actor=actor)
            tell_of(token, actor=actor, reason=wish.reason)
    except (IntegrityError, RequestRefusedError, LimitExceededError) as refusal:
        # Only now can a double click be told from somebody else's request.
        earlier = _same_wish(wish, owner)
        if earlier is not None:
            return earlier, False
        if not isinstance(refusal, IntegrityError):
            raise
        raise RequestRefusedError("name", name_is_taken(wish.name)) from None
    return token, True


def insert(wish: Wish, choice: Choice, *, actor: Actor) -> Token:
    """Insert the row of a checked wish; needs a transaction, which goes on to ``tell_of`` it.

    Raises RequestRefusedError or LimitExceededError when limits are reached, IntegrityError when
    the name is in use.
    """
    asker = actor.user
    owner = wish.recipient or asker
    if asker is None or owner is None:
        raise ValueError("a request has an owner")
    if owner == asker:
        limits.check_requests(owner)
    if choice.limits.counts_live:
        # One request of the team at a time: two at once would each find the last place.
        Team.objects.select_for_update(no_key=True).get(pk=wish.team.pk)
    shortage = policy.shortage(owner, choice, exempt=wish.replaces)
    if shortage is not None:
        raise RequestRefusedError(shortage.field, shortage.message)
    token = Token(
        owner=owner,
        asked_by="" if owner == asker else asker.email,
        team=wish.team,
        workspace=wish.service_account.workspace,
        service_account=wish.service_account,
        name=wish.name,
        seconds_to_live=wish.seconds_to_live,
        reason=wish.reason,
        public_key_sha256=sealing.public_key_sha256(wish.public_key) if wish.public_key else "",
        replaces=wish.replaces,
        lineage_name=wish.replaces.first_name if wish.replaces else "",
        overlap_seconds=wish.overlap_seconds,
        rung_at=Now(),
    )
    if choice.limits.needs_approval and owner != asker and policy.may_approve(asker, token):
        # Who may agree to somebody else's request agrees by asking for them.
        token.approved_by, token.approved_at = asker.email, Now()
    if choice.limits.needs_approval and not token.approved_by:
        token.state = State.AWAITING_APPROVAL
    elif not wish.public_key:
        token.state = State.AWAITING_RECIPIENT
    else:
        # Only what is made now is sealed to this key pair: it may be lost before people answer.
        token.public_key = wish.public_key
    token.save(force_insert=True)
    return token


def tell_of(token: Token, *, actor: Actor, reason: str) -> None:
    """Mail those who are to approve a new request, and record it, once all rows are written."""
    if token.state == State.AWAITING_APPROVAL:
        asked = policy.approvers_of(token)
        notify.tell(NoticeKind.APPROVAL_ASKED, token=token, to=asked, by=actor.label)
    audit.record(Action.TOKEN_REQUESTED, actor=actor, token=token, reason=reason)
    if token.approved_by:
        audit.record(Action.TOKEN_APPROVED, actor=actor, token=token, reason=reason)


def name_is_taken(name: str) -> str:
    """The sentence for a name that is in use in its workspace."""
    return f"The name “{name}” is in use in this workspace. Choose another."


def check(wish: Wish, owner: User) -> Choice:
    """The grant by which the wish may be taken; raises RequestRefusedError."""
    account = wish.service_account
    choice = policy.choice_for(owner, wish.team, account)
    if choice is None:
        suspended = policy.suspension(owner, account.workspace.aws_id, account.aws_id)
        raise RequestRefusedError(
            "service_account", suspended or "Your team has no grant for this account."
        )
    limits = choice.limits
    if account.obstacle:
        raise RequestRefusedError("service_account", account.obstacle)
    if wish.seconds_to_live > limits.max_ttl:
        raise RequestRefusedError(
            "seconds_to_live",
            f"Your team may ask for at most {limits.max_ttl} seconds for this account.",
        )
    if limits.reason_required and not wish.reason:
        raise RequestRefusedError("reason", "Say what the token is for: your team's policy asks.")
    return choice


def _same_wish(wish: Wish, owner: User) -> Token | None:
    wanted = (
        wish.team.pk,
        wish.service_account.pk,
        wish.seconds_to_live,
        wish.reason,
        sealing.public_key_sha256(wish.public_key),
        wish.replaces.pk if wish.replaces else None,
    )
    for token in Token.objects.named(owner.pk, wish.name):
        asked = (
            token.team_id,
            token.service_account_id,
            token.seconds_to_live,
            token.reason,
            token.public_key_sha256,
            token.replaces_id,
        )
        if asked == wanted:
            return token
    return None
