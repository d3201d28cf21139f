"""The connection to PostgreSQL is cut while something is being written: at every kind of place.

Before the statement, after the server has done it, and around the commit, whose outcome nobody
knows then. Collected on the production stack alone (conftest.py).
"""

import base64
import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection

from portal import sealing
from portal.flows.deliver import Confirmation, deliver
from portal.flows.issue import issue
from portal.flows.request import TokenRequest, request
from portal.flows.revoke import delete_at_aws, revoke
from portal.life import WrongStateError
from portal.models import Action, State, Token, User
from tests.conftest import Catalog, acting
from tests.grafana.sandbox_process import SandboxProcess
from tests.person import KeyPair
from tests.reliability.legal_order import actions, since_the_request
from tests.reliability.proxy import Proxy
from tests.reliability.troubles import CREATE
from tests.reliability.world import Moment, World

BROKEN = (OperationalError, InterfaceError)

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_waiting", "catalog"),
]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a transaction that writes ``text`` is cut."""

    name: str
    answered: bool
    then: tuple[str, ...] = ()

    def order(self, proxy: Proxy, text: str) -> None:
        order = proxy.cut_after if self.answered else proxy.cut_before
        order(text, *self.then)


EVENT = "INSERT INTO portal_auditevent"
PLACES = (
    Place("before the update", answered=False),
    Place("before the event", answered=False, then=(EVENT,)),
    Place("before the commit", answered=False, then=("COMMIT",)),
    Place("after the commit", answered=True, then=("COMMIT",)),
)
WITHOUT_EVENT = [place for place in PLACES if EVENT not in place.then]
everywhere = pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)


@pytest.fixture
def proxy(transactional_db: None, token: Token) -> Iterator[Proxy]:
    """What this process writes goes through the proxy from here on."""
    server = connection.settings_dict["PORT"]
    with Proxy(int(server)) as proxy:
        _connect_to(proxy.port)
        yield proxy
        _connect_to(server)


def _connect_to(port: Any) -> None:
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's alone has it
    connection.settings_dict["PORT"] = port


def is_cut(act: Callable[[], object]) -> bool:
    """Whether it failed for the connection's sake; the next statement gets a new connection."""
    try:
        act()
    except BROKEN:
        connection.close()
        return True
    return False


def opens(token: Token, keys: KeyPair) -> bool:
    """Whether the row's ciphertext holds the key that its fingerprint is of."""
    assert token.sealed_key is not None
    key = keys.open(base64.b64encode(token.sealed_key).decode(), str(token.pk))
    return sealing.fingerprint(key) == token.fingerprint


def one_live_token_of(token: Token, aws: SandboxProcess) -> bool:
    return [str(one["id"]) for one in aws.live_tokens()] == [token.aws_token_id]


def after_the_lease(world: World, token: Token) -> None:
    world.pass_time(46)
    world.sweep()
    world.work_all()
    token.refresh_from_db()


@pytest.mark.parametrize("answered", [False, True], ids=["unheard", "unanswered"])
def test_cut_at_the_claim_nothing_was_asked_of_aws_and_the_next_attempt_has_the_key(
    proxy: Proxy, world: World, token: Token, keys: KeyPair, answered: bool
) -> None:
    Place("claim", answered).order(proxy, "'issuing'")
    assert is_cut(lambda: issue(token.pk))
    assert world.aws.calls(CREATE) == []
    token.refresh_from_db()
    assert token.state == (State.ISSUING if answered else State.QUEUED)
    after_the_lease(world, token)
    assert token.state == State.SEALED
    assert opens(token, keys)
    assert one_live_token_of(token, world.aws)
    assert since_the_request(token) == [Action.TOKEN_ISSUED]


@everywhere
def test_cut_while_the_key_is_stored_it_is_stored_once(
    proxy: Proxy, world: World, token: Token, keys: KeyPair, place: Place
) -> None:
    place.order(proxy, "'sealed'")
    assert issue(token.pk)
    assert proxy.cut is None
    token.refresh_from_db()
    assert token.state == State.SEALED
    assert opens(token, keys)
    assert one_live_token_of(token, world.aws)
    assert since_the_request(token) == [Action.TOKEN_ISSUED]
    assert len(world.aws.calls(CREATE)) == 1


@everywhere
def test_cut_while_a_refusal_is_stored_it_fails_once(
    proxy: Proxy, world: World, token: Token, place: Place
) -> None:
    world.aws.fault("error", "before", operation=CREATE, status=403, type="AccessDeniedException")
    place.order(proxy, "'failed'")
    assert issue(token.pk)
    assert proxy.cut is None
    token.refresh_from_db()
    assert (token.state, token.may_exist_at_aws) == (State.FAILED, False)
    assert since_the_request(token) == [Action.TOKEN_FAILED]


@pytest.mark.parametrize("place", WITHOUT_EVENT, ids=lambda place: place.name)
def test_cut_while_an_unknown_outcome_is_stored_it_stays_unknown(
    proxy: Proxy, world: World, token: Token, keys: KeyPair, place: Place
) -> None:
    world.aws.fault("drop", "after", operation=CREATE)
    place.order(proxy, "SET \"state\" = 'queued'")
    assert issue(token.pk)
    assert proxy.cut is None
    token.refresh_from_db()
    assert token.state == State.QUEUED
    assert token.unresolved_since is not None
    after_the_lease(world, token)
    assert opens(token, keys)
    assert one_live_token_of(token, world.aws)
    assert since_the_request(token) == [Action.TOKEN_ORPHAN_REMOVED, Action.TOKEN_ISSUED]


