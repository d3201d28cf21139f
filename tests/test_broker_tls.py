"""A broker over TLS, as production has it: who can't prove who they are gets no message."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from tests.grafana.certificates import self_signed
from tests.product import run_python
from tests.servers import free_port
from tests.test_environment import PRODUCTION

SEND = """
from portal.celery import app
with app.connection_for_write(transport_options={"max_retries": 0}) as connection:
    connection.ensure_connection(max_retries=1)
"""
CACHE = "from django.core.cache import cache; cache.set('a', 1); print(cache.get('a'))"


@dataclass(frozen=True, slots=True)
class TlsBroker:
    url: str
    bundle: Path


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsBroker]:
    directory = tmp_path_factory.mktemp("broker")
    certificate = self_signed(directory)
    port = free_port()
    process = subprocess.Popen(
        [
            *("redis-server", "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1"),
            *("--tls-cert-file", str(certificate.bundle)),
            *("--tls-key-file", str(certificate.bundle.with_name("key.pem"))),
            *("--tls-auth-clients", "no", "--save", "", "--dir", str(directory)),
        ],
        stdout=subprocess.DEVNULL,
    )
    url = f"rediss://127.0.0.1:{port}/0"
    try:
        with redis.Redis.from_url(url, ssl_ca_certs=str(certificate.bundle)) as server:
            for _ in range(200):
                try:
                    server.ping()
                    break
                except redis.ConnectionError:
                    time.sleep(0.05)
            else:
                raise RuntimeError("Redis did not start")
        yield TlsBroker(url, certificate.bundle)
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize(
    ("code", "words"),
    [(SEND, "certificate verify failed"), (CACHE, "cache.misconfigured")],
    ids=["broker", "cache"],
)
def test_a_broker_whose_certificate_nobody_vouches_for_gets_nothing(
    broker: TlsBroker, tmp_path: Path, code: str, words: str
) -> None:
    done = run_python(code, tmp_path, **PRODUCTION | {"CELERY_BROKER_URL": broker.url})
    assert words in done.stdout + done.stderr


def test_a_broker_that_a_private_authority_vouches_for_is_used(
    broker: TlsBroker, tmp_path: Path
) -> None:
    url = f"{broker.url}?ssl_ca_certs={broker.bundle}"
    for code, answer in ((SEND, ""), (CACHE, "1\n")):
        done = run_python(code, tmp_path, **PRODUCTION | {"CELERY_BROKER_URL": url})
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert answer in done.stdout
