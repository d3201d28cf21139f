"""The sandbox as the flows' AWS, and the demo's catalog read from it."""

from collections.abc import Callable, Iterator

import pytest
import redis
from django.conf import settings

from portal.audit import SYSTEM
from portal.flows.sync_catalog import sync_catalog
from portal.grafana import clients
from portal.models import Connection, Grant, ServiceAccount, Team, Workspace
from tests.conftest import Catalog
from tests.grafana.sandbox_process import MOBILE, PROD, SandboxProcess


@pytest.fixture(scope="session")
def _sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("sandbox")) as process:
        yield process


@pytest.fixture(autouse=True)
def _no_pace() -> None:
    """What one test has learned of AWS's limits is nothing to the next."""
    redis.Redis.from_url(settings.CACHE_URL).flushdb()


@pytest.fixture
def aws(_sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxProcess]:
    """The session's sandbox, as new, and the portal's clients pointed at it."""
    _sandbox.reset()
    for name, value in _sandbox.environment.items():
        monkeypatch.setenv(name, value)
    clients.forget_clients()
    yield _sandbox
    clients.forget_clients()


@pytest.fixture
def catalog(aws: SandboxProcess, platform: Team, mobile: Team) -> Catalog:
    """What the sandbox has, synced; all but the last workspace are team platform's."""
    sync_catalog(Connection.objects.create(name="main"), actor=SYSTEM)
    prod, retail = Workspace.objects.get(aws_id=PROD), Workspace.objects.get(aws_id=MOBILE)
    Grant.objects.create(team=platform, workspace=prod)
    Grant.objects.create(team=mobile, workspace=retail)
    enabled = ServiceAccount.objects.filter(is_disabled=False)
    return Catalog(
        prod,
        enabled.filter(workspace=prod).exclude(grafana_role="ADMIN")[0],
        enabled.filter(workspace=prod, grafana_role="ADMIN")[0],
        enabled.filter(workspace=retail)[0],
    )


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Recovery looks again at once instead of after its pause."""
    monkeypatch.setattr("portal.flows.recover.SECOND_LOOK_SECONDS", 0.0)
    return lambda: None
