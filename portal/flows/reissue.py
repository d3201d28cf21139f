"""Somebody asks for a token in the place of another: the old one ends at once, or after an overlap.

A reissue is a request like any other: the same policy, and the same rule of who approves it.
"""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.db import IntegrityError, transaction

from portal import life, policy, sealing
from portal.amg import LONGEST_TOKEN_NAME
from portal.audit import Actor
from portal.flows.request import Requested, RequestRefusedError, TokenRequest, check, insert
from portal.life import Work, WrongStateError, moves
from portal.lifetimes import in_words
from portal.models import Action, NoticeKind, State, Token, TokenPlace, User
from portal.models.states import AWAITING_PEOPLE
from portal.policy import Entitlement
from portal.text import without_unseen

MOST_NAMES = 100
"""Names that are tried before giving up."""
SHORTEST_OVERLAP = 60
"""Seconds; the longest is the team's policy's to say."""

REISSUED = "renewed or replaced"


class AlreadyReplacedError(WrongStateError):
    """Another token takes this one's place already."""

    def __init__(self, token: Token, replacement: Token) -> None:
        super().__init__(token, REISSUED)
        self.replacement = replacement


@dataclass(frozen=True, slots=True)
class ReissueTerms:
    """How a token is to be replaced; times in seconds.

    ``overlap_seconds`` is how long the old one works on once the new key was delivered; None ends
    it at once. ``for_me`` says who gets the new key: the person who asks, or the old one's owner.
    """

    overlap_seconds: int | None
    for_me: bool
    seconds_to_live: int
    reason: str
    public_key: bytes
    quiet_seconds: int | None = None
    """After the overlap the old one is held until Grafana has seen no use of it for so long, at
    most for the team's longest overlap; None: it is not held."""


def reissue(token_id: uuid.UUID, terms: ReissueTerms, *, actor: Actor) -> Requested:
    """Write the request for the new token, and end the old one if it is to end at once.

    The same terms sent twice are one reissue. Raises PermissionDenied,
    life.WrongStateError, AlreadyReplacedError, or RequestRefusedError.
    """
    with life.work(actor) as work:
        # Rights, state and recipient are those of the row as it is locked: somebody may just have
        # handed it over.
        old = work.lock(token_id)
        asker = policy.require(policy.may_reissue, actor.user, old)
        recipient = asker if terms.for_me else old.owner
        if recipient != asker:
            # The key is for another person's browser, whatever this one has sent.
            terms = replace(terms, public_key=b"")
        earlier = _sent_before(old, terms, recipient, asker)
        if earlier is not None:
            return Requested(earlier, is_new=False, effects=work.effects)
        require_replaceable(old)
        if terms.overlap_seconds is not None and old.state != State.ACTIVE:
            raise RequestRefusedError("mode", "Nobody has taken its key yet: replace it now.")
        limits = policy.limits_for(recipient, old.team, old.service_account)
        if limits is None:
            raise RequestRefusedError(
                "recipient", f"{recipient.email} may not have tokens for this account (any more)."
            )
        if terms.overlap_seconds is not None and terms.overlap_seconds > limits.max_overlap:
            raise RequestRefusedError("overlap_seconds", overlap_limit(limits.max_overlap))
        if terms.quiet_seconds is not None and terms.overlap_seconds is None:
            raise RequestRefusedError("quiet_seconds", "What ends at once is not held.")
        wanted = TokenRequest(
            team=old.team,
            service_account=old.service_account,
            name="",
            seconds_to_live=terms.seconds_to_live,
            reason=old.reason or terms.reason,
            change_reason=terms.reason,
            public_key=terms.public_key,
            recipient=recipient,
            replaces=old,
            overlap_seconds=terms.overlap_seconds,
            quiet_seconds=terms.quiet_seconds,
        )
        token = _insert_under_next_name(work, wanted, check(wanted, recipient), old)
        _carry_out(work, old, token, terms)
        _keep_places(old, token)
    return Requested(token, is_new=True, effects=work.effects)


def overlap_limit(longest: int) -> str:
    """What overlaps the team's policy allows, in words for people; ``longest`` in seconds."""
    if longest < SHORTEST_OVERLAP:
        return "Your team's policy allows no overlap for this account: replace the token now."
    shortest, most = in_words(SHORTEST_OVERLAP), in_words(longest)
    return (
        f"An overlap is {shortest} to {most}: your team's policy allows no more for this account."
    )


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
        name = base[: LONGEST_TOKEN_NAME - len(suffix)] + suffix
        if not Token.objects.holding_name(old.workspace_id, name).exists():
            yield name


def require_replaceable(old: Token) -> None:
    """Raise AlreadyReplacedError or WrongStateError where nothing can take its place."""
    moves.BEGIN_REVOCATION.require(old, REISSUED)
    replacement = Token.objects.replacements_of(old).for_pages().first()
    if replacement is not None:
        raise AlreadyReplacedError(old, replacement)


def _insert_under_next_name(
    work: Work, wanted: TokenRequest, entitlement: Entitlement, old: Token
) -> Token:
    for name in _free_names(old):
        try:
            with transaction.atomic():
                return insert(work, replace(wanted, name=name), entitlement)
        except IntegrityError:
            continue  # somebody has just taken the name
    raise RequestRefusedError("name", "Every name that comes next is in use in this workspace.")


def _carry_out(work: Work, old: Token, token: Token, terms: ReissueTerms) -> None:
    """What the reissue means for the old token and its owner."""
    is_at_once = terms.overlap_seconds is None
    collects = token.state == State.AWAITING_RECIPIENT and token.owner != work.actor.user
    if collects:
        work.tell(NoticeKind.REISSUED, token, to=[token.owner], reason=terms.reason)
    if is_at_once:
        # One mail is enough for an owner who is told to collect the new one.
        work.move(
            old,
            moves.BEGIN_REVOCATION,
            reason=terms.reason or f"Replaced by {token.name}.",
            to=() if collects else None,
        )
    how = "at once" if is_at_once else f"overlap of {terms.overlap_seconds} s"
    if terms.quiet_seconds is not None:
        how += f", then until quiet for {terms.quiet_seconds} s"
    work.record(
        Action.TOKEN_REISSUED,
        token=old,
        reason=terms.reason,
        subject=f"{token.name} ({token.pk}) for {token.owner.email}, {how}",
    )


def _keep_places(old: Token, token: Token) -> None:
    """Where the old key lies, or should have got to lie, is where the new one has to be put."""
    TokenPlace.objects.bulk_create(
        TokenPlace(token=token, team=token.team, text=one.text, by=one.by, is_due=True)
        for one in old.places.select_related("by")
    )


def _sent_before(old: Token, terms: ReissueTerms, recipient: User, asker: User) -> Token | None:
    """The reissue that this one repeats: by its key pair, or while its recipient has not come."""
    same = Token.objects.filter(
        replaces=old,
        owner=recipient,
        asked_by="" if recipient == asker else asker.email,
        overlap_seconds=terms.overlap_seconds,
        quiet_seconds=terms.quiet_seconds,
        seconds_to_live=terms.seconds_to_live,
    )
    if terms.public_key:
        same = same.filter(public_key_sha256=sealing.public_key_sha256(terms.public_key))
    else:
        same = same.filter(state__in=AWAITING_PEOPLE)
    return same.first()
