"""Every way to run the portal starts the same processes: those of deploy/processes.yaml."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from portal.grafana.types import Operation
from tests.product import ROOT, clean_environment

DEPLOY = ROOT / "deploy"
PROCESSES: dict[str, dict[str, Any]] = yaml.safe_load((DEPLOY / "processes.yaml").read_text())
RUNNING = [name for name in PROCESSES if name != "migrate"]
IN_IMAGE = "/opt/portal/state"


def command(name: str, *, address: str) -> list[str]:
    return [part.format(address=address) for part in PROCESSES[name]["command"]]


def environment(name: str, *, state: str) -> dict[str, str]:
    said: dict[str, str] = PROCESSES[name]["environment"]
    return {key: value.format(state=state) for key, value in said.items()}


def documents(file: str) -> list[dict[str, Any]]:
    return [*yaml.safe_load_all((DEPLOY / "kubernetes" / file).read_text())]


# -- systemd --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROCESSES)
def test_systemd_starts_them_alike(name: str) -> None:
    unit = (DEPLOY / "systemd" / f"portal-{name}.service").read_text()
    started, *_ = re.findall(r"^ExecStart=/opt/portal/\.venv/bin/(.+)$", unit, re.M)
    assert shlex.split(started) == command(name, address="127.0.0.1:8000")
    said = dict(one.split("=", 1) for one in re.findall(r"^Environment=(.+)$", unit, re.M))
    assert said == environment(name, state="/var/lib/portal")
    if name in RUNNING:
        [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.M)
        assert int(seconds) == PROCESSES[name]["stop_seconds"]


def test_there_is_no_unit_beside_them() -> None:
    units = {path.stem.removeprefix("portal-") for path in (DEPLOY / "systemd").glob("*.service")}
    assert units == set(PROCESSES)


# -- The image ------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Dockerfile").read_text()
    text = re.sub(r"^#.*\n", "", text, flags=re.M).replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def test_the_image_starts_the_web_process() -> None:
    said = dict(instructions())
    assert json.loads(said["CMD"]) == command("web", address="0.0.0.0:8000")
    assert "ENTRYPOINT" not in said
    for key, value in environment("web", state=IN_IMAGE).items():
        assert f"{key}={value}" in said["ENV"]


def test_the_image_runs_as_nobody_in_particular_and_says_how_it_is() -> None:
    said = dict(instructions())
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", said["USER"])
    assert "/healthz" in said["HEALTHCHECK"]
    base, *stages = [value for name, value in instructions() if name == "FROM"]
    assert re.search(r":\d+\.\d+\.\d+", base), "a version, and not whatever is newest"
    assert all(stage.split()[0] == "base" for stage in stages)


def left_out() -> list[Path]:
    """What the build does not copy of a folder that it copies."""
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    return [ROOT / line for line in lines if line and not line.startswith(("!", "#", "*"))]


def without(*paths: Path) -> Callable[[str, list[str]], set[str]]:
    def ignored(folder: str, names: list[str]) -> set[str]:
        return {one for one in names if one == "__pycache__" or Path(folder) / one in paths}

    return ignored


EVERY_MODULE = """
import importlib, os, pkgutil, sys
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
import portal
names = [one.name for one in pkgutil.walk_packages(portal.__path__, "portal.")]
for name in names:
    if not name.startswith(("portal.identity.saml", "portal.views.accounts.saml_urls")):
        importlib.import_module(name)
print(len(names), *(one for one in sys.modules if "sandbox" in one or "embedded" in one))
"""


def test_a_production_is_whole_without_the_sandbox_and_the_embedded_default(
    tmp_path: Path,
) -> None:
    assert ROOT / "portal" / "grafana" / "sandbox" in left_out()
    assert ROOT / "portal" / "embedded" in left_out()
    assert all(path.exists() for path in left_out())
    shutil.copytree(ROOT / "portal", tmp_path / "portal", ignore=without(*left_out()))
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    settings = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/portal.sqlite3",
        "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
        "EMAIL_URL": f"filemail://{tmp_path}",
        "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz",
        "AUDIT_KEY": "zyxwvutsrqponmlkjihgfedcba9876543210",
        "ALLOWED_HOSTS": "tokens.example.com",
        "PORTAL_ORIGIN": "https://tokens.example.com",
        "PORTAL_DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    done = subprocess.run(
        [sys.executable, "-c", EVERY_MODULE],
        cwd=tmp_path,
        env=clean_environment() | settings,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    number, *of_the_demo = done.stdout.split()
    assert (int(number) > 300, of_the_demo) == (True, [])


def test_the_image_s_steps_need_nothing_but_what_they_copy(tmp_path: Path) -> None:
    """The build's own line, in a folder that has what its COPY instructions name."""
    for name, value in instructions():
        if name != "COPY" or value.startswith("--from"):
            continue
        source, target = value.split()
        place = tmp_path / (source if target == "./" else target)
        place.parent.mkdir(parents=True, exist_ok=True)
        ignore = without(*left_out())
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=ignore)
        else:
            shutil.copy(ROOT / source, place)
    [collect] = [
        value for name, value in instructions() if name == "RUN" and "collectstatic" in value
    ]
    step = collect.split("&&")[0].replace(IN_IMAGE, str(tmp_path / "state"))
    step = step.replace(".venv/bin/python", shlex.quote(sys.executable))
    step = step.replace("/tmp/build", str(tmp_path / "build"))
    done = subprocess.run(
        step,
        shell=True,
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "state" / "static" / "staticfiles.json").exists()
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text()
    for name, value in instructions():
        if name == "COPY" and not value.startswith("--from"):
            assert f"!{value.split()[0]}\n" in ignored


