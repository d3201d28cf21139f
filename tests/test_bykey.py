"""Rows by their key: the same as Django's own question would give, and compiled only once."""

import uuid
from collections.abc import Callable
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
from portal.models.bykey import ByKey
from portal.models.queries import TokenManager, TokenQuerySet
from portal.policy import desk, grants
from portal.views import signin
from tests.conftest import Catalog

pytestmark = pytest.mark.django_db

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


@pytest.mark.parametrize("question", ["_bare", "_for_pages", "_locked", "_with_replaced"])
def test_a_token_is_what_djangos_own_question_gives(token: Token, question: str) -> None:
    by_key: ByKey[Token] = getattr(Token.objects, question)
    asked = by_key._ask(token.pk)
    with transaction.atomic():
        assert [loaded(row) for row in by_key(token.pk)] == [loaded(row) for row in asked]
        assert by_key(token.pk)
        assert by_key(NOBODY) == []


def test_people_memberships_grants_and_sessions_too(engineer: User, catalog: Catalog) -> None:
    store = DjangosStore()
    store.create()
    cases: list[tuple[ByKey[Any], object]] = [
        (signin._BY_ID, engineer.pk),
        (desk._memberships, engineer.pk),
        (grants._grants, engineer.pk),
        (sessions._BY_KEY, store.session_key),
    ]
    for by_key, key in cases:
        found = by_key(key)
        assert found
        assert [loaded(row) for row in found] == [loaded(row) for row in by_key._ask(key)]
        assert by_key(by_key._like) == []


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

    by_key = ByKey(ask, like=NOBODY)
    assert by_key.one(token.pk) == by_key.one(token.pk) == token
    assert by_key.one(uuid.uuid4()) is None
    assert asked == [NOBODY]


def test_a_question_without_its_key_is_refused(db: None) -> None:
    with pytest.raises(ValueError, match="does not ask for its key"):
        ByKey(lambda _: Token.objects.filter(reason="ci"), like=NOBODY)(NOBODY)


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
