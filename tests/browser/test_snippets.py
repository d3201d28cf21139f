"""Each snippet, copied from the page and run as a person runs it: it works, and keeps no key.

curl, Python and AWS's command line are the real ones. In the place of other vendors' tools stands a
script that writes down what it was called with and what it read.
"""

import json
import os
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import key_on, request_token, says
from tests.product import clean_environment
from tests.terminal import in_terminal

ASKED = "Paste the token"
REAL = {"aws": str(Path(sys.executable).parent / "aws"), "curl": shutil.which("curl")}
WRITES_DOWN = """#!/bin/bash
printf '%s\\n' "$@" >> "$SEEN/arguments"
printf '%s' "${TF_VAR_grafana_token:-}" > "$SEEN/variable"
"""


class Desk:
    """A folder to work in, with tools of which every argument is written down."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.directory = directory
        self.history = directory / "history"
        tools = directory / "tools"
        self.seen = directory / "seen"
        for one in (tools, self.seen):
            one.mkdir()
        for name in ("aws", "curl", "gh", "glab", "kubectl", "terraform", "vault"):
            real = REAL.get(name)
            reads = 'exec "$REAL" "$@"'.replace("$REAL", real) if real else 'cat > "$SEEN/read"'
            if name == "terraform":
                reads = ""
            (tools / name).write_text(WRITES_DOWN + reads + "\n")
            (tools / name).chmod(0o755)
        self.environment = {
            **clean_environment(),
            "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "SEEN": str(self.seen),
            "HISTFILE": str(self.history),
            "PS1": "$ ",
            "TERM": "dumb",
            **environment,
        }

    def run(self, pasted: str, key: str) -> str:
        """Paste it into a shell that keeps its history, and type the key when asked."""
        shown = in_terminal(
            ["bash", "--norc", "--noprofile", "-i"],
            pasted=f"{pasted.strip()}\n",
            asked=ASKED,
            secret=key,
            cwd=self.directory,
            environment=self.environment,
        )
        self.assert_nothing_keeps(key, shown)
        assert self.history.read_text(), "this shell keeps what is typed"
        return shown

    def assert_nothing_keeps(self, key: str, shown: str) -> None:
        assert key not in shown
        kept = self.history.read_text() if self.history.exists() else ""
        assert key not in kept + self.arguments()

    def arguments(self) -> str:
        file = self.seen / "arguments"
        return file.read_text() if file.exists() else ""

    def was_read(self) -> str:
        """What the tool has found on its standard input."""
        return (self.seen / "read").read_text()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def copy(engineer: Page) -> Callable[[str], tuple[str, str]]:
    """Requests a token and copies a snippet: the token's key, and what the clipboard then holds."""

    def copy(title: str) -> tuple[str, str]:
        request_token(engineer)
        key = key_on(engineer)
        engineer.get_by_role("tab", name=title, exact=True).click()
        engineer.get_by_role("button", name=f"Copy {title}", exact=True).click()
        expect(says(engineer, f"{title} snippet copied. The key is not in it")).to_be_visible()
        return key, str(engineer.evaluate("navigator.clipboard.readText()"))

    return copy


def test_curl(desk: Desk, copy: Callable[[str], tuple[str, str]]) -> None:
    key, command = copy("curl")
    assert '"name"' in desk.run(command, key)
    assert "/api/org" in desk.arguments()


def test_curl_tells_of_a_key_that_does_not_work(
    desk: Desk, copy: Callable[[str], tuple[str, str]]
) -> None:
    key, command = copy("curl")
    assert "401" in desk.run(command, f"{key[:-1]}x")


def test_python(desk: Desk, copy: Callable[[str], tuple[str, str]]) -> None:
    key, program = copy("Python")
    (desk.directory / "snippet.py").write_text(program)
    shown = in_terminal(
        [sys.executable, "snippet.py"],
        asked=ASKED,
        secret=key,
        cwd=desk.directory,
        environment=desk.environment,
    )
    desk.assert_nothing_keeps(key, shown)
    assert "'name'" in shown


