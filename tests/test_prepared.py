"""Questions that are compiled once. tests/views/test_prepared_questions.py asks the portal's."""

import uuid
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal import sessions
from portal.models import Team, Token, User
from portal.models.prepared import Prepared, PreparedUpdate
from portal.models.queries import TokenManager, TokenQuerySet

pytestmark = pytest.mark.django_db

NOBODY = uuid.UUID(int=7)

MakeToken = Callable[..., Token]


@pytest.fixture
def token(make_token: MakeToken, engineer: User) -> Token:
    old = make_token(engineer, state="active", issued_at=timezone.now(), aws_token_id="7")
    return make_token(engineer, replaces=old, reason="ci")


def test_a_question_is_asked_anew_each_time(token: Token) -> None:
    question = Prepared(lambda pk: Token.objects.filter(pk=pk), like=[NOBODY])
    assert question(token.pk) == [token]
    assert question(NOBODY) == []


def test_a_django_that_lacks_a_part_is_asked_plainly(
    token: Token, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for part in ("django_query", "sql"):
        monkeypatch.setattr(f"portal.models.prepared.{part}", SimpleNamespace())
    question = Prepared(lambda pk: Token.objects.for_pages().filter(pk=pk), like=[NOBODY])
    update = PreparedUpdate(
        lambda pk: Token.objects.filter(pk=pk), to=lambda _: {"reason": "cd"}, like=[NOBODY]
    )
    assert update(token.pk) == 1
    assert [row.reason for row in question(token.pk)] == ["cd"]
    assert question(NOBODY) == []
    assert update(NOBODY) == 0
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["prepared.lacks_a_part_of_django"] * 2


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
