"""What people do at any time: ask, answer, collect, take a key, replace, end, and lose access."""

import base64
import contextlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import pytest
from django.core.exceptions import PermissionDenied
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from portal import sealing
from portal.audit import Actor
from portal.flows.approve import approve, deny
from portal.flows.collect import collect
from portal.flows.deliver import Confirmation, deliver
from portal.flows.end_access import end_access
from portal.flows.reissue import ReissueTerms, reissue
from portal.flows.request import RequestRefusedError, TokenRequest, request
from portal.flows.revoke import cancel, revoke
from portal.life import WrongStateError
from portal.models import Approval, Grant, Membership, State, Team, Token, User
from portal.policy import UNDELIVERED
from tests.conftest import Catalog, acting
from tests.person import KeyPair
from tests.reliability.world import Killed, Message, Moment, World

LIFETIMES = (300, 3600)
RECENT = st.integers(0, 2)
NEVER_OPENED = "0" * 64
"""The fingerprint of no key."""


@dataclass(frozen=True, slots=True)
class Cast:
    """An engineer, who asks; the only lead of the team; an admin. They share one key pair."""

    engineer: User
    lead: User
    admin: User
    team: Team
    catalog: Catalog
    keys: KeyPair

    @property
    def public_key(self) -> bytes:
        return base64.b64decode(self.keys.public)


def some_wait(*states: State) -> Callable[["People"], bool]:
    return lambda self: Token.objects.filter(pk__in=self.tokens, state__in=states).exists()