def test_env_file(desk: Desk, copy: Callable[[str], tuple[str, str]]) -> None:
    """One that is there keeps its lines, and is from then on nobody else's to read."""
    key, command = copy(".env")
    file = desk.directory / ".env"
    file.write_text("DEBUG=1\n")
    file.chmod(0o644)
    desk.run(command, key)
    assert file.stat().st_mode & 0o777 == 0o600
    lines = file.read_text().splitlines()
    assert lines[0] == "DEBUG=1"
    assert re.fullmatch(r"GRAFANA_URL='?http://.+/grafana/g-1a2b3c4d5e'?", lines[1])
    assert lines[2:] == [f"GRAFANA_AUTH={key}"]


def test_terraform(desk: Desk, copy: Callable[[str], tuple[str, str]]) -> None:
    key, configuration = copy("Terraform")
    assert "auth = var.grafana_token" in configuration
    command = re.sub(r"(?m)^#\s*", "", configuration.partition("variable")[0]).partition(":\n")[2]
    desk.run(command, key)
    assert (desk.seen / "variable").read_text() == key
    assert desk.arguments() == "plan\n"


@pytest.mark.parametrize(
    ("title", "arguments"),
    [
        ("GitHub", r"secret set GRAFANA_TOKEN"),
        ("GitLab", r"variable set GRAFANA_TOKEN --masked"),
        (
            "Kubernetes",
            r"create secret generic grafana-first-light-\w+ --from-file=token=/dev/stdin",
        ),
        ("Vault", r"kv put -mount=secret grafana/first-light-\w+ token=-"),
    ],
)
def test_a_vendors_tool(
    desk: Desk, copy: Callable[[str], tuple[str, str]], title: str, arguments: str
) -> None:
    key, command = copy(title)
    desk.run(command, key)
    assert re.fullmatch(arguments, " ".join(desk.arguments().split()))
    assert desk.was_read() == key


@pytest.fixture
def aws() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An endpoint that takes what AWS's command line sends: its address, and what has come."""
    came: list[dict[str, Any]] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.append({"target": self.headers["X-Amz-Target"], **json.loads(body)})
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", came
        server.shutdown()


@pytest.mark.parametrize(
    ("title", "target", "name", "value"),
    [
        ("Secrets Manager", "secretsmanager.CreateSecret", "Name", "SecretString"),
        ("Parameter Store", "AmazonSSM.PutParameter", "Name", "Value"),
    ],
)
def test_awss_command_line(
    tmp_path: Path,
    aws: tuple[str, list[dict[str, Any]]],
    copy: Callable[[str], tuple[str, str]],
    title: str,
    target: str,
    name: str,
    value: str,
) -> None:
    address, came = aws
    desk = Desk(
        tmp_path,
        AWS_ENDPOINT_URL=address,
        AWS_ACCESS_KEY_ID="anybody",
        AWS_SECRET_ACCESS_KEY="anything",
        AWS_DEFAULT_REGION="eu-west-1",
        AWS_CONFIG_FILE="/dev/null",
    )
    key, command = copy(title)
    desk.run(command, key)
    assert [(one["target"], one[value]) for one in came] == [(target, key)]
    assert re.fullmatch(r"/?grafana/first-light-\w+", came[0][name])


def test_no_snippet_holds_the_key_and_the_one_used_last_comes_first(engineer: Page) -> None:
    request_token(engineer)
    key = key_on(engineer)
    engineer.get_by_test_id("show-key").click()
    tabs = engineer.get_by_role("tab")
    assert tabs.count() == 10
    for number in range(tabs.count()):
        tabs.nth(number).click()
        title = tabs.nth(number).inner_text()
        assert key not in engineer.get_by_role("tabpanel").inner_text()
        engineer.get_by_role("button", name=f"Copy {title}", exact=True).click()
        expect(says(engineer, f"{title} snippet copied. The key is not in it")).to_be_visible()
        assert "glsa_" not in engineer.evaluate("navigator.clipboard.readText()")
    engineer.get_by_role("tab", name="Kubernetes").click()
    engineer.get_by_role("button", name="Copy Kubernetes").click()
    engineer.get_by_test_id("copy-key").click()
    expect(says(engineer, "Copied.")).to_be_visible()

    request_token(engineer)
    expect(engineer.get_by_role("tab").first).to_have_text("Kubernetes")
    expect(engineer.get_by_role("tab").first).to_have_attribute("aria-selected", "true")
