"""People and what they may use: a member, her teammate, their lead, an outsider, an admin."""

import base64
import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from allauth.account.internal.flows.login import (
    _AUTHENTICATION_METHODS_USER_SESSION_KEY,
    AUTHENTICATION_METHODS_SESSION_KEY,
)
from django.conf import settings
from django.db import transaction
from django.test import Client, TransactionTestCase

from portal import audit, clock, sessions, wakeup
from portal.audit import Actor
from portal.grafana import heard
from portal.models import (
    Action,
    Connection,
    Grant,
    Membership,
    Role,
    ServiceAccount,
    Team,
    Token,
    User,
    Workspace,
)
from tests.audit import lock_order, tampering
from tests.person import KeyPair

LONGEST_FIRST = (
    "test_extreme_forms.py",
    "test_extreme_queries.py",
    "test_make_run.py",
    "reliability",
    "test_contract.py",
    "test_deploy.py",
    "browser",
)
"""Files and packages that take minutes. Begun last, they would run while other workers have nothing
left to do; scattered, each file of a package would start the package's product anew."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        package = item.path.relative_to(Path(__file__).parent).parts[0]
        places = [
            LONGEST_FIRST.index(one) for one in (item.path.name, package) if one in LONGEST_FIRST
        ]
        return min(places, default=len(LONGEST_FIRST))

    items.sort(key=place)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A database file, not memory: locks between threads are part of what is tested."""
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def _a_flush_may_empty_the_log() -> Iterator[None]:
    """Tests with transactions of their own leave the database empty, the audit log included.

    Only here are the triggers taken down for that, as the table's owner can; the flush itself ends
    by putting them up again (portal.appendonly).
    """
    case_class: Any = TransactionTestCase
    flush = case_class._fixture_teardown

    def teardown(case: TransactionTestCase) -> None:
        tampering.take_down_triggers()
        flush(case)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(case_class, "_fixture_teardown", teardown)
        yield


@pytest.fixture(autouse=True)
def _it_is_the_same_time_at_aws() -> None:
    """And AWS has just said so: what one test has heard is nothing to the next."""
    clock._Noted.at = float("-inf")
    heard.forget()
    now = heard.steady()
    heard.note(datetime.now(UTC).replace(microsecond=0), sent=now, received=now)


