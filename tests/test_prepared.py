"""Questions made once: they find the same as Django's own would, and are compiled only once."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore as DjangosStore
from django.contrib.sessions.models import Session
from django.db import connection, models, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal import sessions
from portal.models import Team, Token, User
from portal.models.prepared import Prepared
from portal.models.queries import TokenManager, TokenQuerySet
from portal.policy import desk, grants, handover
from portal.policy.usage import _quota
from portal.views import signin
from tests.conftest import Catalog

pytestmark = pytest.mark.django_db

offer: Any = import_module("portal.policy.offer")  # the package has a function of this name
NOBODY = uuid.UUID(int=7)

MakeToken = Callable[..., Token]


def loaded(row: models.Model) -> dict[str, Any]:
    """Everything that a row brings along, its neighbours' columns included."""
    columns = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    beside = {
        name: loaded(other) for name, other in row._state.fields_cache.items() if other is not None
    }
    return {"columns": columns, "beside": beside, "is_new": row._state.adding}


@pytest.fixture
def token(make_token: MakeToken, engineer: User) -> Token:
    old = make_token(engineer, state="active", issued_at=timezone.now(), aws_token_id="7")
    return make_token(engineer, replaces=old, reason="ci")


@pytest.mark.parametrize(
    "question", ["_bare", "_for_pages", "_locked", "_with_replaced", "_replacing"]
)
def test_a_token_is_what_djangos_own_question_gives(token: Token, question: str) -> None:
    prepared: Prepared[Token, Token] = getattr(Token.objects, question)
    key = token.replaces_id if question == "_replacing" else token.pk
    asked = prepared._ask(key)
    with transaction.atomic():
        assert [loaded(row) for row in prepared(key)] == [loaded(row) for row in asked]
        assert prepared(key)
        assert prepared(NOBODY) == []


def test_people_memberships_grants_and_sessions_too(
    engineer: User, teammate: User, token: Token, catalog: Catalog
) -> None:
    store = DjangosStore()
    store.create()
    cases: list[tuple[Prepared[Any, Any], list[object]]] = [
        (signin._BY_ID, [engineer.pk]),
        (desk._memberships, [engineer.pk]),
        (grants._grants, [engineer.pk, catalog.workspace.pk]),
        (grants._accounts, [catalog.workspace.pk]),
        (grants._account, [catalog.workspace.aws_id, catalog.deployer.aws_id]),
        (offer._offered, [engineer.pk]),
        (offer._one, [engineer.pk, catalog.workspace.aws_id]),
        (handover._owners, [token.team_id, engineer.pk]),
        (Token.objects._named, [engineer.pk, token.name]),
        (sessions._BY_KEY, [store.session_key]),
    ]
    for prepared, keys in cases:
        found = prepared(*keys)
        assert found
        assert [loaded(row) for row in found] == [loaded(row) for row in prepared._ask(*keys)]
        assert prepared(*prepared._like) == []


def test_what_was_counted_for_a_row_comes_with_it(
    engineer: User, make_token: MakeToken, catalog: Catalog
) -> None:
    make_token(engineer, state="expired", may_exist_at_aws=True)
    make_token(engineer)
    [found], [asked] = offer._offered(engineer.pk), offer._offered._ask(engineer.pk)
    assert (found.used, found.expired) == (asked.used, asked.expired) == (2, 1)


def test_values_too(make_token: MakeToken, engineer: User) -> None:
    make_token(engineer, state="expired", may_exist_at_aws=True)
    make_token(engineer, state="active", aws_token_id="7")
    now = timezone.now()
    first = make_token(engineer, queued_at=now - timedelta(seconds=5))
    last = make_token(engineer, queued_at=now)
    workspace = first.workspace
    assert _quota(workspace.pk) == list(_quota._ask(workspace.pk)) == [(4, 1)]
    assert _quota(-1) == []  # there is no such workspace
    keys = [workspace.connection_id, last.queued_at]
    assert Token.objects._ahead(*keys) == list(Token.objects._ahead._ask(*keys))
    assert Token.objects.count_ahead_of(last) == 1
    assert Token.objects.count_ahead_of(first) == 0


def test_what_is_beside_a_row_needs_no_further_question(token: Token) -> None:
    with CaptureQueriesContext(connection) as queries:
        row = Token.objects.for_page(token.pk)
        assert row.workspace.connection.name == "main"
        assert row.service_account.workspace.pk == row.workspace_id
        assert (row.team.slug, row.owner.email) == ("platform", "engineer@example.com")
    assert len(queries) == 1


def test_a_row_is_read_anew_every_time(token: Token) -> None:
    assert Token.objects.bare(token.pk).reason == "ci"
    Token.objects.filter(pk=token.pk).update(reason="cd")
    assert Token.objects.bare(token.pk).reason == "cd"


def test_a_row_that_was_found_can_be_saved(token: Token) -> None:
    row = Token.objects.bare(token.pk)
    row.reason = "cd"
    row.save()
    assert Token.objects.get(pk=token.pk).reason == "cd"


@pytest.mark.parametrize("find", ["bare", "for_page", "lock", "lock_with_replaced"])
def test_a_token_that_is_not_there(db: None, find: str) -> None:
    with pytest.raises(Token.DoesNotExist), transaction.atomic():
        getattr(Token.objects, find)(NOBODY)


def test_a_relation_finds_only_its_own(token: Token, mobile: Team) -> None:
    assert token.team.tokens.bare(token.pk) == token
    with pytest.raises(Token.DoesNotExist):
        mobile.tokens.bare(token.pk)


def test_a_question_is_compiled_once(token: Token) -> None:
    asked = []

    def ask(pk: uuid.UUID) -> TokenQuerySet:
        asked.append(pk)
        return Token.objects.filter(pk=pk, reason="ci")

    prepared = Prepared(ask, like=[NOBODY])
    assert prepared.one(token.pk) == prepared.one(token.pk) == token
    assert prepared.one(uuid.uuid4()) is None
    assert asked == [NOBODY]


def test_a_question_without_one_of_its_keys_is_refused(db: None) -> None:
    with pytest.raises(ValueError, match="does not ask for each of its keys"):
        Prepared(lambda pk, _: Token.objects.filter(pk=pk), like=[NOBODY, "ci"])(NOBODY, "ci")


@pytest.mark.django_db(transaction=True)
def test_nothing_is_locked_outside_a_transaction(token: Token) -> None:
    with pytest.raises(TransactionManagementError):
        Token.objects.lock(token.pk)
    assert isinstance(Token.objects, TokenManager)


def test_a_session_ends_with_its_time(db: None) -> None:
    store = sessions.SessionStore()
    store["who"] = "engineer"
    store.create()
    assert sessions.SessionStore(store.session_key)["who"] == "engineer"
    Session.objects.update(expire_date=timezone.now())
    late = sessions.SessionStore(store.session_key)
    assert "who" not in late
    assert late.session_key is None


@pytest.mark.parametrize("key", ["x" * 32, "short", "", None])
def test_a_session_that_nobody_has(db: None, key: str | None) -> None:
    assert "who" not in sessions.SessionStore(key)
