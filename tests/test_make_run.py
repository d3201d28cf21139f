"""``make run``: the whole product in the foreground, which starts, heals and stops as one."""

import contextlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from django.test import override_settings

from portal.embedded import product as parts
from portal.embedded.processes import Process
from portal.embedded.product import is_ready
from portal.management.commands import run
from tests import environment
from tests.grafana.sandbox_process import PROD, SandboxProcess
from tests.identity_provider import choose
from tests.person import KeyPair, Person
from tests.product import COMMAND, Product, within

DEMO = ("engineer", "teammate", "lead", "outsider", "admin")
SELF_MADE = ["worker", "web", "scheduler", "sandbox", "sign-in"]
if environment.STACK == "embedded":
    SELF_MADE.append("broker")


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with Product() as product:
        yield product


@pytest.fixture(scope="module")
def engineer(product: Product) -> Person:
    return product.sign_in("engineer@example.com")


def is_healthy(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=5).status_code == 200
    except requests.RequestException:
        return False


def ask(person: Person, keys: KeyPair) -> str:
    """Request a token for the demo's first service account; its id."""
    return person.request(
        keys,
        workspace=PROD,
        service_account="2",
        name=f"ci-{uuid.uuid4().hex[:8]}",
        seconds_to_live="3600",
        reason="",
    )


def get_a_key(person: Person, keys: KeyPair) -> None:
    """Request a token and take its key."""
    assert person.take(keys, ask(person, keys)).startswith("glsa_")


def test_it_prints_the_address_and_the_demo_sign_ins(product: Product) -> None:
    log = product.log()
    assert f"The portal runs: {product.url}/" in log
    for name in DEMO:
        assert f"  {name}@example.com" in log
        assert product.sign_in(f"{name}@example.com").get("/tokens/").status_code == 200


def test_it_prints_no_traceback_and_no_key(
    product: Product, engineer: Person, keys: KeyPair
) -> None:
    get_a_key(engineer, keys)
    assert "Traceback" not in product.log()
    assert "glsa_" not in product.log()


def test_a_newcomer_presses_the_button_and_chooses_who_they_are(product: Product) -> None:
    assert "Continue with single sign-on" in product.log()
    for email, team, status in (
        ("lead@example.com", "/team/platform/", 200),
        ("newcomer@example.com", "/tokens/new/", 200),
        ("stranger@example.com", "/tokens/", 302),
    ):
        person = Person(product.url)
        page = person.http.get(f"{product.url}/accounts/login/", timeout=30).text
        person.csrf = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[0]
        sent = person.post("/accounts/oidc/sso/login/", next=team)
        back = urlsplit(choose(sent.headers["Location"], email))
        came = person.get(f"{back.path}?{back.query}")
        assert came.status_code == (403 if status == 302 else 302)
        assert person.get(team).status_code == status
        person.http.close()


def test_a_port_that_is_taken_beside_the_portal_s_own_costs_nothing(tmp_path: Path) -> None:
    product = Product(tmp_path)
    port = int(product.environment["PORTAL_SANDBOX_SIGN_IN_PORT"])
    with socket.create_server(("127.0.0.1", port)), product:
        with requests.Session() as http:
            page = http.get(f"{product.url}/accounts/login/", timeout=30).text
            token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[0]
            sent = http.post(
                f"{product.url}/accounts/oidc/sso/login/",
                {"csrfmiddlewaretoken": token},
                allow_redirects=False,
                timeout=30,
            )
        assert sent.status_code == 302
        assert urlsplit(sent.headers["Location"]).port != port


@pytest.mark.parametrize("name", SELF_MADE)
def test_a_process_that_is_killed_is_started_again_and_requests_succeed(
    product: Product, engineer: Person, keys: KeyPair, name: str
) -> None:
    others = {product.master(other) for other in SELF_MADE if other != name}
    before = product.pids(name)
    product.kill(name)
    assert within(30, lambda: not before & product.pids(name) and product.pids(name) != set())
    assert within(30, lambda: is_healthy(product.url))
    get_a_key(engineer, keys)
    assert f"{name} ended with -9; starting it again" in product.log()
    assert others <= {one.pid for one in product.processes()}


