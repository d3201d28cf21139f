"""The ways that a token can go: for each, what there is before, and what is then done."""

import base64
import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from inspect import isfunction

from django.core.exceptions import PermissionDenied
from django.utils import timezone

from portal import tasks
from portal.audit import SYSTEM
from portal.flows.adopt import NotForeignError, adopt
from portal.flows.answer_handover import accept
from portal.flows.approve import approve, deny
from portal.flows.collect import collect
from portal.flows.deliver import deliver
from portal.flows.end_listed import end_listed
from portal.flows.give_notice import give_notice, keep
from portal.flows.hand_over import HandOverRefusedError, hand_over
from portal.flows.reissue import ReissueTerms, reissue
from portal.flows.request import Requested, RequestRefusedError, TokenRequest, request
from portal.flows.revoke import cancel, revoke
from portal.flows.take_inventory import take_inventory
from portal.grafana.client import Client
from portal.life import WrongStateError
from portal.models import Grant, ListedToken, State, Token, User
from tests.conftest import acting, asked_for
from tests.reliability.people import Cast
from tests.reliability.troubles import CREATE
from tests.reliability.world import Message, World

REFUSALS = (
    PermissionDenied,
    WrongStateError,
    RequestRefusedError,
    HandOverRefusedError,
    NotForeignError,
)
"""What people are told where something else came first."""

Act = Callable[[], object]
NO_KEY = b"no public key"


