"""Somebody asks for a token in the place of another: the old one ends at once, or after an overlap.

A reissue is a request like any other: the same policy, and the same rule of who approves it.
"""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.db import IntegrityError, transaction

from portal import audit, notify, policy, sealing
from portal.audit import Actor
from portal.flows.request import RequestRefusedError, Wish, check, insert, tell_of
from portal.flows.revoke import stop
from portal.models import Action, NoticeKind, State, Token, User
from portal.models.states import AWAITING_PEOPLE
from portal.policy import Choice
from portal.text import without_unseen

LONGEST_NAME = 128
MOST_NAMES = 100
"""Names that are tried before giving up."""
SHORTEST_OVERLAP, LONGEST_OVERLAP = 60, 2_592_000
"""Seconds."""


class AlreadyReplacedError(policy.WrongStateError):
    """Another token takes this one's place already."""

    def __init__(self, token: Token, replacement: Token) -> None:
        super().__init__(token)
        self.replacement = replacement


@dataclass(frozen=True, slots=True)
class Plan:
    """How a token is to be replaced; times in seconds.

    ``overlap_seconds`` is how long the old one works on once the new key was delivered; None ends
    it at once. ``for_me`` says who gets the new key: the person who asks, or the old one's owner.
    """

    overlap_seconds: int | None
    for_me: bool
    seconds_to_live: int
    reason: str
    public_key: bytes


def reissue(token_id: uuid.UUID, plan: Plan, *, actor: Actor) -> tuple[Token, bool]:
    """Write the request for the new token, and end the old one if it is to end at once.

    Returns the new row, and whether it is new: the same plan sent twice is one reissue. The old
    token's id has to be rung for when it is replaced at once. Raises policy.NotPermittedError,
    policy.WrongStateError, AlreadyReplacedError, or RequestRefusedError.
    """
    old = Token.objects.for_page(token_id)
    asker = actor.user
    if asker is None or not policy.may_reissue(asker, old):
        raise policy.NotPermittedError
    recipient = asker if plan.for_me else old.owner
    if recipient != asker:
        # The key is for another person's browser, whatever this one has sent.
        plan = replace(plan, public_key=b"")
    earlier = _same_plan(old, plan, recipient, asker)
    if earlier is not None:
        return earlier, False
    wish = Wish(
        team=old.team,
        service_account=old.service_account,
        name="",
        seconds_to_live=plan.seconds_to_live,
        reason=plan.reason or old.reason,
        public_key=plan.public_key,
        recipient=recipient,
        replaces=old,
        overlap_seconds=plan.overlap_seconds,
    )
    if policy.choice_for(recipient, old.team, old.service_account) is None:
        raise RequestRefusedError(
            "recipient", f"{recipient.email} may not have tokens for this account (any more)."
        )
    choice = check(wish, recipient)
    try:
        with transaction.atomic():
            old = Token.objects.lock(token_id)
            _check_replaceable(old, plan)
            token = _insert_under_next_name(wish, choice, old, actor)
            _carry_out(old, token, plan, actor)
    except policy.WrongStateError:
        # Only now can a double click be told from somebody else's haste.
        earlier = _same_plan(old, plan, recipient, asker)
        if earlier is None:
            raise
        return earlier, False
    return token, True


def next_name(old: Token) -> str:
    """The name that a token in the place of ``old`` gets, if nobody takes it meanwhile."""
    return next(_free_names(old), "")


def _free_names(old: Token) -> Iterator[str]:
    """The first name of the line with the next numbers, as far as they are free.

    The base is cut so that the whole stays within AMG's 128 characters; what hides in a name of
    before is left out.
    """
    first = old.first_name
    base = without_unseen(first)
    line = Token.objects.filter(workspace=old.workspace_id, lineage_name=first)
    numbers = [
        int(found[1])
        for name in line.values_list("name", flat=True)
        if (found := re.search(r"-([0-9]{1,9})$", name))
    ]
    start = max(numbers, default=1) + 1
    for number in range(start, start + MOST_NAMES):
        suffix = f"-{number}"
        name = base[: LONGEST_NAME - len(suffix)] + suffix
        if not Token.objects.holding_name(old.workspace_id, name).exists():
            yield name


def _check_replaceable(old: Token, plan: Plan) -> None:
    if not policy.is_revocable(old):
        raise policy.WrongStateError(old)
    replacement = Token.objects.replacements_of(old).for_pages().first()
    if replacement is not None:
        raise AlreadyReplacedError(old, replacement)
    if plan.overlap_seconds is not None and old.state != State.ACTIVE:
        raise RequestRefusedError("mode", "Nobody has taken its key yet: replace it now.")


def _insert_under_next_name(wish: Wish, choice: Choice, old: Token, actor: Actor) -> Token:
    for name in _free_names(old):
        try:
            with transaction.atomic():
                return insert(replace(wish, name=name), choice, actor=actor)
        except IntegrityError:
            continue  # somebody has just taken the name
    raise RequestRefusedError("name", "Every name that comes next is in use in this workspace.")


def _carry_out(old: Token, token: Token, plan: Plan, actor: Actor) -> None:
    """What the reissue means for the old token and its owner; all rows first, then the log."""
    is_at_once = plan.overlap_seconds is None
    end_reason = plan.reason or f"Replaced by {token.name}."
    collects = token.state == State.AWAITING_RECIPIENT and token.owner != actor.user
    if is_at_once:
        # One mail is enough for an owner who is told to collect the new one.
        stop(old, actor, end_reason, tells_owner=not collects)
    if collects:
        notify.tell(
            NoticeKind.REISSUED,
            token=token,
            to=[token.owner],
            by=actor.label,
            reason=plan.reason,
        )
    tell_of(token, actor=actor, reason=token.reason)
    if is_at_once:
        audit.record(Action.TOKEN_REVOKE_REQUESTED, actor=actor, token=old, reason=end_reason)
    how = "at once" if is_at_once else f"overlap of {plan.overlap_seconds} s"
    audit.record(
        Action.TOKEN_REISSUED,
        actor=actor,
        token=old,
        reason=plan.reason,
        subject=f"{token.name} ({token.pk}) for {token.owner.email}, {how}",
    )


def _same_plan(old: Token, plan: Plan, recipient: User, asker: User) -> Token | None:
    """The reissue that this one repeats: by its key pair, or while its recipient has not come."""
    same = Token.objects.filter(
        replaces=old,
        owner=recipient,
        asked_by="" if recipient == asker else asker.email,
        overlap_seconds=plan.overlap_seconds,
        seconds_to_live=plan.seconds_to_live,
    )
    if plan.public_key:
        same = same.filter(public_key_sha256=sealing.public_key_sha256(plan.public_key))
    else:
        same = same.filter(state__in=AWAITING_PEOPLE)
    return same.first()
