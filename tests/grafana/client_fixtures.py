"""Fixtures of the client's tests: an AWS environment of their own, a scripted server, a client.

A test module takes them with ``pytest_plugins``, which must be the first to import this one.
"""

import os
from collections.abc import Iterator

import pytest

from portal.grafana.client import Client
from tests.grafana.example import ACCESS_KEY, REGION, SECRET_KEY
from tests.grafana.scripted_server import ScriptedServer


def _set_environment(patch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith(("_proxy", "_ca_bundle")):
            patch.delenv(name)
    settings = {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in settings.items():
        patch.setenv(name, value)


@pytest.fixture
def aws_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Only what a test puts there: no AWS settings, proxies or certificates of the machine."""
    _set_environment(monkeypatch)
    return monkeypatch


@pytest.fixture(scope="module")
def _module_server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="module")
def _module_clients(_module_server: ScriptedServer) -> Iterator[list[Client]]:
    """Made once for a module: what botocore reads to make one takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        _set_environment(patch)
        clients = [
            Client(endpoint_url=_module_server.url),
            Client(endpoint_url=_module_server.url, read_timeout=0.5),
        ]
        yield clients


@pytest.fixture
def scripted_server(_module_server: ScriptedServer) -> ScriptedServer:
    """A server that has seen nothing yet."""
    _module_server.forget()
    return _module_server


@pytest.fixture
def grafana(_module_clients: list[Client], scripted_server: ScriptedServer) -> Iterator[Client]:
    """A client of ``scripted_server``, without a connection yet."""
    client = _module_clients[0]
    yield client
    client.close()


@pytest.fixture
def hasty(_module_clients: list[Client], scripted_server: ScriptedServer) -> Iterator[Client]:
    """The same, but it waits half a second for a whole answer."""
    client = _module_clients[1]
    yield client
    client.close()
