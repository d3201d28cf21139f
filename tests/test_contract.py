"""The product from outside, as an auditor's script sees it: HTTP, boto3 and the commands alone.

``PORTAL_GRAFANA=aws`` with a demo password, against a stand-in whose workspaces are not the demo's.
"""

import hashlib
import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from portal.models import Action
from tests.grafana.aws_clients import boto3_client
from tests.grafana.sandbox_process import SandboxProcess
from tests.person import KeyPair, Person
from tests.product import ROOT, Product

PASSWORD = "$a demo password"
ALPHA, BETA, ZETA = "g-00000000b1", "g-00000000c1", "g-00000000a1"
ACCOUNTS = [{"name": "ci", "grafanaRole": "EDITOR"}, {"name": "root", "grafanaRole": "ADMIN"}]
SEED = {
    "workspaces": [
        {"id": ZETA, "name": "zeta", "serviceAccounts": ACCOUNTS},
        {"id": ALPHA, "name": "alpha", "serviceAccounts": ACCOUNTS},
        {"id": BETA, "name": "beta", "serviceAccounts": ACCOUNTS},
    ]
}
STATUS = {"state", "message", "name", "workspace", "service_account"} | {
    "seconds_to_live", "expires_at",
}  # fmt: skip
MEMBERS = {"seq", "at", "action", "outcome", "actor", "team", "token", "token_name"} | {
    "workspace", "service_account", "aws_request_id", "prev_hash", "hash",
}  # fmt: skip
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    directory = tmp_path_factory.mktemp("aws")
    seed = directory / "seed.json"
    seed.write_text(json.dumps(SEED))
    with SandboxProcess(directory, seed=seed) as aws:
        yield aws


@pytest.fixture(scope="module")
def product(aws: SandboxProcess) -> Iterator[Product]:
    settings = {
        "PORTAL_GRAFANA": "aws",
        "PORTAL_DEMO_PASSWORD": PASSWORD,
        "PORTAL_INVENTORY_SECONDS": "86400",
        **aws.environment,
    }
    with Product(**settings) as product:
        yield product


@pytest.fixture(scope="module")
def people(product: Product) -> dict[str, Person]:
    names = ("engineer", "teammate", "lead", "outsider", "admin")
    return {name: product.sign_in(f"{name}@example.com") for name in names}


