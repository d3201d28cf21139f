"""What must hold between any two steps, whatever happened, by the rows and by AWS itself."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from portal.flows.recover import SIGNATURE_VALIDITY, orphans_in
from portal.grafana.types import TokenList, TokenSummary
from portal.models import Action, AuditEvent, State, Token
from portal.models.states import LEASE, LIVE
from tests.grafana.sandbox_process import PROD
from tests.reliability.legal_order import fault_in
from tests.reliability.troubles import CREATE
from tests.reliability.world import World

AT_AWS = (*LIVE, State.EXPIRED, State.REVOKED)
"""States of a row whose token may be live: the last two while AWS's clock is behind ours, or AWS
would not delete it."""
LONGEST_BACKOFF = timedelta(seconds=90)
"""Between two attempts (flows/issue.py), when AWS does not ask for more."""
LONGEST_PAUSE = timedelta(seconds=300)
"""Between two tries of a revocation (flows/revoke.py), when AWS does not ask for more."""
SECOND, TICK = timedelta(seconds=1), timedelta(milliseconds=1)
A_MOMENT = timedelta(seconds=2)
OVERLAP_IS_OVER = "It was replaced, and the overlap is over."


@dataclass(slots=True)
class Sight:
    """Everything there is, at one moment."""

    rows: list[Token]
    now: datetime
    aws_now: datetime
    live: dict[str, TokenSummary]
    """Tokens that work, by AWS's id, strangers' left out."""
    strangers: set[str]
    """Ids of the strangers' that work."""
    stories: Mapping[Any, list[str]]

    @classmethod
    def of(cls, world: World, strangers: set[str]) -> "Sight":
        rows = list(Token.objects.for_pages().order_by("created_at"))
        stories: dict[Any, list[str]] = defaultdict(list)
        told = AuditEvent.objects.filter(token_id__in=[row.pk for row in rows]).order_by("seq")
        for token_id, action in told.values_list("token_id", "action"):
            stories[token_id].append(action)
        listed = {
            str(one["id"]): _summary(one)
            for one in world.aws.live_tokens()
            if one["workspace_id"] == PROD
        }
        return cls(
            rows=rows,
            now=Token.objects.database_now(),
            aws_now=datetime.fromtimestamp(world.aws_now(), UTC),
            live={key: one for key, one in listed.items() if key not in strangers},
            strangers=strangers & set(listed),
            stories=stories,
        )


def _summary(token: dict[str, Any]) -> TokenSummary:
    created, expires = (datetime.fromtimestamp(token[name], UTC) for name in ("created", "expires"))
    return TokenSummary(str(token["id"]), token["name"], created, expires, None)


def check(world: World, sight: Sight) -> None:
    """Raise AssertionError unless everything holds."""
    every_live_token_is_somebodys(sight)
    no_key_in_use_was_deleted(sight)
    every_end_is_awss_own(sight)
    what_is_still_under_way_is_remembered(world, sight)
    the_old_token_ends_when_promised(world, sight)
    for row in sight.rows:
        somebody_will_move_it(row, sight.now)
        who_approved_it_is_on_record(row, sight.stories[row.pk])
        the_ciphertext_is_there_only_while_sealed(row)
        assert row.may_exist_at_aws or row.unresolved_since is None, "the name would be given away"
        assert row.orphan_id == "" or row.unresolved_since is not None, "nobody would look again"
        assert not (wrong := fault_in(sight.stories[row.pk], row.state)), wrong


def every_live_token_is_somebodys(sight: Sight) -> None:
    """It stands on one row that will be delivered or deleted, or recovery will find it."""
    holders: dict[str, list[Token]] = defaultdict(list)
    for row in sight.rows:
        if row.aws_token_id:
            holders[row.aws_token_id].append(row)
    assert all(len(rows) == 1 for rows in holders.values()), "two rows hold one token"
    listed = TokenList(tuple(sight.live.values()), answered_at=sight.aws_now, request_id="")
    findable = {
        orphan.id
        for row in sight.rows
        if row.unresolved_since is not None
        for orphan in orphans_in(row, listed, asked_at=sight.now)
    }
    for token in sight.live.values():
        if token.id in holders:
            [row] = holders[token.id]
            assert row.state in AT_AWS, f"token {token.id} lives, and its row is {row.state}"
            assert row.deleted_at is None, f"token {token.id} lives, and its row says it is gone"
        else:
            assert token.id in findable, f"nobody will ever find token {token.id} ({token.name})"


def no_key_in_use_was_deleted(sight: Sight) -> None:
    for row in sight.rows:
        if row.state in (State.SEALED, State.ACTIVE):
            assert row.expires_at is not None
            over = row.expires_at <= sight.aws_now + A_MOMENT
            assert over or row.aws_token_id in sight.live, f"{row.name} was deleted at AWS"