@pytest.fixture(autouse=True)
def _published_heads_are_of_this_test_s_log() -> Iterator[None]:
    """Each test has a log of its own: to the next one's, a head that stays behind is a forgery."""
    yield
    if settings.AUDIT_HEAD_FILE:
        Path(settings.AUDIT_HEAD_FILE).unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def _the_head_of_the_audit_log_is_the_last_lock(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whoever locks more after it can deadlock with who waits for it: no flow does, in any test."""
    marker = request.node.get_closest_marker("django_db")
    if marker is None or marker.kwargs.get("transaction"):
        yield
        return
    request.getfixturevalue("db")
    with lock_order.watched() as locked_after:
        yield
    assert locked_after == []


@pytest.fixture(scope="session")
def keys() -> KeyPair:
    """One browser's key pair: making one takes a while, and nothing in it changes."""
    return KeyPair()


@pytest.fixture
def platform(db: None) -> Team:
    return Team.objects.create(slug="platform", name="Platform")


@pytest.fixture
def mobile(db: None) -> Team:
    return Team.objects.create(slug="mobile", name="Mobile")


def _person(email: str, team: Team | None = None, role: Role = Role.MEMBER, **flags: bool) -> User:
    user = User.objects.create_user(email, None, **flags)
    if team is not None:
        Membership.objects.create(user=user, team=team, role=role)
    return user


@pytest.fixture
def engineer(platform: Team) -> User:
    return _person("engineer@example.com", platform)


@pytest.fixture
def teammate(platform: Team) -> User:
    return _person("teammate@example.com", platform)


@pytest.fixture
def lead(platform: Team) -> User:
    return _person("lead@example.com", platform, Role.LEAD)


@pytest.fixture
def outsider(mobile: Team) -> User:
    return _person("outsider@example.com", mobile)


@pytest.fixture
def admin(db: None) -> User:
    return _person("admin@example.com", is_admin=True)


@pytest.fixture
def auditor(db: None) -> User:
    return _person("auditor@example.com", is_auditor=True)


@dataclass(slots=True)
class Catalog:
    """One workspace with two accounts, granted to team platform, and one of team mobile."""

    workspace: Workspace
    deployer: ServiceAccount
    admin_account: ServiceAccount
    mobile_account: ServiceAccount


@pytest.fixture
def rows(platform: Team, mobile: Team) -> Catalog:
    """What ``catalog`` has outside tests/flows, where it is read from the sandbox."""
    return make_catalog(platform, mobile)


@pytest.fixture
def catalog(rows: Catalog) -> Catalog:
    return rows


def make_catalog(platform: Team, mobile: Team) -> Catalog:
    connection = Connection.objects.create(name="main")
    workspaces = [
        Workspace.objects.create(
            connection=connection,
            aws_id=aws_id,
            name=name,
            endpoint=f"{aws_id}.grafana-workspace.eu-west-1.amazonaws.com",
            status="ACTIVE",
            grafana_version="10.4",
        )
        for aws_id, name in (("g-00000000a1", "observability"), ("g-00000000b2", "retail"))
    ]
    deployer, admin_account, mobile_account = (
        ServiceAccount.objects.create(
            workspace=workspace, aws_id=aws_id, name=name, grafana_role=role
        )
        for workspace, aws_id, name, role in (
            (workspaces[0], "2", "deployer", "EDITOR"),
            (workspaces[0], "3", "provisioner", "ADMIN"),
            (workspaces[1], "2", "app", "VIEWER"),
        )
    )
    Grant.objects.create(team=platform, workspace=workspaces[0], max_ttl=86_400 * 30)
    Grant.objects.create(team=mobile, workspace=workspaces[1])
    return Catalog(workspaces[0], deployer, admin_account, mobile_account)


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What would have been sent to the broker: (task, token id). No broker runs here."""
    sent: list[tuple[str, str]] = []

    def send(delay: Any, *arguments: str) -> bool:
        sent.append((delay.__self__.name, *arguments))
        return True

    monkeypatch.setattr("portal.tasks._send", send)
    monkeypatch.setattr(wakeup, "publish", lambda *_: None)
    return sent


@pytest.fixture
def sign_in() -> Callable[[User], Client]:
    """A test client with the person's session, as if they had just typed their password."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        prove(client, user)
        begin(client, user)
        return client

    return sign_in


def begin(client: Client, user: User) -> None:
    """Let the session be one that has just begun, so that its first request is like any."""
    session = client.session
    assert isinstance(session, sessions.SessionStore)
    session.begin()
    session.save()
    key = str(session.session_key)
    sessions.note(key, user, address="127.0.0.1", user_agent="", began=True)


def prove(client: Client, user: User) -> None:
    """Let the session say that its person has just typed their password, as allauth notes it."""
    session = client.session
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "password", "at": time.time()}]
    session[_AUTHENTICATION_METHODS_USER_SESSION_KEY] = str(user.pk)
    session.save()


@pytest.fixture
def make_token(catalog: Catalog, keys: KeyPair) -> Callable[..., Token]:
    """Make a token's row in any state."""

    def make(owner: User, **fields: Any) -> Token:

        der = base64.b64decode(keys.public)
        account = fields.pop("service_account", catalog.deployer)
        values: dict[str, Any] = {
            "team": owner.teams.get(),
            "workspace": account.workspace,
            "service_account": account,
            "name": f"ci-{uuid.uuid4().hex[:8]}",
            "seconds_to_live": 3600,
            "public_key": der,
            "public_key_sha256": hashlib.sha256(der).hexdigest(),
        }
        return Token.objects.create(owner=owner, **(values | fields))

    return make


def asked_for(token: Token) -> Token:
    """Have the audit log tell that the token was asked for: a worker issues no other."""
    with transaction.atomic():
        actor, subject = acting(token.owner), token.sealed_to
        audit.record(Action.TOKEN_REQUESTED, actor=actor, token=token, subject=subject)
    return token


def acting(user: User) -> Actor:
    """The person as an actor, from an address."""
    return Actor(user=user, address="192.0.2.7", user_agent="test")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A test that was skipped is a test that failed: nothing here may quietly not run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
