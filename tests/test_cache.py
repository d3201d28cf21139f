"""The cache while its server is away: what is counted goes on being counted, in this process."""

import threading
import time
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings as portal_settings
from django.core.cache import cache, caches
from pytest_django import Settings

from portal import cache as steady
from portal.incidents import Incident
from tests.servers import Redis, free_port


@pytest.fixture(autouse=True)
def _nothing_is_away_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady._absence, "until", 0.0)
    monkeypatch.setattr(steady, "_incident", Incident("cache"))


def lead_to(settings: Settings, url: str) -> None:
    settings.CACHES = {"default": {**portal_settings.CACHES["default"], "LOCATION": [url]}}


@pytest.fixture
def without_server(settings: Settings) -> None:
    lead_to(settings, f"redis://127.0.0.1:{free_port()}/0")


@pytest.fixture
def server() -> Iterator[Redis]:
    server = Redis()
    server.start()
    yield server
    server.stop()


@pytest.mark.usefixtures("without_server")
def test_without_its_server_everything_that_a_limit_needs_goes_on() -> None:
    name = f"tries-{time.time_ns()}"
    assert cache.add(name, 1, 60) is True
    assert cache.add(name, 1, 60) is False
    assert [cache.incr(name) for _ in range(3)] == [2, 3, 4]
    assert cache.get(name) == 4
    assert cache.get_many([name]) == {name: 4}
    assert cache.touch(name, 60)
    assert cache.has_key(name)
    cache.set(name, [1.5, 2.5], 60)
    assert cache.get(name) == [1.5, 2.5]
    assert cache.delete(name)
    assert cache.get(name, "nothing") == "nothing"
    cache.set_many({name: 1}, 60)
    cache.delete_many([name])
    with pytest.raises(ValueError, match="not found"):
        cache.incr(name)


@pytest.mark.usefixtures("without_server")
def test_what_is_counted_there_runs_out_in_its_time() -> None:
    name = f"soon-{time.time_ns()}"
    cache.set(name, 1, 0.2)
    assert cache.get(name) == 1
    time.sleep(0.3)
    assert cache.get(name) is None


@pytest.mark.usefixtures("without_server")
def test_the_threads_of_a_process_count_together() -> None:
    name = f"together-{time.time_ns()}"
    cache.add(name, 0, 60)
    threads = [threading.Thread(target=lambda: caches["default"].incr(name)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.get(name) == 8


def test_its_server_is_asked_again_after_a_second(
    server: Redis, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    lead_to(settings, server.url)
    cache.set("kept", "by the server")
    server.stop()
    assert cache.get("kept") is None
    for number in range(20):
        cache.set(f"own-{number}", number)
    assert cache.get("own-19") == 19
    server.start()
    assert cache.get("own-19") == 19, "it is left alone for a moment"
    time.sleep(steady.ASK_AGAIN_SECONDS)
    cache.set("kept", "again")
    with redis.Redis.from_url(server.url) as client:
        assert client.exists(cache.make_key("kept"))
    said = [record.getMessage() for record in caplog.records if record.name == "portal.incidents"]
    assert said == ["cache.unavailable", "cache.available"]


def test_a_server_that_is_a_replica_by_now_counts_as_away_until_its_name_leads_to_the_primary(
    server: Redis, settings: Settings
) -> None:
    primary = Redis()
    primary.start()
    try:
        lead_to(settings, server.url)
        cache.set("tries", 1)
        with redis.Redis.from_url(server.url) as client:
            client.replicaof("127.0.0.1", primary.port)
            cache.set("tries", 5)
            assert cache.get("tries") == 5
            client.replicaof("NO", "ONE")
        time.sleep(steady.ASK_AGAIN_SECONDS)
        cache.set("tries", 6)
        assert cache.get("tries") == 6
    finally:
        primary.stop()


def test_an_address_that_answers_nothing_costs_a_second_and_not_one_for_each_question(
    settings: Settings,
) -> None:
    lead_to(settings, "redis://192.0.2.1:6379/0")  # TEST-NET-1: nobody is there (RFC 5737)
    began = time.monotonic()
    for number in range(10):
        cache.set(f"tries-{number}", number)
    assert time.monotonic() - began < 2.5
