"""One URL of a Valkey or Redis server, as Celery, redis-py and Django's cache understand it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
from django.core.cache.backends.redis import RedisCache
from hypothesis import given
from hypothesis import strategies as st
from kombu import Connection

from portal import valkey
from portal.valkey import Server
from tests.product import run_python, within
from tests.servers import Redis, free_port
from tests.test_environment import PRODUCTION

PASSWORD = "pa,ss;w@r:d %2F+'\""
KEY_OF_A_QUEUE = "celery"

texts = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=20)
hosts = st.sampled_from(["valkey.example.com", "127.0.0.1", "::1"])
tls = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "ssl_cert_reqs": st.sampled_from(["required", "optional", "none"]),
        "ssl_ca_certs": st.just("/etc/an authority's.pem"),
        "ssl_check_hostname": st.booleans(),
    },
)
servers = st.builds(
    Server,
    host=hosts,
    port=st.integers(1, 65_535),
    db=st.integers(0, 15),
    username=texts,
    password=texts.filter(bool),
    tls=tls,
) | st.builds(
    Server,
    path=st.just("/run/val key/broker.sock"),
    db=st.integers(0, 15),
    username=texts,
    password=texts.filter(bool),
)


def as_kombu_reads(server: Server) -> dict[str, object]:
    with Connection(server.kombu_url, ssl=server.kombu_tls or False) as connection:
        transport: Any = connection.transport
        channel = transport.Channel.__new__(transport.Channel)
        channel.connection = transport
        found: dict[str, object] = channel._connparams()
        return found


@given(servers)
def test_each_library_is_told_the_same(server: Server) -> None:
    mine = server.connect().connection_pool.connection_kwargs
    cache = RedisCache([server.url], {})
    djangos = cache._cache.get_client().connection_pool.connection_kwargs
    kombus = as_kombu_reads(server)
    for theirs in (djangos, kombus):
        for name in ("host", "port", "path", "db", "username", "password"):
            if name in mine:
                assert (theirs.get(name) or None) == (mine[name] or None), name
        for name, value in (server.tls or {}).items():
            if name != "ssl_cert_reqs":
                assert theirs[name] == value
    if server.tls is not None:
        certificates = server.tls.get("ssl_cert_reqs", "required")
        assert djangos.get("ssl_cert_reqs", "required") == certificates
        assert kombus["ssl_cert_reqs"] == valkey._FOR_KOMBU[certificates]


@given(servers)
def test_what_is_written_is_read_back(server: Server) -> None:
    assert Server.parse(server.url) == server


def test_its_password_is_in_no_traceback() -> None:
    assert PASSWORD not in repr(Server(host="h", password=PASSWORD))


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("redis://h", Server(host="h")),
        ("redis://h?db=2", Server(host="h", db=2)),
        ("redis://h/2?db=2", Server(host="h", db=2)),
        ("redis://:a,b@h:1/2", Server(host="h", port=1, db=2, password="a,b")),
        ("redis://me:p@ss@h", Server(host="h", username="me", password="p@ss")),
        ("redis+socket:///a/b?virtual_host=3", Server(path="/a/b", db=3)),
        ("unix:///a/b?db=3", Server(path="/a/b", db=3)),
        ("rediss://h", Server(host="h", tls={})),
        (
            "rediss://h?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs=/a",
            Server(host="h", tls={"ssl_cert_reqs": "required", "ssl_ca_certs": "/a"}),
        ),
        (
            "redis://h?health_check_interval=30",
            Server(host="h", options={"health_check_interval": 30}),
        ),
    ],
)
def test_the_spellings_of_each_library_are_taken(url: str, wanted: Server) -> None:
    assert Server.parse(url) == wanted


# -- Against a real one -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server with a password that has every character that URLs, lists and shells know."""
    port = free_port()
    settings = tmp_path_factory.mktemp("guarded") / "redis.conf"
    escaped = PASSWORD.replace("\\", "\\\\").replace('"', '\\"')
    settings.write_text(f'port {port}\nbind 127.0.0.1\nsave ""\nrequirepass "{escaped}"\n')
    process = subprocess.Popen(["redis-server", settings], stdout=subprocess.DEVNULL)
    try:
        assert within(20, lambda: answers(port))
        yield port
    finally:
        process.terminate()
        process.wait(10)


def answers(port: int) -> bool:
    try:
        with redis.Redis(port=port, password=PASSWORD) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


ALL_OF_THEM = """
import django; django.setup()
from django.core.cache import cache
from portal import pace, tasks, wakeup
print(tasks._send(tasks.heartbeat.delay))
cache.set("a", 1); print(cache.get("a"))
wakeup.publish()
with pace.turn("account", throttled_by=KeyError): pass
"""


def test_all_that_speak_to_it_use_the_same_database_and_password(
    guarded: int, tmp_path: Path
) -> None:
    url = f"redis://:{quote(PASSWORD, safe=',;')}@127.0.0.1:{guarded}?db=2"
    done = run_python(
        ALL_OF_THEM, tmp_path, **PRODUCTION | {"CELERY_BROKER_URL": url, "AWS_REGION": "eu-west-1"}
    )
    assert (done.stdout.split(), done.stderr) == (["True", "1"], "")
    with redis.Redis(port=guarded, password=PASSWORD, db=2) as client:
        kept = {key.decode().partition(":")[0] for key in client.scan_iter()}
    assert {KEY_OF_A_QUEUE, "portal"} <= kept
    with redis.Redis(port=guarded, password=PASSWORD, db=0) as client:
        assert client.dbsize() == 0


def test_a_wrong_password_is_an_error_of_the_settings_and_said_once_by_each(
    guarded: int, tmp_path: Path
) -> None:
    url = f"redis://:another@127.0.0.1:{guarded}/2"
    done = run_python(
        ALL_OF_THEM + ALL_OF_THEM,
        tmp_path,
        **PRODUCTION | {"CELERY_BROKER_URL": url, "AWS_REGION": "eu-west-1"},
    )
    assert done.stdout.split() == ["False", "1"] * 2, done.stderr
    assert "Traceback" not in done.stderr
    for part in ("broker", "cache", "pace"):
        assert done.stderr.count(f"{part}.misconfigured") == 1, done.stderr
    assert '"level": "error"' in done.stderr
    assert "another" not in done.stderr


def test_a_server_that_is_away_is_asked_once_unless_its_url_says_otherwise(tmp_path: Path) -> None:
    def tries(query: str) -> int:
        client = Server.parse(f"unix://{tmp_path / 'nobody'}{query}").connect()
        retry = client.get_retry()
        assert retry is not None
        return int(retry.get_retries())

    assert (tries(""), tries("?retry_on_timeout=yes")) == (0, 1)


def test_a_child_of_the_process_has_connections_of_its_own() -> None:
    """Two processes that read from one connection would take each other's answers."""
    code = (
        "import os, sys\n"
        "from portal import valkey\n"
        "server = valkey.Server.parse(sys.argv[1])\n"
        "mine = valkey.client(server).client_id()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(valkey.client(server).client_id() == mine)\n"
        "assert os.waitpid(child, 0)[1] == 0, 'it has its parent\\'s'\n"
        "assert valkey.client(server).client_id() == mine\n"
    )
    server = Redis()
    server.start()
    try:
        said = run_python(f"import sys; sys.argv = ['', '{server.url}']\n{code}")
    finally:
        server.stop()
    assert said.returncode == 0, said.stderr
