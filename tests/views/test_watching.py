"""Alerts, dashboard and runbook speak of metrics that there are, and of each other."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml
from django.test import Client
from pytest_django import Settings

from portal.metrics import aws
from portal.models import Heartbeat, Workspace
from portal.observing import seen
from portal.streams import Stream
from tests.conftest import Catalog
from tests.product import ROOT

GRAFANA = ROOT / "deploy" / "grafana"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((GRAFANA / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((GRAFANA / "dashboard.json").read_text())
EXPRESSIONS = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
]
METRIC = re.compile(r"\bportal_[a-z_]+")


def promtool(*arguments: str) -> "subprocess.CompletedProcess[str]":
    program = shutil.which("promtool")
    assert program, "Debian: apt-get install prometheus"
    return subprocess.run(
        [program, *arguments], cwd=GRAFANA, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_rules_are_rules() -> None:
    done = promtool("check", "rules", "alerts.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_fired_by_its_cause_and_silent_without_it() -> None:
    done = promtool("test", "rules", "alerts_test.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    said = yaml.safe_load((GRAFANA / "alerts_test.yaml").read_text())["tests"]
    fired = {
        test["alert_rule_test"][0]["alertname"] for test in said if " without" not in test["name"]
    }
    silent = {
        test["alert_rule_test"][0]["alertname"] for test in said if " without" in test["name"]
    }
    assert fired == silent == {rule["alert"] for rule in RULES}


def test_the_runbook_has_a_section_for_each_alert() -> None:
    text = (ROOT / "docs" / "RUNBOOK.md").read_text()
    sections = re.findall(r"^## (\w+)$", text, re.M)
    assert sections == [rule["alert"] for rule in RULES]
    for rule in RULES:
        anchor = f"docs/RUNBOOK.md#{rule['alert'].lower()}"
        assert rule["annotations"]["runbook_url"] == anchor


@pytest.mark.django_db
def test_every_metric_that_is_named_is_told(catalog: Catalog, settings: Settings) -> None:
    settings.AUDIT_STREAM = Stream("log")
    for kind in ("worker", "scheduler", "aws"):
        Heartbeat.beat(kind)
    seen.aws_call("ListWorkspaces", "200", 0.1)
    aws.write()
    assert Workspace.objects.exists()
    lines = Client().get("/metrics").content.decode().splitlines()
    told = {line.split("{")[0].split()[0] for line in lines if not line.startswith("#")}
    named = {name for expression in EXPRESSIONS for name in METRIC.findall(expression)}
    assert named - told == set()
    documented = set(METRIC.findall((ROOT / "docs" / "OPERATIONS.md").read_text()))
    families = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in told}
    assert families - documented == set(), "docs/OPERATIONS.md lists each"


def test_panels_have_names_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["title"] for panel in panels}) == len({panel["id"] for panel in panels})
    assert len(panels) == len({panel["id"] for panel in panels})