@everywhere
def test_cut_while_an_orphan_is_removed_it_is_recorded_once(
    proxy: Proxy, world: World, token: Token, keys: KeyPair, place: Place
) -> None:
    world.aws.fault("drop", "after", operation=CREATE)
    assert issue(token.pk)
    Token.objects.update(not_before=None)
    place.order(proxy, "\"orphan_id\" = ''")
    assert is_cut(lambda: issue(token.pk))
    assert proxy.cut is None
    after_the_lease(world, token)
    assert opens(token, keys)
    assert one_live_token_of(token, world.aws)
    assert since_the_request(token) == [Action.TOKEN_ORPHAN_REMOVED, Action.TOKEN_ISSUED]


def test_a_database_that_is_away_for_a_moment_costs_that_moment(
    proxy: Proxy, world: World, token: Token, keys: KeyPair
) -> None:
    back = threading.Timer(0.5, setattr, (proxy, "is_away", False))

    def goes_away_for_a_moment() -> None:
        proxy.go_away()
        back.start()

    world.run(lambda: issue(token.pk), Moment.AFTER_CREATE, goes_away_for_a_moment)
    back.join()
    token.refresh_from_db()
    assert token.state == State.SEALED
    assert opens(token, keys)
    assert one_live_token_of(token, world.aws)
    assert since_the_request(token) == [Action.TOKEN_ISSUED]


def test_a_database_that_stays_away_leaves_the_rest_to_recovery(
    proxy: Proxy, world: World, token: Token, keys: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.flows.attempt.TIME_TO_STORE", 0.0)
    assert is_cut(lambda: world.run(lambda: issue(token.pk), Moment.AFTER_CREATE, proxy.go_away))
    proxy.is_away = False
    after_the_lease(world, token)
    assert opens(token, keys)
    assert one_live_token_of(token, world.aws)
    assert since_the_request(token) == [Action.TOKEN_ORPHAN_REMOVED, Action.TOKEN_ISSUED]


@everywhere
def test_cut_while_it_is_delivered_the_page_confirms_again(
    proxy: Proxy, world: World, token: Token, engineer: User, place: Place
) -> None:
    issue(token.pk)
    token.refresh_from_db()
    confirm = partial(deliver, token.pk, token.fingerprint, actor=acting(engineer))
    place.order(proxy, "'active'")
    assert is_cut(confirm)
    assert proxy.cut is None
    token.refresh_from_db()
    assert (token.sealed_key is None) == (token.state == State.ACTIVE)
    assert confirm().confirmation == Confirmation.DELIVERED
    token.refresh_from_db()
    assert (token.state, token.sealed_key) == (State.ACTIVE, None)
    assert since_the_request(token) == [Action.TOKEN_ISSUED, Action.TOKEN_DELIVERED]


@everywhere
def test_cut_while_it_is_revoked_the_owner_asks_again_or_finds_it_done(
    proxy: Proxy, world: World, token: Token, engineer: User, place: Place
) -> None:
    issue(token.pk)
    end = partial(revoke, token.pk, actor=acting(engineer), reason="leaked")
    place.order(proxy, "'revoking'")
    assert is_cut(end)
    assert proxy.cut is None
    with contextlib.suppress(WrongStateError):
        end()
    after_the_lease(world, token)
    assert token.state == State.REVOKED
    assert world.aws.live_tokens() == []
    assert since_the_request(token)[1:] == [Action.TOKEN_REVOKE_REQUESTED, Action.TOKEN_REVOKED]


@everywhere
def test_cut_while_a_deletion_is_stored_it_is_deleted_again_and_recorded_once(
    proxy: Proxy, world: World, token: Token, engineer: User, place: Place
) -> None:
    issue(token.pk)
    revoke(token.pk, actor=acting(engineer))
    place.order(proxy, "'revoked'")
    assert is_cut(lambda: delete_at_aws(token.pk))
    assert proxy.cut is None
    after_the_lease(world, token)
    assert token.state == State.REVOKED
    assert world.aws.live_tokens() == []
    assert since_the_request(token)[1:] == [Action.TOKEN_REVOKE_REQUESTED, Action.TOKEN_REVOKED]


@everywhere
def test_cut_while_it_is_asked_for_the_form_is_sent_again_and_is_one_request(
    proxy: Proxy, world: World, catalog: Catalog, engineer: User, keys: KeyPair, place: Place
) -> None:
    wish = TokenRequest(
        team=engineer.teams.get(),
        service_account=catalog.deployer,
        name="asked-twice",
        seconds_to_live=3600,
        reason="",
        public_key=base64.b64decode(keys.public),
    )
    place.order(proxy, 'INSERT INTO "portal_token"')
    assert is_cut(lambda: request(wish, actor=acting(engineer)))
    assert proxy.cut is None
    token, _, _ = request(wish, actor=acting(engineer))
    assert Token.objects.get(name="asked-twice") == token
    assert actions(token) == [Action.TOKEN_REQUESTED]
