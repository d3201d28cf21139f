"""A row of AMG's list of tokens that can't be read never makes a token look gone."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from django.utils import timezone

from portal.flows.prune import prune
from portal.flows.recover import settle
from portal.flows.take_inventory import take_inventory
from portal.grafana import clients
from portal.models import Drift, ListedToken, State, Token, User
from tests.conftest import Catalog
from tests.grafana.scripted_server import ScriptedServer, answer

pytest_plugins = ["tests.grafana.client_fixtures"]
pytestmark = pytest.mark.django_db

LONG_AGO = timedelta(hours=3)


@pytest.fixture
def aws(
    aws_environment: pytest.MonkeyPatch, scripted_server: ScriptedServer
) -> Iterator[ScriptedServer]:
    aws_environment.setenv("AWS_ENDPOINT_URL_GRAFANA", scripted_server.url)
    aws_environment.setenv("NO_PROXY", "127.0.0.1")
    clients.forget_clients()
    yield scripted_server
    clients.forget_clients()


@pytest.fixture
def catalog(rows: Catalog) -> Catalog:
    """No sandbox is asked here."""
    return rows


def unreadable(**members: Any) -> dict[str, Any]:
    return {"id": "99", "name": "theirs", "createdAt": "soon", "expiresAt": "later", **members}


def lists(aws: ScriptedServer, *tokens: dict[str, Any]) -> None:
    date = {"Date": format_datetime(timezone.now(), usegmt=True)}
    aws.script(answer(200, {"serviceAccountTokens": list(tokens)}, headers=date))


@pytest.fixture
def unresolved(make_token: Callable[..., Token], engineer: User) -> Token:
    """A failed request whose last attempt had an unknown outcome, long enough ago to settle."""
    return make_token(
        engineer,
        state=State.FAILED,
        unresolved_since=timezone.now() - LONG_AGO,
        last_signature_at=timezone.now() - LONG_AGO,
        may_exist_at_aws=True,
    )


def test_recovery_goes_on_beside_somebody_s_unreadable_token(
    aws: ScriptedServer, unresolved: Token
) -> None:
    lists(aws, unreadable())
    settle(unresolved.pk)
    unresolved.refresh_from_db()
    assert unresolved.unresolved_since is None


@pytest.mark.parametrize("name", ["ours", None])
def test_recovery_waits_while_an_unreadable_token_may_be_its_own(
    aws: ScriptedServer, unresolved: Token, name: str | None
) -> None:
    lists(aws, unreadable(name=unresolved.name if name else None))
    settle(unresolved.pk)
    unresolved.refresh_from_db()
    assert unresolved.unresolved_since is not None
    assert len(aws.requests) == 1, "and nothing is deleted"


@pytest.fixture
def expired(make_token: Callable[..., Token], engineer: User) -> Token:
    return make_token(
        engineer,
        state=State.EXPIRED,
        aws_token_id="7",
        expires_at=timezone.now() - LONG_AGO,
        may_exist_at_aws=True,
    )


@pytest.mark.parametrize(("aws_id", "gone"), [("7", 0), (None, 0), ("99", 1)])
def test_what_cannot_be_read_is_not_taken_for_pruned(
    aws: ScriptedServer, expired: Token, aws_id: str | None, gone: int
) -> None:
    lists(aws, unreadable(id=aws_id))
    assert prune(expired.service_account_id) == gone
    expired.refresh_from_db()
    assert (expired.deleted_at is not None) == bool(gone)


@pytest.fixture
def active(make_token: Callable[..., Token], engineer: User) -> Token:
    return make_token(
        engineer,
        state=State.ACTIVE,
        aws_token_id="7",
        sealed_at=timezone.now() - LONG_AGO,
        issued_at=timezone.now() - LONG_AGO,
        expires_at=timezone.now() + LONG_AGO,
    )


@pytest.mark.parametrize(("aws_id", "vanished"), [("7", False), (None, False), ("99", True)])
def test_what_cannot_be_read_is_not_missed(
    aws: ScriptedServer, active: Token, aws_id: str | None, vanished: bool
) -> None:
    lists(aws, unreadable(id=aws_id))
    assert not take_inventory(active.service_account_id), "the list was not whole"
    assert ListedToken.objects.filter(drift=Drift.VANISHED).exists() == vanished
    active.service_account.refresh_from_db()
    assert active.service_account.listed_at is None, "the page says that there is no whole list"


@pytest.mark.parametrize("aws_id", ["99", None])
def test_what_was_found_once_is_not_found_again_after_it_could_not_be_read(
    aws: ScriptedServer, active: Token, aws_id: str | None
) -> None:
    ours = {"id": "7", "name": active.name, "createdAt": 1, "expiresAt": 4_000_000_000}
    theirs = {"id": "99", "name": "theirs", "createdAt": 1, "expiresAt": 4_000_000_000}
    lists(aws, ours, theirs)
    assert take_inventory(active.service_account_id)
    found = ListedToken.objects.get(drift=Drift.FOREIGN)
    lists(aws, ours, unreadable(id=aws_id))
    assert not take_inventory(active.service_account_id)
    again = ListedToken.objects.get(drift=Drift.FOREIGN)
    assert (again.pk, again.found_at) == (found.pk, found.found_at)