# -- compose.yaml ---------------------------------------------------------------------------------


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return found


@pytest.mark.parametrize("name", PROCESSES)
def test_compose_starts_them_alike(name: str) -> None:
    service = services()[name]
    assert service["command"] == command(name, address="0.0.0.0:8000")
    assert environment(name, state=IN_IMAGE).items() <= service["environment"].items()
    if name in RUNNING:
        assert service["stop_grace_period"] == f"{PROCESSES[name]['stop_seconds']}s"
        assert service["depends_on"]["grants"]["condition"] == "service_completed_successfully"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    # Only the web's image says how it is by http.
    assert ("healthcheck" in service) == (name != "web")


def test_every_file_that_compose_names_is_there_or_is_one_of_its_secrets() -> None:
    said = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for one in said["configs"].values():
        assert (DEPLOY / one["file"]).exists(), one
    told = (DEPLOY / "compose.env.example").read_text()
    for name, one in said["secrets"].items():
        assert one["file"] == f"secrets/{name}"
        assert re.search(rf"\b{name}\b", told), f"the example says how {name} is made"


# -- Kubernetes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROCESSES)
def test_kubernetes_starts_them_alike(name: str) -> None:
    workload = next(
        one for one in documents(f"{name}.yaml") if one["kind"] in ("Deployment", "Job")
    )
    pod = workload["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["args"] == command(name, address="[::]:8000")
    said = {one["name"]: one["value"] for one in container["env"]}
    files = {key: value for key, value in said.items() if key.endswith("_FILE")}
    assert said == environment(name, state=IN_IMAGE) | files
    mounted = {one["mountPath"] for one in container["volumeMounts"]}
    assert {str(Path(file).parent) for file in files.values()} <= mounted
    if name in RUNNING:
        assert pod["terminationGracePeriodSeconds"] == PROCESSES[name]["stop_seconds"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_kustomize_names_every_file_that_is_there() -> None:
    [said] = documents("kustomization.yaml")
    there = {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")}
    assert {*said["resources"], "kustomization.yaml"} == there


# -- Settings, and AWS ----------------------------------------------------------------------------


def known_settings() -> set[str]:
    """What docs/OPERATIONS.md's table of settings names."""
    text = (ROOT / "docs" / "OPERATIONS.md").read_text()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([A-Z][A-Z_]+)`", row)}


def test_every_setting_that_a_packaging_gives_is_one_of_the_documents() -> None:
    given = set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "compose.env.example").read_text(), re.M))
    given |= {name for one in services().values() for name in one.get("environment", {})}
    [kustomization] = documents("kustomization.yaml")
    for one in kustomization["configMapGenerator"][0]["literals"]:
        given.add(one.split("=")[0])
    ours = {name.removesuffix("_FILE") for name in given if not name.startswith("POSTGRES_")}
    assert ours - known_settings() == {"AWS_REGION", "PORTAL_HOST"}


def test_terraform_allows_what_the_portal_calls_and_nothing_else() -> None:
    text = (DEPLOY / "terraform" / "main.tf").read_text()
    assert set(re.findall(r'"grafana:(\w+)"', text)) == {str(one) for one in Operation}


# -- One host after another -----------------------------------------------------------------------


def test_a_rolling_restart_stops_at_a_host_that_does_not_come_back(tmp_path: Path) -> None:
    """systemctl and curl are the hosts' own; here they are told what to say."""
    log = tmp_path / "log"
    remote = tmp_path / "remote"
    remote.write_text(
        f'#!/bin/sh\nhost=$1; shift\necho "$host $*" >> {log}\n'
        'case "$host $*" in\n'
        "  bad*readyz*) exit 7;;\n"
        '  *readyz*) echo \'{"status": "ok"}\';;\n'
        "esac\n"
    )
    remote.chmod(0o755)
    sleep = tmp_path / "sleep"
    sleep.write_text("#!/bin/sh\nexit 0\n")
    sleep.chmod(0o755)
    done = subprocess.run(
        [DEPLOY / "rolling-restart.sh", "good", "bad", "never"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "REMOTE": str(remote)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("bad: not ready after a minute")
    said = log.read_text().splitlines()
    assert said[0].startswith("good systemctl restart portal-worker")
    assert not any(line.startswith("never") for line in said)
