"""Somebody asks for a token: the row is the outbox."""

from dataclasses import dataclass
from typing import NamedTuple

from django.db import IntegrityError
from django.db.models.functions import Now

from portal import life, limits, policy, sealing
from portal.amg import LONGEST_TOKEN_NAME
from portal.audit import Actor
from portal.life import Effects, Work, moves
from portal.lifetimes import in_words
from portal.limits import LimitExceededError
from portal.models import Action, ServiceAccount, Team, Token, User
from portal.policy import Entitlement

SENT_AGAIN = {False: range(1), True: range(-1, 301)}
"""By how many seconds the lifetime of the same request may have become shorter."""


class RequestRefusedError(Exception):
    """The request can't be taken; ``field`` names the input that the message belongs to."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What somebody asks for; lifetimes in seconds, the public key as DER.

    Without a public key the recipient's browser is elsewhere: it collects the token later. The
    recipient is who asks, unless it is somebody else's token that is to be replaced.
    """

    team: Team
    service_account: ServiceAccount
    name: str
    seconds_to_live: int
    reason: str
    """What uses it."""
    public_key: bytes
    recipient: User | None = None
    replaces: Token | None = None
    overlap_seconds: int | None = None
    quiet_seconds: int | None = None
    change_reason: str = ""
    """Why it takes another's place."""
    says_until: bool = False
    """Whether the lifetime was said as a moment: sent once more, it is a little shorter."""


class Requested(NamedTuple):
    """The row of a request, and whether it is new: the same form sent twice is one request."""

    token: Token
    is_new: bool
    effects: Effects


class _SentBeforeError(Exception):
    """The same request is there already, whatever has become of it since."""


def request(wanted: TokenRequest, *, actor: Actor) -> Requested:
    """Write the request.

    The same request from the same browser key (a double click, a resent form) is the same row.
    Raises RequestRefusedError, with a message for people, when policy or the name stand against it,
    LimitExceededError when the owner has asked for too many within an hour.
    """
    owner = actor.user
    if owner is None:
        raise ValueError("a request has an owner")
    try:
        entitlement = check(wanted, owner)
        with life.work(actor) as work:
            token = insert(work, wanted, entitlement)
            # Only now: the first of two may have been on its way until here, and over since.
            if _sent_before(wanted, owner, but=token):
                raise _SentBeforeError
    except (
        IntegrityError,
        RequestRefusedError,
        LimitExceededError,
        _SentBeforeError,
    ) as refusal:
        earlier = _sent_before(wanted, owner)
        if earlier is not None:
            return Requested(earlier, is_new=False, effects=Effects())
        if isinstance(refusal, RequestRefusedError | LimitExceededError):
            raise
        raise RequestRefusedError("name", name_is_taken(wanted.name)) from None
    return Requested(token, is_new=True, effects=work.effects)


