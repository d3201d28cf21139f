"""An engineer asks for a token: the row is the outbox."""

from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from portal import audit, policy, sealing
from portal.audit import Actor
from portal.models import Action, ServiceAccount, Team, Token, User
from portal.policy import Choice


class RequestRefusedError(Exception):
    """The request can't be taken; ``field`` names the input that the message belongs to."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Wish:
    """What an engineer asks for; lifetimes in seconds, the public key as DER."""

    team: Team
    service_account: ServiceAccount
    name: str
    seconds_to_live: int
    reason: str
    public_key: bytes


def request(wish: Wish, *, actor: Actor, exempt: Token | None = None) -> tuple[Token, bool]:
    """Write the request; returns its row and whether it is new.

    The same wish from the same browser key (a double click, a resent form) is the same request.
    ``exempt`` is the token that this one is to replace: limits on live tokens do not count it.
    Raises RequestRefusedError, with a message for people, when policy or the name stand against it.
    """
    owner = actor.user
    if owner is None:
        raise ValueError("a request has an owner")
    earlier = _same_wish(wish, owner)
    if earlier is not None:
        return earlier, False
    choice = _check(wish, owner)
    try:
        with transaction.atomic():
            if choice.limits.counts_live:
                # One request of the team at a time: two at once would each find the last place.
                Team.objects.select_for_update(no_key=True).get(pk=wish.team.pk)
            shortage = policy.shortage(owner, choice, exempt=exempt)
            if shortage is not None:
                raise RequestRefusedError(shortage.field, shortage.message)
            token = Token.objects.create(
                owner=owner,
                team=wish.team,
                workspace=wish.service_account.workspace,
                service_account=wish.service_account,
                name=wish.name,
                seconds_to_live=wish.seconds_to_live,
                reason=wish.reason,
                public_key=wish.public_key,
                public_key_sha256=sealing.public_key_sha256(wish.public_key),
                rung_at=Now(),
            )
            audit.record(Action.TOKEN_REQUESTED, actor=actor, token=token, reason=wish.reason)
    except (IntegrityError, RequestRefusedError) as refusal:
        # Only now can a double click be told from somebody else's request.
        earlier = _same_wish(wish, owner)
        if earlier is not None:
            return earlier, False
        if isinstance(refusal, RequestRefusedError):
            raise
        raise RequestRefusedError("name", name_is_taken(wish.name)) from None
    return token, True


def name_is_taken(name: str) -> str:
    """The sentence for a name that is in use in its workspace."""
    return f"The name “{name}” is in use in this workspace. Choose another."


def _check(wish: Wish, owner: User) -> Choice:
    account = wish.service_account
    choice = policy.choice_for(owner, wish.team, account)
    if choice is None:
        raise RequestRefusedError("service_account", "Your team has no grant for this account.")
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
    if limits.needs_approval:
        raise RequestRefusedError(
            "service_account",
            "Tokens for this account need a lead's approval, which this portal can't ask for yet.",
        )
    return choice


def _same_wish(wish: Wish, owner: User) -> Token | None:
    return Token.objects.filter(
        owner=owner,
        team=wish.team,
        service_account=wish.service_account,
        name=wish.name,
        seconds_to_live=wish.seconds_to_live,
        reason=wish.reason,
        public_key_sha256=sealing.public_key_sha256(wish.public_key),
    ).first()