@pytest.fixture(scope="module")
def command(product: Product) -> Command:
    """An operator's command, in the product's own environment."""

    def command(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=product.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return command


def ask(person: Person, keys: KeyPair, **fields: str) -> str:
    wish = {
        "workspace": ALPHA,
        "service_account": "2",
        "name": f"ci-{uuid.uuid4().hex[:8]}",
        "seconds_to_live": "3600",
        "reason": "a check",
    }
    return person.request(keys, **wish | fields)


def test_the_last_workspace_by_name_is_mobiles_and_every_other_is_platforms(
    people: dict[str, Person],
) -> None:
    offered = {name: people[name].get("/tokens/new/").text for name in ("engineer", "outsider")}
    assert [one in offered["engineer"] for one in (ALPHA, BETA, ZETA)] == [True, True, False]
    assert [one in offered["outsider"] for one in (ALPHA, BETA, ZETA)] == [False, False, True]


def test_without_the_sandbox_nobody_comes_in_without_a_password(product: Product) -> None:
    assert product.pids("sign-in") == set()
    assert "sso-button" not in requests.get(f"{product.url}/accounts/login/", timeout=30).text


def test_a_token_from_its_request_to_its_end(
    people: dict[str, Person], keys: KeyPair, aws: SandboxProcess
) -> None:
    engineer, teammate, outsider = people["engineer"], people["teammate"], people["outsider"]
    page = f"/tokens/{ask(engineer, keys, name='first')}/"
    token_id = page.split("/")[2]
    with requests.Session() as nobody:
        for name in ("status", "sealed"):
            assert nobody.get(f"{engineer.url}{page}{name}/").status_code == 401
        assert nobody.post(f"{engineer.url}{page}delivered/").status_code == 401
        away = nobody.get(f"{engineer.url}{page}", allow_redirects=False)
        assert away.headers["Location"].startswith("/accounts/login/")

    status = engineer.get(f"{page}status/?wait=15&state=none").json()
    while status["state"] in ("queued", "issuing"):
        assert set(status) == STATUS
        status = engineer.get(f"{page}status/?wait=15&state={status['state']}").json()
    assert (status["state"], set(status)) == ("sealed", STATUS)
    assert (status["name"], status["workspace"]) == ("first", ALPHA)
    assert (status["service_account"], status["seconds_to_live"]) == ("2", 3600)
    [at_aws] = aws.live_tokens(name="first")

    sealed = engineer.get(f"{page}sealed/")
    assert (sealed.status_code, list(sealed.json())) == (200, ["sealed_key"])
    assert "no-store" in sealed.headers["Cache-Control"]
    assert teammate.get(f"{page}sealed/").status_code == 403
    assert outsider.get(f"{page}sealed/").status_code == 404
    key = keys.open(sealed.json()["sealed_key"], token_id)
    fingerprint = hashlib.sha256(key.encode()).hexdigest()
    for sent, expected in (
        ("0" * 64, 409),
        (fingerprint, 200),
        (fingerprint, 200),
        ("0" * 64, 409),
    ):
        assert engineer.post(f"{page}delivered/", fingerprint=sent).status_code == expected
    assert engineer.get(f"{page}sealed/").status_code == 410
    works = requests.get(
        f"{aws.url}/api/org", headers={"Authorization": f"Bearer {key}"}, timeout=10
    )
    assert works.status_code == 200

    for name in ("revoke", "cancel", "approve", "deny", "collect", "hand-over"):
        answer = engineer.get(f"{page}{name}/")
        assert (answer.status_code, answer.headers["Location"]) == (302, page)
    assert engineer.get(f"{page}delivered/").status_code == 405
    assert teammate.post(f"{page}revoke/", reason="mine").status_code == 403
    assert outsider.post(f"{page}revoke/", reason="mine").status_code == 404
    chosen = {"token": token_id, "reason": "it leaked"}
    assert people["lead"].post("/team/platform/revoke/", **chosen, preview="1").status_code == 200
    assert engineer.get(f"{page}status/").json()["state"] == "active"
    assert people["lead"].post("/team/platform/revoke/", **chosen).status_code == 302
    too_late = engineer.post(f"{page}revoke/", reason="it leaked")
    assert too_late.status_code == 409
    assert "lead@example.com" in too_late.text
    while engineer.get(f"{page}status/?wait=15&state=revoking").json()["state"] == "revoking":
        pass
    assert at_aws["id"] not in [one["id"] for one in aws.live_tokens(name="first")]


def test_a_mistake_is_said_beside_its_field_and_everything_typed_is_kept(
    people: dict[str, Person], keys: KeyPair
) -> None:
    typed = {
        "workspace": ALPHA,
        "service_account": "3",
        "name": "half typed",
        "seconds_to_live": "2592001",
        "reason": "why <not>",
        "public_key": keys.public,
    }
    answer = people["engineer"].post("/tokens/new/", **typed)
    assert answer.status_code == 422
    assert "id_seconds_to_live_error" in answer.text
    for kept in ("half typed", "2592001", "why &lt;not&gt;"):
        assert kept in answer.text


def test_what_was_made_elsewhere_is_in_the_inventory_and_found_once(
    people: dict[str, Person], aws: SandboxProcess, command: Command
) -> None:
    with boto3_client(aws) as client:
        client.create_workspace_service_account_token(
            workspaceId=BETA, serviceAccountId="2", name="by-hand", secondsToLive=3600
        )
    for _ in range(2):
        assert command("sweep").returncode == 0
    assert people["engineer"].get("/inventory/").status_code == 403
    assert "by-hand" in people["admin"].get("/inventory/").text
    export = people["admin"].get("/audit/export.jsonl?action=token.drift_found").text
    found = [json.loads(line) for line in export.splitlines()[:-1]]
    assert [(one["workspace"], one["service_account"]) for one in found] == [(BETA, "2")]
    assert "by-hand" in found[0]["subject"]


def test_an_export_holds_what_it_promises_and_the_command_tells_whether_it_is_intact(
    people: dict[str, Person], command: Command, tmp_path: Path
) -> None:
    text = people["admin"].get("/audit/export.jsonl").text
    lines = text.splitlines(keepends=True)
    events = [json.loads(line) for line in lines[:-1]]
    assert all(set(event) >= MEMBERS for event in events)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert {event["action"] for event in events} <= set(Action.values)

    export = tmp_path / "audit.jsonl"
    export.write_text(text)
    intact = command("verify_audit", str(export))
    assert (intact.returncode, intact.stdout[:8]) == (0, "intact: ")
    export.write_text("".join([*lines[:4], lines[4].replace('"at":"2', '"at":"3'), *lines[5:]]))
    broken = command("verify_audit", str(export))
    assert (broken.returncode, "event 5 " in broken.stdout) == (1, True)
    assert command("verify_audit", str(tmp_path / "nothing")).returncode == 2
    assert command("verify_audit").returncode == 0


def test_an_access_file_shows_its_plan_and_changes_nothing_until_it_is_applied(
    people: dict[str, Person], command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "access.yaml"
    file.write_text(
        """
version: 1
connections:
  main: {region: eu-west-1}
people:
  - {email: admin@example.com, admin: true, auditor: true}
teams:
  platform:
    leads: [lead@example.com]
    members: [engineer@example.com, teammate@example.com]
    idp_groups: [grafana-platform]
    lead_idp_groups: [grafana-platform-leads]
    grants:
      - workspace: alpha
        service_accounts: [root, 2]
        max_ttl: 1d
        default_ttl: 8h
        approval: admin-role
        reason: required
        self_approval: false
        max_live: 20
        max_live_per_person: 5
  mobile:
    members: [outsider@example.com]
    grants: [{workspace: "*", service_accounts: ["*"]}]
"""
    )
    plan = command("apply_access", str(file), "--dry-run")
    assert (plan.returncode, "max_ttl 1d" in plan.stdout) == (0, True)
    assert BETA in people["engineer"].get("/tokens/new/").text
    assert command("apply_access", str(file)).returncode == 0
    assert BETA not in people["engineer"].get("/tokens/new/").text
    assert BETA in people["outsider"].get("/tokens/new/").text
    assert command("apply_access", str(tmp_path / "nothing")).returncode == 1
    assert command("sweep").returncode == 0
    assert BETA not in people["engineer"].get("/tokens/new/").text, "the demo's own is back"


def test_an_approval_is_asked_given_and_collected(people: dict[str, Person], keys: KeyPair) -> None:
    """After the access file above, an ADMIN account wants a lead's approval."""
    engineer, lead = people["engineer"], people["lead"]
    page = f"/tokens/{ask(engineer, keys, service_account='3', name='root')}/"
    assert engineer.get(f"{page}status/").json()["state"] == "awaiting_approval"
    assert engineer.post(f"{page}approve/").status_code == 403
    assert lead.post(f"{page}approve/", seconds_to_live="7200").status_code == 422
    assert lead.post(f"{page}approve/", seconds_to_live="1800", reason="ok").status_code == 302
    too_late = lead.post(f"{page}deny/", reason="no")
    assert (too_late.status_code, "lead@example.com approved it" in too_late.text) == (409, True)
    assert lead.post(f"{page}collect/", public_key=keys.public).status_code == 403
    assert engineer.get(f"{page}sealed/").status_code == 202
    assert engineer.post(f"{page}collect/", public_key=keys.public).status_code == 302
    assert engineer.take(keys, page.split("/")[2]).startswith("glsa_")
    assert engineer.get(f"{page}status/").json()["seconds_to_live"] == 1800
