"""Who leaves the company leaves here in the same minute, in whatever words the provider says so."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from portal import policy, sessions
from portal.models import (
    AuditEvent,
    Membership,
    OnLeaving,
    State,
    Team,
    Token,
    User,
)
from portal.scheduler import run_all as sweep
from tests.views.scim.conftest import PATCH, USERS, Provider

pytestmark = pytest.mark.django_db

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCHES: dict[str, list[Any]] = {
    "RFC 7644": [{"op": "replace", "path": "active", "value": False}],
    "Okta, without a path": [{"op": "replace", "value": {"active": False}}],
    "Entra, a string": [{"op": "Replace", "path": "active", "value": "False"}],
    "Entra, an add": [{"op": "Add", "path": "active", "value": "False"}],
    "capitals": [{"op": "REPLACE", "path": "ACTIVE", "value": "FALSE"}],
    "a string without a path": [{"op": "replace", "value": {"active": "false"}}],
    "one value in a list": [{"op": "replace", "path": "active", "value": ["False"]}],
    "an object around it": [{"op": "replace", "path": "active", "value": [{"value": "False"}]}],
    "a list of one object": [{"op": "replace", "value": [{"active": False}]}],
    "a number": [{"op": "replace", "path": "active", "value": 0}],
    "its full name": [{"op": "replace", "path": f"{CORE}:active", "value": False}],
    "its full name as a key": [{"op": "replace", "value": {f"{CORE}:active": False}}],
    "Entra, with much else": [
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "new@example.com"},
        {"op": "Add", "path": 'phoneNumbers[type eq "work"].value', "value": "+49 30 1234"},
        {"op": "Replace", "path": "name.formatted", "value": "Engi Neer"},
        {"op": "Replace", "path": f"{ENTERPRISE}:department", "value": "None"},
        {"op": "Replace", "path": "active", "value": "False"},
    ],
    "Okta, with what nobody may write": [
        {"op": "replace", "value": {"id": "7", "meta": {}, "schemas": [], "active": False}}
    ],
    "after a refusable rename": [
        {"op": "replace", "value": {"userName": "lead@example.com", "active": False}}
    ],
    "an attribute that nobody knows": [
        {"op": "Replace", "path": "shoeSize", "value": 47},
        {"op": "Replace", "path": "active", "value": "False"},
    ],
}


def is_in(person: User) -> bool:
    person.refresh_from_db()
    return person.is_active


@pytest.fixture
def path(engineer: User) -> str:
    return f"{USERS}/{engineer.pk}"


@pytest.mark.parametrize("operations", PATCHES.values(), ids=PATCHES)
def test_each_dialect_ends_the_person(
    provider: Provider, engineer: User, lead: User, path: str, operations: list[Any]
) -> None:
    provider.patch(path, *operations)
    assert not is_in(engineer)
    assert provider.get(path)["active"] is False


@pytest.mark.parametrize("active", [False, "False", "false"])
def test_a_put_ends_the_person(
    provider: Provider, engineer: User, path: str, active: object
) -> None:
    said = {"userName": engineer.email, "active": active, "title": "Engineer", "emails": []}
    assert provider.send("PUT", path, said)[0] == 200
    assert not is_in(engineer)


def test_a_delete_ends_the_person_and_keeps_what_they_did(
    provider: Provider, engineer: User, path: str
) -> None:
    assert provider.send("DELETE", path)[0] == 204
    assert not is_in(engineer)
    assert [provider.send(method, path)[0] for method in ("GET", "DELETE")] == [404, 404]
    assert provider.found(f'userName eq "{engineer.email}"') == []


def test_a_keyword_of_patch_in_any_case_is_one(
    provider: Provider, engineer: User, path: str
) -> None:
    body = {"schemas": [PATCH], "operations": [{"OP": "replace", "Path": "active", "VALUE": False}]}
    assert provider.send("PATCH", path, body)[0] in (200, 204)
    assert not is_in(engineer)


def test_sessions_end_for_good(provider: Provider, engineer: User, path: str) -> None:
    here = Client()
    here.force_login(engineer)
    assert here.get("/tokens/").status_code == 200
    provider.patch(path, *PATCHES["Entra, a string"])
    assert sessions.of_people([engineer.pk]) == {engineer.pk: []}
    provider.patch(path, {"op": "Replace", "path": "active", "value": "True"})
    assert is_in(engineer)
    assert here.get("/tokens/").status_code == 302, "a session of before does not live again"


def test_what_is_open_ends_and_what_is_live_is_listed(
    provider: Provider,
    engineer: User,
    path: str,
    make_token: Callable[..., Token],
    enqueued: list[tuple[str, str]],
    lead: User,
) -> None:
    waiting = make_token(engineer, state=State.AWAITING_APPROVAL)
    queued = make_token(engineer, state=State.QUEUED)
    issuing = make_token(engineer, state=State.ISSUING, lease_until=timezone.now())
    sealed = make_token(engineer, state=State.SEALED, sealed_key=b"x", aws_token_id="1")
    live = make_token(engineer, state=State.ACTIVE, aws_token_id="2", recipient=engineer)
    provider.patch(path, *PATCHES["Okta, without a path"])
    tokens = [waiting, queued, issuing, sealed, live]
    for token in tokens:
        token.refresh_from_db()
    assert [token.state for token in tokens] == [
        "cancelled",
        "cancelled",
        "issuing",
        "revoking",
        "active",
    ]
    assert issuing.cancel_requested
    assert sealed.sealed_key is None
    assert ("portal.revoke", str(sealed.pk)) in enqueued, "not only at the next sweep"
    desk = Client()
    desk.force_login(lead)
    assert live in desk.get("/team/platform/", {"flag": "owner-left"}).context["page"]


@pytest.mark.parametrize("who", ["owner", "recipient"])
def test_live_tokens_end_where_the_team_keeps_none(
    provider: Provider,
    engineer: User,
    teammate: User,
    platform: Team,
    path: str,
    make_token: Callable[..., Token],
    enqueued: list[tuple[str, str]],
    who: str,
) -> None:
    Team.objects.filter(pk=platform.pk).update(on_leaving=OnLeaving.REVOKE)
    owner = engineer if who == "owner" else teammate
    live = make_token(owner, state=State.ACTIVE, aws_token_id="2", recipient=engineer)
    others = make_token(teammate, state=State.ACTIVE, aws_token_id="3", recipient=teammate)
    provider.patch(path, *PATCHES["Entra, a string"])
    live.refresh_from_db()
    others.refresh_from_db()
    assert (live.state, live.end_reason) == (
        "revoking",
        "The account of engineer@example.com was closed.",
    )
    assert others.state == "active"
    assert ("portal.revoke", str(live.pk)) in enqueued


def test_leaving_a_team_that_keeps_none_ends_them_too(
    engineer: User,
    platform: Team,
    make_token: Callable[..., Token],
    enqueued: list[tuple[str, str]],
) -> None:
    Team.objects.filter(pk=platform.pk).update(on_leaving=OnLeaving.REVOKE)
    live = make_token(engineer, state=State.ACTIVE, aws_token_id="2", recipient=engineer)
    Membership.objects.filter(user=engineer).delete()
    sweep()
    live.refresh_from_db()
    assert live.end_reason == "engineer@example.com is no longer in team Platform."


def test_a_closed_team_keeps_its_tokens_whatever_it_said_of_leaving(
    engineer: User, platform: Team, make_token: Callable[..., Token]
) -> None:
    live = make_token(engineer, state=State.ACTIVE, aws_token_id="2", recipient=engineer)
    Team.objects.filter(pk=platform.pk).update(
        on_leaving=OnLeaving.REVOKE, closed_at="2026-01-01T00:00:00Z"
    )
    Membership.objects.filter(user=engineer).delete()
    assert not policy.not_kept_on_leaving().exists()
    assert policy.why_not_kept(Token.objects.get(pk=live.pk)) == ""


def test_told_again_it_ends_what_is_still_there(
    provider: Provider,
    engineer: User,
    path: str,
    make_token: Callable[..., Token],
) -> None:
    User.objects.filter(pk=engineer.pk).update(is_active=False)
    waiting = make_token(engineer, state=State.AWAITING_APPROVAL)
    said = {"userName": engineer.email, "displayName": "Engi", "active": False}
    assert provider.send("PUT", path, said)[0] == 200
    waiting.refresh_from_db()
    assert waiting.state == "cancelled"


def test_whom_an_admin_has_closed_the_provider_does_not_open(
    provider: Provider, engineer: User, path: str
) -> None:
    User.objects.filter(pk=engineer.pk).update(is_active=False)
    for operation in ("Add", "Replace"):  # Entra repeats it now and then
        provider.patch(path, {"op": operation, "path": "active", "value": "True"})
    assert not is_in(engineer)
    assert provider.get(path)["active"] is False


def test_to_take_the_word_away_opens_and_closes_nobody(
    provider: Provider, engineer: User, path: str
) -> None:
    provider.patch(path, {"op": "remove", "path": "active"})
    assert is_in(engineer)
    provider.patch(path, {"op": "replace", "path": "active", "value": False})
    provider.patch(path, {"op": "remove", "path": "active"})
    assert not is_in(engineer)
    assert provider.send("PUT", path, {"userName": engineer.email})[0] == 200
    assert not is_in(engineer)
    provider.patch(path, {"op": "replace", "path": "active", "value": True})
    assert is_in(engineer)


def test_the_log_tells_who_left_and_who_said_so(
    provider: Provider, engineer: User, path: str
) -> None:
    Client().force_login(engineer)
    provider.patch(path, *PATCHES["Okta, without a path"])
    provider.patch(path, {"op": "replace", "value": {"active": True}})
    events = AuditEvent.objects.order_by("seq").values_list("action", "actor", "subject", "reason")
    assert list(events) == [
        (
            "access.changed",
            "provisioning",
            "~ person engineer@example.com: may not sign in any more",
            "provisioning",
        ),
        ("session.ended", "provisioning", "engineer@example.com: may not sign in any more", ""),
        (
            "access.changed",
            "provisioning",
            "~ person engineer@example.com: may sign in again",
            "provisioning",
        ),
    ]