@dataclass(slots=True)
class Ways:
    """Each method prepares a token of its own, and returns what is to be done with it."""

    world: World
    people: Cast
    teammate: User
    make_token: Callable[..., Token]
    _foreign_ids: set[str] = field(default_factory=set)

    @property
    def strangers(self) -> set[str]:
        """AWS's ids of tokens that were made elsewhere, and that nobody has adopted."""
        return self._foreign_ids - set(Token.objects.values_list("aws_token_id", flat=True))

    # -- People ---------------------------------------------------------------------------------

    def a_person_asks(self, number: int) -> Act:
        wanted = TokenRequest(
            self.people.team,
            self.people.catalog.deployer,
            f"asked-{number}",
            3600,
            "",
            self.people.public_key,
        )
        actor = acting(self.people.engineer)
        return lambda: tasks.follow_up(request(wanted, actor=actor).effects)

    def a_lead_agrees(self, number: int) -> Act:
        token = self._waiting()
        actor = acting(self.people.lead)
        return lambda: tasks.follow_up(approve(token.pk, actor=actor, seconds_to_live=600))

    def a_lead_refuses(self, number: int) -> Act:
        token = self._waiting()
        actor = acting(self.people.lead)
        return lambda: tasks.follow_up(deny(token.pk, actor=actor, reason="no"))

    def the_owner_collects(self, number: int) -> Act:
        token = self._waiting()
        approve(token.pk, actor=acting(self.people.lead), seconds_to_live=None)
        actor, key = acting(self.people.engineer), self.people.public_key
        return lambda: tasks.follow_up(collect(token.pk, key, actor=actor).effects)

    def the_owner_withdraws(self, number: int) -> Act:
        token = self._queued()
        return lambda: tasks.follow_up(cancel(token.pk, actor=acting(self.people.engineer)))

    def the_page_confirms(self, number: int) -> Act:
        token = self._sealed()
        actor = acting(self.people.engineer)
        return lambda: tasks.follow_up(deliver(token.pk, token.fingerprint, actor=actor).effects)

    def the_page_confirms_a_rotation(self, number: int) -> Act:
        old = self._active()
        new = self._replace(old, 600)().token
        self._work("issue", new)
        row = Token.objects.get(pk=new.pk)
        actor = acting(self.people.engineer)
        return lambda: tasks.follow_up(deliver(row.pk, row.fingerprint, actor=actor).effects)

    def the_owner_replaces_it(self, number: int) -> Act:
        reissued = self._replace(self._active(), None)
        return lambda: tasks.follow_up(reissued().effects)

    def the_owner_rotates_it(self, number: int) -> Act:
        reissued = self._replace(self._active(), 600)
        return lambda: tasks.follow_up(reissued().effects)

    def the_owner_revokes_it(self, number: int) -> Act:
        token = self._active()
        return lambda: tasks.follow_up(revoke(token.pk, actor=acting(self.people.engineer)))

    def the_owner_gives_notice(self, number: int) -> Act:
        token = self._active()
        actor = acting(self.people.engineer)
        return lambda: tasks.follow_up(give_notice(token.pk, 1800, actor=actor))

    def somebody_keeps_it(self, number: int) -> Act:
        token = self._active()
        give_notice(token.pk, 1800, actor=acting(self.people.lead))
        return lambda: tasks.follow_up(keep(token.pk, actor=acting(self.people.engineer)))

    def a_teammate_accepts_it(self, number: int) -> Act:
        token = self._active()
        hand_over(token.pk, to=self.teammate.email, actor=acting(self.people.engineer))
        return lambda: tasks.follow_up(accept(token.pk, actor=acting(self.teammate)).effects)

    def a_person_loses_access(self, number: int) -> Act:
        """With a request, a sealed key and a token that works."""
        leaver = User.objects.create_user(f"leaver-{number}@example.com", "x" * 20)
        membership = leaver.memberships.create(team=self.people.team)
        for prepare in (self._queued, self._sealed, self._active):
            token = prepare()
            Token.objects.filter(pk=token.pk).update(owner=leaver, recipient=leaver)
        membership.delete()
        return lambda: tasks.end_lost_access(SYSTEM)

    # -- Workers --------------------------------------------------------------------------------

    def a_worker_issues(self, number: int) -> Act:
        token = self._queued()
        return lambda: tasks.issue_token(str(token.pk))

    def a_worker_issues_after_an_unknown_outcome(self, number: int) -> Act:
        token = self._orphaned()
        return lambda: tasks.issue_token(str(token.pk))

    def a_worker_cannot_seal(self, number: int) -> Act:
        digest = hashlib.sha256(NO_KEY).hexdigest()
        token = self._queued(public_key=NO_KEY, public_key_sha256=digest)
        return lambda: tasks.issue_token(str(token.pk))

    def a_worker_meets_a_name_that_is_taken(self, number: int) -> Act:
        token = self._queued()
        self._stranger(token.name)
        return lambda: tasks.issue_token(str(token.pk))

    def a_worker_deletes(self, number: int) -> Act:
        token = self._active()
        revoke(token.pk, actor=acting(self.people.engineer))
        return lambda: tasks.revoke_token(str(token.pk))

    def a_worker_settles(self, number: int) -> Act:
        token = self._orphaned()
        cancel(token.pk, actor=acting(self.people.engineer))
        Token.objects.filter(pk=token.pk).update(not_before=None)
        return lambda: tasks.settle_token(str(token.pk))

    def a_worker_prunes(self, number: int) -> Act:
        """Tokens whose time is over by our clock, and by AWS's."""
        token = self._active()
        self.world.pass_time(3700)
        self.world.sweep()
        return lambda: tasks.prune_account(token.service_account_id)

    # -- The scheduler --------------------------------------------------------------------------

    def the_scheduler_sweeps(self, number: int) -> Act:
        """With something to do in each of its jobs that moves a token."""
        dead, late, unclaimed, over, overlap = (
            self._queued(),
            self._queued(),
            self._sealed(),
            self._active(),
            self._active(),
        )
        past = timezone.now() - timedelta(seconds=1)
        some_time_ago = timezone.now() - timedelta(hours=2)
        tokens = Token.objects
        tokens.filter(pk=dead.pk).update(state=State.ISSUING, lease_until=past, attempt=1)
        tokens.filter(pk=late.pk).update(queued_at=some_time_ago)
        tokens.filter(pk=unclaimed.pk).update(sealed_at=some_time_ago)
        give_notice(overlap.pk, 300, actor=acting(self.people.engineer))
        tokens.filter(pk=overlap.pk).update(revoke_at=past, notice_ends_at=past)
        revoke(over.pk, actor=acting(self.people.engineer))
        return self.world.sweep

    # -- The inventory --------------------------------------------------------------------------

    def an_admin_adopts(self, number: int) -> Act:
        listed = self._foreign(number)
        who = self.people
        return lambda: tasks.follow_up(
            adopt(
                listed.pk, team=who.team, owner=who.engineer, actor=acting(who.admin), reason="ours"
            )[1]
        )

    def an_admin_ends_what_nobody_issued(self, number: int) -> Act:
        listed = self._foreign(number)
        actor = acting(self.people.admin)
        return lambda: tasks.follow_up(end_listed([listed.pk], actor=actor, reason="old").effects)

    def a_worker_deletes_what_nobody_issued(self, number: int) -> Act:
        listed = self._foreign(number)
        end_listed([listed.pk], actor=acting(self.people.admin), reason="old")
        return lambda: tasks.end_listed_token(listed.pk)

    # -- What there is before -------------------------------------------------------------------

    def _waiting(self) -> Token:
        Grant.objects.update(approval="always")
        wanted = TokenRequest(
            self.people.team,
            self.people.catalog.deployer,
            f"waiting-{Token.objects.count()}",
            3600,
            "",
            b"",
        )
        return request(wanted, actor=acting(self.people.engineer)).token

    def _queued(self, **fields: object) -> Token:
        return asked_for(self.make_token(self.people.engineer, **fields))

    def _orphaned(self) -> Token:
        """AWS has made one, and the answer was lost."""
        token = self._queued()
        self.world.aws.fault("drop", "after", operation=CREATE, name=token.name)
        self._work("issue", token)
        Token.objects.filter(pk=token.pk).update(not_before=None)
        return token

    def _sealed(self) -> Token:
        token = self._queued()
        self._work("issue", token)
        token.refresh_from_db()
        assert token.state == State.SEALED, (token.state, token.error_code, token.error_message)
        return token

    def _active(self) -> Token:
        token = self._sealed()
        deliver(token.pk, token.fingerprint, actor=acting(self.people.engineer))
        return token

    def _replace(self, token: Token, overlap: int | None) -> Callable[[], Requested]:
        key = base64.b64decode(self.people.keys.public)
        terms = ReissueTerms(overlap, True, 3600, "", key)
        return lambda: reissue(token.pk, terms, actor=acting(self.people.engineer))

    def _stranger(self, name: str) -> None:
        account = self.people.catalog.deployer
        with contextlib.closing(Client()) as client:
            made = client.create_token(
                account.workspace.aws_id, account.aws_id, name=name, seconds_to_live=80_000
            )
        self._foreign_ids.add(made.id)

    def _foreign(self, number: int) -> ListedToken:
        name = f"foreign-{number}"
        self._stranger(name)
        take_inventory(self.people.catalog.deployer.pk)
        return ListedToken.objects.get(name=name)

    def _work(self, task: str, token: Token) -> None:
        self.world.work(Message(task, token.pk))


WAYS = [name for name, one in vars(Ways).items() if isfunction(one) and name[0] != "_"]