class People(RuleBasedStateMachine):
    """Requests for one service account, and whatever people do about them."""

    def __init__(self, world: World, people: Cast) -> None:
        super().__init__()
        self.world = world
        self.people = people
        self.tokens: list[uuid.UUID] = []
        self.wanted: dict[uuid.UUID, int] = {}
        """By request: the lifetime that was asked for."""
        self.opened: dict[uuid.UUID, set[str]] = {}
        """By request: the fingerprint of every key that its browser has opened."""

    # -- Asking -----------------------------------------------------------------------------------

    @rule(seconds_to_live=st.sampled_from(LIFETIMES))
    def somebody_asks(self, seconds_to_live: int) -> None:
        self._ask(f"ci-{len(self.tokens) + 1}", min(seconds_to_live, self._longest()))

    def _ask(self, name: str, seconds_to_live: int) -> None:
        """Refused while the name is held, or the limit is reached, or they have no access."""
        people = self.people
        wish = TokenRequest(
            people.team, people.catalog.deployer, name, seconds_to_live, "", people.public_key
        )
        with contextlib.suppress(RequestRefusedError):
            token, is_new, _ = request(wish, actor=acting(people.engineer))
            if is_new:
                self._has_asked(token)

    def _has_asked(self, token: Token) -> None:
        self.tokens.append(token.pk)
        self.wanted[token.pk] = token.seconds_to_live
        if token.state == State.QUEUED:
            self.world.broker.append(Message("issue", token.pk))

    def _longest(self) -> int:
        return Grant.objects.filter(team=self.people.team).values_list("max_ttl", flat=True)[0]

    # -- Answering and collecting -----------------------------------------------------------------

    @precondition(some_wait(State.AWAITING_APPROVAL))
    @rule(back=RECENT, answer=st.sampled_from(("agree", "agree", "to less", "deny")))
    def somebody_answers(self, back: int, answer: str) -> None:
        token = self._one_of([State.AWAITING_APPROVAL], back)
        people = self.people
        # The only lead's own request is the admin's to answer.
        actor = acting(people.admin if token.owner == people.lead else people.lead)
        for nobody in {token.owner, people.engineer}:
            with pytest.raises(PermissionDenied):
                approve(token.pk, actor=acting(nobody))
        if answer == "deny":
            deny(token.pk, actor=actor, reason="no")
        else:
            approve(token.pk, actor=actor, seconds_to_live=100 if answer == "to less" else None)

    @precondition(some_wait(State.AWAITING_RECIPIENT))
    @rule(back=RECENT, killed=st.booleans(), twice=st.booleans())
    def the_recipient_collects(self, back: int, killed: bool, twice: bool) -> None:
        token = self._one_of([State.AWAITING_RECIPIENT], back)
        key = self.people.public_key
        with pytest.raises(PermissionDenied):
            collect(token.pk, key, actor=acting(self.people.admin))
        click = partial(collect, token.pk, key, actor=acting(token.owner))
        collected = self.world.run(click, Moment.BEFORE_COMMIT if killed else None, die)
        if collected is not None and collected.state == State.QUEUED:
            self.world.broker.append(Message("issue", token.pk))
            assert not twice or click().state == State.QUEUED

    def _one_of(self, states: Sequence[State], back: int) -> Token:
        """One of the last requests in such a state; the last one, if ``back`` is 0."""
        rows = list(Token.objects.for_pages().filter(state__in=states).order_by("created_at"))
        return rows[-1 - back % len(rows)]

    @precondition(lambda self: self.tokens)
    @rule(back=RECENT)
    def all_goes_well_for_once(self, back: int) -> None:
        """Else few keys would ever be taken: there is so much that can come in between."""
        if some_wait(State.AWAITING_APPROVAL)(self):
            self.somebody_answers(back, "agree")
        if some_wait(State.AWAITING_RECIPIENT)(self):
            self.the_recipient_collects(back, killed=False, twice=False)
        self.world.sweep()
        self.world.work_all()
        self.the_page_opens_the_key(back, "at once")

    # -- Taking the key ---------------------------------------------------------------------------

    @precondition(lambda self: self.tokens)
    @rule(back=RECENT, confirms=st.sampled_from(("at once", "later", "killed")))
    def the_page_opens_the_key(self, back: int, confirms: str) -> None:
        token = self._token(back)
        row = Token.objects.get(pk=token)
        if row.sealed_key is not None:
            sealed = base64.b64encode(row.sealed_key).decode()
            key = self.people.keys.open(sealed, str(token))
            self.opened.setdefault(token, set()).add(sealing.fingerprint(key))
        if confirms != "later":
            self.the_page_confirms(back, killed=confirms == "killed")

    @precondition(lambda self: self.tokens)
    @rule(back=RECENT, killed=st.booleans())
    def the_page_confirms(self, back: int, killed: bool) -> None:
        token = self._token(back)
        for fingerprint in self.opened.get(token, {NEVER_OPENED}):
            answer = self.world.run(
                partial(deliver, token, fingerprint, actor=self._owner_of(token)),
                Moment.BEFORE_COMMIT if killed else None,
                die,
            )
            if answer is not None and answer.confirmation == Confirmation.DELIVERED:
                assert fingerprint != NEVER_OPENED
                assert Token.objects.get(pk=token).delivered_at is not None

    # -- Replacing and ending ---------------------------------------------------------------------

    @precondition(some_wait(State.SEALED, State.ACTIVE))
    @rule(
        back=RECENT,
        by_lead=st.booleans(),
        for_me=st.booleans(),
        overlap=st.sampled_from((None, 60, 1000)),
        killed=st.booleans(),
    )
    def somebody_reissues(
        self, back: int, by_lead: bool, for_me: bool, overlap: int | None, killed: bool
    ) -> None:
        old = self._one_of([State.SEALED, State.ACTIVE], back).pk
        plan = ReissueTerms(overlap, for_me, min(300, self._longest()), "", self.people.public_key)
        actor = acting(self.people.lead) if by_lead else self._owner_of(old)
        with contextlib.suppress(WrongStateError, RequestRefusedError):
            came = self.world.run(
                partial(reissue, old, plan, actor=actor),
                Moment.BEFORE_COMMIT if killed else None,
                die,
            )
            if came is None or not came.is_new:
                return
            self._has_asked(came.token)
            if overlap is None:
                self.world.broker.append(Message("revoke", old))

    @precondition(some_wait(State.ACTIVE))
    @rule(back=RECENT, by_lead=st.booleans(), for_me=st.booleans())
    def a_token_is_rotated(self, back: int, by_lead: bool, for_me: bool) -> None:
        """And the new key is taken, unless something that was ordered before comes in between."""
        self.somebody_reissues(back, by_lead, for_me, 60, killed=False)
        self.all_goes_well_for_once(0)

    @precondition(lambda self: self.tokens)
    @rule(back=RECENT)
    def the_owner_ends_it(self, back: int) -> None:
        self._end(self._token(back))

    def _end(self, token: uuid.UUID) -> None:
        """Withdraw the request while it is one, and revoke the token after that."""
        try:
            revoke(token, actor=self._owner_of(token), reason="not needed")
            self.world.broker.append(Message("revoke", token))
        except WrongStateError:
            with contextlib.suppress(WrongStateError):
                cancel(token, actor=self._owner_of(token))

    def _token(self, back: int) -> uuid.UUID:
        """One of the last requests; the last one, if ``back`` is 0."""
        return self.tokens[-1 - back % len(self.tokens)]

    def _owner_of(self, token: uuid.UUID) -> Actor:
        return acting(Token.objects.for_pages().get(pk=token).owner)

    # -- Who may, and how much --------------------------------------------------------------------

    @rule(max_ttl=st.sampled_from((86_400, 120)), approval=st.sampled_from(Approval))
    def the_grant_changes(self, max_ttl: int, approval: Approval) -> None:
        Grant.objects.update(max_ttl=max_ttl, approval=approval)

    def the_engineer_leaves_the_team(self) -> None:
        """And comes back: what was not delivered is over by then."""
        engineer = self.people.engineer
        Membership.objects.filter(user=engineer).delete()
        ended = end_access()
        self.world.broker += [Message("revoke", token) for token in ended.revoke]
        theirs = Token.objects.filter(owner=engineer, state__in=UNDELIVERED)
        assert not theirs.exclude(cancel_requested=True).exists()
        Membership.objects.create(user=engineer, team=self.people.team)


def die() -> None:
    raise Killed