def test_a_killed_worker_leaves_none_of_its_pool_behind(
    product: Product, engineer: Person, keys: KeyPair
) -> None:
    get_a_key(engineer, keys)
    before = product.pids("worker")
    assert len(before) > 1
    product.kill("worker")
    assert within(30, lambda: not before & product.pids("worker"))


def test_a_second_run_on_the_same_data_is_refused_with_one_line(product: Product) -> None:
    refused = subprocess.run(
        COMMAND,
        env={**product.environment, "PORT": "1", "PORTAL_SANDBOX_PORT": "2"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 1
    assert refused.stdout == ""
    [line] = refused.stderr.splitlines()
    assert f"already runs on {product.data_dir}" in line
    assert is_healthy(product.url)


@pytest.mark.parametrize("name", ["PORT", "PORTAL_SANDBOX_PORT", "PORTAL_BROKER_PORT"])
def test_a_port_in_use_is_named_in_one_line(name: str) -> None:
    """What answers there is not ours: nothing is sent to it."""
    # A directory too deep for a socket: the broker has a port there.
    directory = Path(tempfile.mkdtemp(prefix=f"portal-{'deep-' * 20}"))
    product = Product(directory)
    with socket.create_server(("127.0.0.1", int(product.environment[name]))) as stranger:
        stranger.settimeout(0.1)
        process = product.launch()
        assert process.wait(60) == 1
        with pytest.raises(TimeoutError):
            stranger.accept()
    [line] = product.log().splitlines()
    assert f"is in use. Set {name} to a free one" in line
    assert product.processes() == []
    product.close()
    shutil.rmtree(directory)


def test_who_answers_in_place_of_what_was_started_is_not_taken_for_it() -> None:
    sandbox = Process("sandbox", [sys.executable, "-c", "import time; time.sleep(60)"])
    sandbox.start()
    try:
        with (
            SandboxProcess(Path(tempfile.mkdtemp())) as stranger,
            override_settings(SANDBOX_PORT=stranger.port),
        ):
            assert requests.get(f"{stranger.url}/_sandbox/", timeout=5).ok
            assert not is_ready(sandbox)
    finally:
        sandbox.ask_to_stop()
        sandbox.wait(time.monotonic() + 10)


@pytest.mark.parametrize("seconds", [0.1, 1.0, 2.5])
def test_ctrl_c_while_it_starts_stops_it_without_a_traceback(seconds: float) -> None:
    product = Product()
    process = product.launch()
    try:
        time.sleep(seconds)  # the moment matters, and not what has happened by then
        process.send_signal(signal.SIGINT)
        process.wait(60)
        assert "Traceback" not in product.log()
        assert within(10, lambda: product.processes() == [])
    finally:
        product.close()


def test_ctrl_c_that_a_library_swallows_while_it_starts_still_stops_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def start(_: run.Command) -> None:
        with contextlib.suppress(BaseException):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(run.Command, "_start", start)
    monkeypatch.setattr(parts, "alone", contextlib.nullcontext)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        run.Command().handle()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert "Stopped." in capsys.readouterr().out


def refused(**settings: str) -> str:
    """The one line with which a start was refused; nothing of it runs any more."""
    product = Product(**settings)
    try:
        assert product.launch().wait(60) == 1
        assert product.processes() == []
        *sandbox, line = product.log().splitlines()
        assert all(one.startswith("Sandbox of Amazon Managed Grafana") for one in sandbox)
        return line
    finally:
        product.close()


def test_a_folder_of_others_is_not_cleared_for_static_files(tmp_path: Path) -> None:
    theirs = tmp_path / "index.html"
    theirs.write_text("theirs")
    line = refused(PORTAL_STATIC_ROOT=str(tmp_path))
    assert f"PORTAL_STATIC_ROOT ({tmp_path}) holds files that are not the portal's" in line
    assert theirs.read_text() == "theirs"


def test_static_files_that_have_no_folder_are_named_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert refused(PORTAL_STATIC_ROOT=str(file)).startswith("portal: a file can't be used")


def test_an_access_file_that_is_none_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "access.yaml"
    line = refused(PORTAL_ACCESS_FILE=str(file))
    assert line.startswith("portal: setting PORTAL_ACCESS_FILE names a file that can't be read")
    file.write_text("version: 1\nteams:\n  platform: {membres: []}\npepole: []\n")
    line = refused(PORTAL_ACCESS_FILE=str(file))
    assert line.startswith("portal: setting PORTAL_ACCESS_FILE names a file with a mistake: ")
    assert "line 3, column 14: teams.platform: does not know 'membres' (and 1 more" in line
    file.write_bytes(b"\xff")
    assert "PORTAL_ACCESS_FILE names a file that can't be read" in refused(
        PORTAL_ACCESS_FILE=str(file)
    )


@pytest.mark.parametrize("people", ["people: []", ""], ids=["named", "not named"])
def test_an_access_file_after_which_nobody_is_admin_stops_the_start(
    tmp_path: Path, people: str
) -> None:
    file = tmp_path / "access.yaml"
    file.write_text(f"version: 1\n{people}")
    assert refused(PORTAL_ACCESS_FILE=str(file)) == (
        "portal: setting PORTAL_ACCESS_FILE names a file after which nobody is admin, neither by "
        "name nor by admin_idp_groups"
    )


def test_a_database_that_does_not_answer_is_named_last() -> None:
    product = Product(DATABASE_URL="postgres://portal:db-password@127.0.0.1:1/portal")
    try:
        assert product.launch().wait(60) == 1
        log = product.log()
        assert "the database can't be used (PostgreSQL, " in log.splitlines()[-1]
        assert "db-password" not in log
        assert "Traceback" not in log
    finally:
        product.close()


def test_health_is_told_once_the_catalog_is_read_and_the_demo_has_its_grants(
    tmp_path: Path, keys: KeyPair
) -> None:
    """With PORTAL_GRAFANA=aws, so that the catalog can be made slow from outside."""
    slow = 3.0
    with SandboxProcess(tmp_path) as aws:
        aws.fault("hang", operation="ListWorkspaces", seconds=slow)
        product = Product(
            PORTAL_GRAFANA="aws",
            PORTAL_DEMO_PASSWORD="a demo password",
            ALLOWED_HOSTS="*",
            **aws.environment,
        )
        try:
            started = time.monotonic()
            product.launch()
            assert within(60, lambda: is_healthy(product.url))
            assert time.monotonic() - started > slow
            assert aws.calls("ListWorkspaces")
            engineer = Person(product.url)
            engineer.sign_in("engineer@example.com", "a demo password")
            assert PROD in engineer.get("/tokens/new/").text
            engineer.http.close()
        finally:
            product.close()


def test_ctrl_c_lets_the_running_task_finish_and_the_next_start_keeps_what_was(
    product: Product, keys: KeyPair, record_property: Callable[[str, object], None]
) -> None:
    password = product.password
    engineer = product.sign_in("engineer@example.com")
    product.sandbox.fault("hang", operation="CreateWorkspaceServiceAccountToken", seconds=3)
    token_id = ask(engineer, keys)
    status = f"/tokens/{token_id}/status/"
    assert within(10, lambda: engineer.get(status).json()["state"] == "issuing")

    started = time.monotonic()
    assert product.stop(signal.SIGINT) == 0
    assert time.monotonic() - started < 20, "no longer than the task takes"
    assert product.processes() == []
    assert product.log().rstrip().endswith("Stopped.")

    started = time.monotonic()
    product.start()
    record_property("second_start_seconds", round(time.monotonic() - started, 1))
    assert product.password == password
    engineer = product.sign_in("engineer@example.com")
    assert f"/tokens/{token_id}/" in engineer.get("/tokens/").text
    assert engineer.take(keys, token_id).startswith("glsa_")


def test_a_killed_run_leaves_no_process_behind(product: Product) -> None:
    assert len(product.processes()) > 5
    product.kill("run")
    assert within(30, lambda: not product.processes())