def every_end_is_awss_own(sight: Sight) -> None:
    """But for the fraction of a second that AWS's answers leave out."""
    for row in sight.rows:
        listed = sight.live.get(row.aws_token_id)
        if listed is not None and listed.expires_at is not None:
            assert row.expires_at is not None
            assert -TICK <= listed.expires_at - row.expires_at <= SECOND + TICK


def what_is_still_under_way_is_remembered(world: World, sight: Sight) -> None:
    unresolved = {row.name for row in sight.rows if row.unresolved_since is not None}
    for create in world.held_up:
        if world.may_still_arrive(create) > 0:
            assert create.name in unresolved, f"a create of {create.name} may still take effect"


def somebody_will_move_it(row: Token, now: datetime) -> None:
    """Each open row has a time by which the sweep, or a worker, looks at it again."""
    match row.state:
        case State.AWAITING_APPROVAL | State.AWAITING_RECIPIENT:
            assert bytes(row.public_key) == b""
            assert not row.may_exist_at_aws
        case State.QUEUED:
            assert row.not_before is None or row.not_before <= now + LONGEST_BACKOFF + A_MOMENT
        case State.ISSUING:
            assert row.lease_until is not None
            assert row.lease_until <= now + LEASE + A_MOMENT
        case State.SEALED | State.ACTIVE:
            assert row.expires_at is not None
            assert row.aws_token_id
        case State.REVOKING:
            assert row.aws_token_id
            assert row.not_before is None or row.not_before <= now + LONGEST_PAUSE + A_MOMENT
    if row.unresolved_since is not None:
        assert row.last_signature_at is not None
        if row.not_before is not None and row.state not in (State.QUEUED, State.REVOKING):
            settled_by = max(row.last_signature_at + SIGNATURE_VALIDITY, now + LEASE)
            assert row.not_before <= settled_by + LONGEST_PAUSE + A_MOMENT


def the_old_token_ends_when_promised(world: World, sight: Sight) -> None:
    """At once, with notice, or when the overlap is over that began with the new key; else it is
    left alone.

    It begins by AWS's time once ours is known to be off.
    """
    for row in sight.rows:
        replacements = [one for one in sight.rows if one.replaces_id == row.pk]
        if any(one.overlap_seconds is None for one in replacements):
            assert row.state in (State.REVOKING, State.REVOKED), "it was replaced at once"
        if row.revoke_at is not None:
            assert row.expires_at is not None
            ends = [
                min(one.delivered_at + timedelta(seconds=by + one.overlap_seconds), row.expires_at)
                for one in replacements
                for by in world.were_apart
                if one.delivered_at is not None and one.overlap_seconds is not None
            ]
            if row.notice_ends_at is not None:
                ends.append(row.notice_ends_at)
            assert any(abs(row.revoke_at - end) < A_MOMENT for end in ends)
        if row.end_reason.startswith("Replaced by"):
            assert any(one.overlap_seconds is None for one in replacements), (
                "its overlap is to come"
            )
        if row.end_reason == OVERLAP_IS_OVER:
            assert row.revoke_at is not None
            assert row.revoke_at <= sight.now + A_MOMENT, "too early"


def who_approved_it_is_on_record(row: Token, story: list[str]) -> None:
    """Never its owner; and who has to agree has not done so yet."""
    assert (row.approved_at is not None) == (Action.TOKEN_APPROVED in story)
    assert row.approved_at is None or row.state != State.AWAITING_APPROVAL
    assert row.approved_by != row.owner.email


def the_ciphertext_is_there_only_while_sealed(row: Token) -> None:
    assert (row.sealed_key is not None) == (row.state == State.SEALED)


def ends_about_now(row: Token, sight: Sight) -> bool:
    """Whether its end lies between AWS's clock and ours."""
    first, last = sorted((sight.now, sight.aws_now))
    return row.expires_at is not None and first - A_MOMENT <= row.expires_at <= last + A_MOMENT


def audited_whole(world: World, sight: Sight, strangers: set[str]) -> None:
    """Every token that AWS ever made for a request stands in the audit log, by AWS's id."""
    names = {row.name for row in sight.rows}
    made = {
        call["token_id"]
        for call in world.aws.calls(CREATE)
        if call["effect"] == 200 and call["name"] in names
    }
    told = AuditEvent.objects.filter(token_id__in=[row.pk for row in sight.rows])
    assert made - strangers <= set(told.values_list("aws_token_id", flat=True))
    removed = told.filter(action=Action.TOKEN_ORPHAN_REMOVED)
    ids = list(removed.values_list("aws_token_id", flat=True))
    assert len(ids) == len(set(ids)), "an orphan was removed twice"
