"""A connection whose AWS or STS does not answer is known to all workers."""

from collections.abc import Iterator

import pytest
import redis
from django.conf import settings

from portal import gateway, places
from portal.grafana.errors import GrafanaError
from portal.models import Connection
from tests.grafana.sandbox_process import SandboxProcess
from tests.servers import free_port

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    monkeypatch.setattr(places._Own, "is_away_until", float("-inf"))
    with redis.Redis.from_url(settings.CACHE_URL, decode_responses=True) as found:
        found.flushdb()
        yield found
        found.flushdb()


def list_workspaces(connection: Connection) -> None:
    with pytest.raises(GrafanaError):
        gateway.Gateway(connection).list_workspaces()


def test_a_refusal_is_an_answer(aws: SandboxProcess, server: redis.Redis) -> None:
    aws.fault("error", "before", operation="ListWorkspaces", status=403)
    list_workspaces(Connection.objects.create(name="main"))
    assert server.keys("portal:silent:*") == []


def test_a_call_that_aws_does_not_answer_is_noted(aws: SandboxProcess, server: redis.Redis) -> None:
    aws.fault("drop", "before", operation="ListWorkspaces")
    list_workspaces(Connection.objects.create(name="main"))
    assert server.keys("portal:silent:*") == ["portal:silent:main"]


def test_a_call_for_which_sts_does_not_answer_is_noted(
    aws: SandboxProcess, server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{free_port()}")
    role = "arn:aws:iam::210987654321:role/portal"
    list_workspaces(Connection.objects.create(name="other", role_arn=role))
    assert server.keys("portal:silent:*") == ["portal:silent:other"]