def insert(work: Work, wanted: TokenRequest, entitlement: Entitlement) -> Token:
    """Insert the row of a checked request, and tell those who are to approve it.

    Raises RequestRefusedError or LimitExceededError when limits are reached, IntegrityError when
    the name is in use.
    """
    asker = work.actor.user
    owner = wanted.recipient or asker
    if asker is None or owner is None:
        raise ValueError("a request has an owner")
    if owner == asker:
        limits.check_requests(owner)
    if entitlement.limits.counts_live:
        # One request of the team at a time: two at once would each find the last place.
        Team.objects.select_for_update(no_key=True).get(pk=wanted.team.pk)
    limit_reached = policy.limit_reached(owner, entitlement, exempt=wanted.replaces)
    if limit_reached is not None:
        message = limit_reached.message
        if limit_reached.field == "workspace":
            could_go = policy.who_could_go(asker, wanted.service_account.workspace)
            message = f"{message} {could_go}".strip()
        raise RequestRefusedError(limit_reached.field, message)
    token = Token(
        owner=owner,
        asked_by="" if owner == asker else asker.email,
        team=wanted.team,
        workspace=wanted.service_account.workspace,
        service_account=wanted.service_account,
        name=wanted.name,
        seconds_to_live=wanted.seconds_to_live,
        reason=wanted.reason,
        change_reason=wanted.change_reason,
        public_key_sha256=(
            sealing.public_key_sha256(wanted.public_key) if wanted.public_key else ""
        ),
        replaces=wanted.replaces,
        lineage_name=wanted.replaces.first_name if wanted.replaces else "",
        overlap_seconds=wanted.overlap_seconds,
        quiet_seconds=wanted.quiet_seconds,
    )
    needs_approval = entitlement.limits.needs_approval
    if needs_approval and owner != asker and policy.may_approve(asker, token):
        # Who may agree to somebody else's request agrees by asking for them.
        token.approved_by, token.approved_at = asker.email, Now()
        token.approved_account = wanted.service_account.name
        token.approved_role = wanted.service_account.grafana_role
        needs_approval = False
    why = wanted.change_reason or wanted.reason
    if needs_approval:
        work.create(token, moves.REQUEST_APPROVAL, reason=why)
    elif not wanted.public_key:
        work.create(token, moves.REQUEST_FOR_RECIPIENT, reason=why)
    else:
        # Only what is made now is sealed to this key pair: it may be lost before people answer.
        token.public_key = wanted.public_key
        work.create(token, moves.REQUEST, reason=why)
    if token.approved_by:
        work.record(Action.TOKEN_APPROVED, token=token, reason=why)
    return token


def name_is_taken(name: str) -> str:
    """The sentence for a name that is in use in its workspace."""
    return f"The name “{name}” is in use in this workspace. Choose another."


def free_name(workspace_id: int, taken: str) -> str:
    """A name like one that is taken, with the next number; empty where none of these is free."""
    base, _, number = taken.rpartition("-")
    if not (base and number.isascii() and number.isdigit() and len(number) < 4):
        base, number = taken, "1"
    for next_number in range(int(number) + 1, int(number) + 20):
        suffix = f"-{next_number}"
        name = base[: LONGEST_TOKEN_NAME - len(suffix)] + suffix
        if not Token.objects.holding_name(workspace_id, name).exists():
            return name
    return ""


def check(wanted: TokenRequest, owner: User) -> Entitlement:
    """The grant by which the request may be taken; raises RequestRefusedError."""
    account = wanted.service_account
    entitlement = policy.entitlement_for(owner, wanted.team, account)
    if entitlement is None:
        suspended = policy.suspension(owner, account.workspace.aws_id, account.aws_id)
        raise RequestRefusedError(
            "service_account", suspended or "Your team has no grant for this account."
        )
    limits = entitlement.limits
    if account.obstacle:
        raise RequestRefusedError("service_account", account.obstacle)
    if wanted.seconds_to_live > limits.max_ttl:
        raise RequestRefusedError(
            "seconds_to_live",
            f"Your team may ask for at most {in_words(limits.max_ttl)} for this account.",
        )
    if limits.reason_required and not wanted.reason:
        raise RequestRefusedError("reason", "Say what the token is for: your team's policy asks.")
    return entitlement


def _sent_before(wanted: TokenRequest, owner: User, *, but: Token | None = None) -> Token | None:
    """The row of the same request, sent before ``but``."""
    same = (
        wanted.team.pk,
        wanted.service_account.pk,
        wanted.reason,
        sealing.public_key_sha256(wanted.public_key),
        wanted.replaces.pk if wanted.replaces else None,
    )
    for token in Token.objects.named(owner.pk, wanted.name):
        asked = (
            token.team_id,
            token.service_account_id,
            token.reason,
            token.public_key_sha256,
            token.replaces_id,
        )
        shorter = token.seconds_to_live - wanted.seconds_to_live
        if asked == same and shorter in SENT_AGAIN[wanted.says_until] and token != but:
            return token
    return None
