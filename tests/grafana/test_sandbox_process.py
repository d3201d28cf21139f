"""The sandbox as a process: how it starts, stops, survives, and whom it lets steer."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.grafana.aws_clients import boto3_client
from tests.grafana.sandbox_process import PROD, ROOT, SandboxProcess
from tests.grafana.signed import send, send_signed, signed_headers

MODULE = "portal.grafana.sandbox"
IDS = {"workspaceId": PROD, "serviceAccountId": "2"}


def start_and_fail(*arguments: str | Path, **environment: str) -> str:
    """Its one line on stderr, having refused to start."""
    ended = subprocess.run(
        [sys.executable, "-m", MODULE, "--port=0", *arguments],
        cwd=ROOT,
        env={**os.environ, "SANDBOX_SECRET_ACCESS_KEY": "x", **environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    [line] = ended.stderr.splitlines()
    return line


def test_it_imports_the_standard_library_and_nothing_of_ours_but_itself() -> None:
    code = (
        f"import sys, {MODULE}.__main__; print(*{{name.partition('.')[0] for name in sys.modules"
        f" if not name.startswith('{MODULE}')}} - sys.stdlib_module_names - {{'__main__'}})"
    )
    ran = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["portal"]


def test_what_it_remembers_survives_a_stop(own_sandbox: SandboxProcess) -> None:
    with boto3_client(own_sandbox) as client:
        client.create_workspace_service_account_token(**IDS, name="ci", secondsToLive=7200)
        own_sandbox.advance(3600)
        before = own_sandbox.live_tokens()
        own_sandbox.stop()
        own_sandbox.start()
        assert own_sandbox.live_tokens() == before
        assert own_sandbox.steer("GET", "")["advanced_seconds"] == 3600
        with pytest.raises(client.exceptions.ConflictException):
            client.create_workspace_service_account_token(**IDS, name="ci", secondsToLive=60)


def test_what_it_answered_survives_a_kill(own_sandbox: SandboxProcess) -> None:
    with boto3_client(own_sandbox) as client:
        client.create_workspace_service_account_token(**IDS, name="ci", secondsToLive=60)
        own_sandbox.kill()
        own_sandbox.start()
        assert [token["name"] for token in own_sandbox.live_tokens()] == ["ci"]


def test_a_stop_does_not_wait_for_calls_in_progress(own_sandbox: SandboxProcess) -> None:
    own_sandbox.settings(latency_ms={"*": 60_000})
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(send_signed, own_sandbox, "GET", "/workspaces")
        while not own_sandbox.calls():
            assert not call.done()
        own_sandbox.stop()
        with pytest.raises(ConnectionError):
            call.result(timeout=5)


def test_ctrl_c_stops_it_cleanly(own_sandbox: SandboxProcess) -> None:
    process = own_sandbox.process
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 0
    assert own_sandbox.log.read_text() == ""


def test_a_seed_file_says_what_it_begins_with(tmp_path: Path) -> None:
    token = {"name": "old", "secondsToLive": 60, "ageSeconds": 3600}
    live = {"name": "live", "secondsToLive": 3600}
    account = {"name": "ci", "grafanaRole": "EDITOR", "tokens": [token, live]}
    seed = {
        "workspaces": [
            {"id": PROD, "name": "one", "serviceAccounts": [account]},
            {
                "id": "g-0000000000",
                "name": "being-made",
                "status": "CREATING",
                "grafanaVersion": "8.4",
                "serviceAccounts": [],
            },
        ]
    }
    path = tmp_path / "seed.json"
    path.write_text(json.dumps(seed))
    with SandboxProcess(tmp_path, seed=path) as sandbox, boto3_client(sandbox) as client:
        workspaces = client.list_workspaces()["workspaces"]
        assert [(each["name"], each["status"], each["grafanaVersion"]) for each in workspaces] == [
            ("one", "ACTIVE", "10.4"),
            ("being-made", "CREATING", "8.4"),
        ]
        tokens = client.list_workspace_service_account_tokens(**IDS)["serviceAccountTokens"]
        assert [each["name"] for each in tokens] == ["old", "live"]
        assert [each["name"] for each in sandbox.live_tokens()] == ["live"]
        sandbox.reset()
        assert len(client.list_workspaces()["workspaces"]) == 2


@pytest.mark.parametrize(
    "seed",
    [
        "{",
        "{}",
        '{"workspaces": [{"id": "prod", "name": "x", "serviceAccounts": []}]}',
        '{"workspaces": [{"id": "g-0000000000", "name": "x"}]}',
        '{"workspaces": [{"id": "g-0000000000", "name": "x", "serviceAccounts":'
        ' [{"name": "a", "grafanaRole": "owner"}]}]}',
        '{"workspaces": [{"id": "g-0000000000", "name": "x", "serviceAccounts":'
        ' [{"name": "a", "grafanaRole": "ADMIN"}, {"name": "a", "grafanaRole": "ADMIN"}]}]}',
    ],
)
def test_a_seed_of_another_form_is_refused_and_leaves_nothing(tmp_path: Path, seed: str) -> None:
    path, data = tmp_path / "seed.json", tmp_path / "sandbox.sqlite3"
    path.write_text(seed)
    start_and_fail("--seed", path, "--data", data)
    with SandboxProcess(tmp_path) as sandbox, boto3_client(sandbox) as client:
        assert len(client.list_workspaces()["workspaces"]) == 3


def test_it_does_not_start_without_a_secret() -> None:
    assert "SANDBOX_SECRET_ACCESS_KEY" in start_and_fail(SANDBOX_SECRET_ACCESS_KEY="")


def test_it_does_not_start_on_a_port_in_use(sandbox: SandboxProcess) -> None:
    assert str(sandbox.port) in start_and_fail("--port", str(sandbox.port))


@pytest.mark.parametrize("content", [b"not a database, though long enough to be one" * 30, None])
def test_it_does_not_touch_a_file_that_is_not_its_own(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "data"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    assert str(path) in start_and_fail("--data", path)
    assert content is None or path.read_bytes() == content


def test_the_secret_can_stand_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("from-the-file\n")
    environment = {**os.environ, "SANDBOX_SECRET_ACCESS_KEY": ""}
    with subprocess.Popen(
        [sys.executable, "-m", MODULE, "--port=0", "--access-key=AK", f"--secret-file={path}"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        sandbox = SandboxProcess(tmp_path)
        sandbox.port = int(process.stdout.readline().rpartition(":")[2])
        sandbox.access_key, sandbox.secret_key = "AK", "from-the-file"
        with boto3_client(sandbox) as client:
            assert len(client.list_workspaces()["workspaces"]) == 3
        process.terminate()


def test_a_page_in_a_browser_cannot_steer_it(sandbox: SandboxProcess) -> None:
    answer = send(
        sandbox, "POST", "/_sandbox/reset", b"{}", headers={"Origin": "https://example.com"}
    )
    assert answer.status == 403


@pytest.mark.parametrize("path", ["nothing", "calls/", "settings"])
def test_it_knows_no_other_steering(sandbox: SandboxProcess, path: str) -> None:
    assert send(sandbox, "GET", f"/_sandbox/{path}").status == 404


def test_three_hundred_callers_are_served_at_once(sandbox: SandboxProcess) -> None:
    sandbox.settings(latency_ms={"*": 500})
    path = f"/workspaces/{PROD}"
    headers = {
        "Host": f"127.0.0.1:{sandbox.port}",
        **signed_headers(sandbox, "GET", path),
    }
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    request = "\r\n".join([*lines, "", ""]).encode()

    async def call(barrier: asyncio.Barrier) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        await barrier.wait()
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        return answer[:12]

    async def calls() -> list[bytes]:
        barrier = asyncio.Barrier(300)
        return await asyncio.wait_for(
            asyncio.gather(*(call(barrier) for _ in range(300))), timeout=10
        )

    assert asyncio.run(calls()) == [b"HTTP/1.1 200"] * 300


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("nonsense\r\n\r\n", 400),
        ("GET / HTTP/1.0\r\n\r\n", 505),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        ("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n", 413),
        (f"GET /{'x' * 70_000} HTTP/1.1\r\n\r\n", 431),
    ],
)
def test_what_is_not_http_is_refused_and_hurts_nobody_else(
    sandbox: SandboxProcess, amg: Any, request_text: str, status: int
) -> None:
    async def talk() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        writer.write(request_text.encode())
        answer = await reader.readline()
        writer.close()
        return answer

    assert asyncio.run(talk()).split()[1] == str(status).encode()
    amg.list_workspaces()
