"""Each question that is compiled once finds, on the pages that ask it, what Django itself finds."""

import gc
import inspect
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import models, transaction
from django.test import Client
from django.utils import timezone

from portal import policy, tasks
from portal.audit.agreement import require_agreement
from portal.limits import table, use
from portal.models import Drift, ListedToken, Token, User
from portal.models.prepared import Prepared
from tests.conftest import Catalog, asked_for
from tests.person import KeyPair
from tests.views.conftest import Post

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery staple"


def loaded(row: Any) -> object:
    """Everything that a row brings along, its neighbours' columns included."""
    if not isinstance(row, models.Model):  # values; one of them is the time of asking
        return [value.date() if isinstance(value, datetime) else value for value in row]
    columns = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    beside = {
        name: loaded(other) for name, other in row._state.fields_cache.items() if other is not None
    }
    counted = {name: getattr(row, name) for name in ("used", "expired") if hasattr(row, name)}
    return {"columns": columns, "beside": beside, "counted": counted, "is_new": row._state.adding}


def place(question: Prepared[Any, Any]) -> str:
    """Where the question stands in the portal's code."""
    ask: Any = inspect.getclosurevars(question.ask).nonlocals.get("ask", question.ask)
    return f"{ask.__module__}:{ask.__code__.co_firstlineno}"


def of_the_portal() -> set[str]:
    """Where there is a question; lazy objects of Django must not be asked for their class."""
    places = {place(one) for one in gc.get_objects() if type(one) is Prepared}
    return {one for one in places if one.startswith("portal.")}


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Asks each question both ways; gives the places of those that have found something."""
    places: set[str] = set()
    ask = Prepared.__call__

    def ask_both_ways(self: Prepared[Any, Any], *keys: object) -> list[Any]:
        found = ask(self, *keys)
        assert [loaded(row) for row in found] == [loaded(row) for row in self.ask(*keys)]
        if found:
            places.add(place(self))
        return found

    monkeypatch.setattr(Prepared, "__call__", ask_both_ways)
    yield places
    monkeypatch.undo()


def test_every_question_of_the_portal(
    compared: set[str],
    post: Post,
    sign_in: Callable[[User], Client],
    make_token: Callable[..., Token],
    engineer: User,
    teammate: User,
    lead: User,
    admin: User,
    catalog: Catalog,
    keys: KeyPair,
) -> None:
    engineer.set_password(PASSWORD)
    engineer.save()
    at = timezone.now()
    old = make_token(
        engineer, state="active", issued_at=at, delivered_at=at, aws_token_id="7",
        may_exist_at_aws=True, expires_at=at + timedelta(hours=1),
    )  # fmt: skip
    successor = make_token(engineer, replaces=old, queued_at=at)
    later = make_token(teammate, queued_at=timezone.now())
    left = make_token(lead, state="active", issued_at=at, aws_token_id="8")
    lead.memberships.all().delete()
    catalog.workspace.connection.unread_since = at
    catalog.workspace.connection.save()

    ListedToken.objects.create(
        service_account=catalog.deployer, aws_id="10", name="by hand", drift=Drift.FOREIGN
    )

    own = Client()
    post(own, "/accounts/login/", login=engineer.email, password=PASSWORD)
    ids = {"workspace": catalog.workspace.aws_id, "service_account": catalog.deployer.aws_id}
    for path in ("new/", "", f"{old.pk}/"):
        assert own.get(f"/tokens/{path}").status_code == 200
    assert own.get("/tokens/accounts/", {"workspace": ids["workspace"]}).status_code == 200
    post(own, "/tokens/new/", **ids, name="ci", seconds_to_live="60", public_key=keys.public)
    for path in ("/team/platform/", "/inventory/"):
        assert sign_in(admin).get(path).status_code == 200
    with transaction.atomic():
        assert Token.objects.lock(successor.pk).pk == successor.pk
        assert Token.objects.lock_with_replaced(successor.pk) == (successor, old)
    assert Token.objects.bare(left.pk) == left
    assert Token.objects.replacing(old) == [successor]
    assert Token.objects.named(teammate.pk, later.name) == [later]
    assert Token.objects.count_ahead_of(later) == 1
    assert policy.possible_owners(old)
    require_agreement(asked_for(later))
    ended = make_token(
        teammate, state="expired", aws_token_id="9", may_exist_at_aws=True,
        expires_at=at - timedelta(hours=1),
    )  # fmt: skip
    ListedToken.objects.create(
        service_account=ended.service_account, aws_id="9", name=ended.name, drift=Drift.ENDED
    )
    assert policy.outlives_its_end(ended)
    of_token, of_account = tasks._connection_of_token, tasks._connection_of_account
    assert of_token(str(left.pk)) == of_account(left.service_account_id) == "main"
    assert tasks._connection_of_listed(ListedToken.objects.latest("pk").pk) == "main"
    for _ in range(table.RESETS.burst + 2):
        use.add(table.RESETS, "somebody")
    with pytest.raises(use.LimitExceededError):
        use.check(table.RESETS, "somebody")
    assert compared == of_the_portal()
