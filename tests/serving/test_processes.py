"""The web server's processes: what they hold, and what is left of them."""

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from tests.product import within
from tests.web import Web, serving

AWS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "a secret of AWS that the web must not hold",
    "AWS_SESSION_TOKEN": "a session of AWS that the web must not hold",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/a-token-of-aws",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a token of the container's credentials",
}


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def family(web: Web) -> list[int]:
    """The master and its workers."""
    assert web.process is not None
    pid = web.process.pid
    assert within(10, lambda: len(children(pid)) == 4)
    return [pid, *children(pid)]


def test_no_web_process_holds_credentials_of_aws(tmp_path: Path) -> None:
    with serving(tmp_path, AWS_REGION="eu-west-1", **AWS) as web:
        for pid in family(web):
            held = Path(f"/proc/{pid}/environ").read_bytes().decode()
            assert not [name for name, value in AWS.items() if f"{name}=" in held or value in held]
            assert "AWS_REGION=eu-west-1" in held
        told = [json.loads(line) for line in web.log.read_text().splitlines()]
        [line] = [line for line in told if "AWS's credentials" in line["event"]]
        assert all(name in line["event"] for name in AWS)
        assert not [value for value in AWS.values() if value in web.log.read_text()]


def test_nothing_is_said_where_there_are_none(tmp_path: Path) -> None:
    with serving(tmp_path) as web:
        assert "AWS" not in web.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_master_that_ends_leaves_no_worker_and_no_port_behind(
    tmp_path: Path, number: int
) -> None:
    with serving(tmp_path) as web:
        master, *workers = family(web)
        # Somebody is connected, and would keep a worker that stops in peace.
        with web.connect():
            os.kill(master, number)
            assert web.process is not None
            web.process.wait(30)
            assert within(5, lambda: not [pid for pid in workers if Path(f"/proc/{pid}").exists()])
            with socket.create_server(("127.0.0.1", web.port)):
                pass  # its successor may listen
