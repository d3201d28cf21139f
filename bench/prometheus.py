"""A real Prometheus that scrapes the portal, and what deploy/grafana/dashboard.json asks it."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from bench.drawing import Panel, picture
from tests.product import ROOT, within
from tests.servers import free_port

SCRAPE_SECONDS = 5
STEP_SECONDS = 5
INTERVAL = "30s"
"""What Grafana puts in the place of ``$__rate_interval`` at this rate of scrapes, about."""
COLUMN, ROW = 50, 36
"""Pixels of one of a dashboard's 24 columns, and of a row."""
CONFIGURATION = """
global: {{scrape_interval: {seconds}s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: portal
    static_configs: [{{targets: ["{target}"]}}]
"""


class Prometheus:
    def __init__(self, directory: Path, target: str) -> None:
        self._port = free_port()
        self._directory = directory / "prometheus"
        self._target = target
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._directory.mkdir()
        file = self._directory / "prometheus.yml"
        rules = ROOT / "deploy" / "grafana" / "alerts.yaml"
        file.write_text(
            CONFIGURATION.format(seconds=SCRAPE_SECONDS, target=self._target, rules=rules)
        )
        program = shutil.which("prometheus")
        if program is None:
            raise RuntimeError("Debian: apt-get install prometheus")
        self._process = subprocess.Popen(
            [
                program,
                f"--config.file={file}",
                f"--storage.tsdb.path={self._directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                "--log.level=error",
            ]
        )
        if not within(30, self._answers):
            raise RuntimeError("Prometheus did not start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def _answers(self) -> bool:
        try:
            return bool(self._ask("query", query="1"))
        except (URLError, OSError):
            return False

    def _ask(self, what: str, **question: str) -> Any:
        at = f"http://127.0.0.1:{self._port}/api/v1/{what}?{urlencode(question)}"
        with urlopen(at, timeout=30) as answer:
            return json.load(answer)["data"]

    def firing(self) -> list[str]:
        """Alerts of deploy/grafana/alerts.yaml that fire now."""
        found = self._ask("alerts")["alerts"]
        return sorted({one["labels"]["alertname"] for one in found if one["state"] == "firing"})

    def lines(
        self, expression: str, legend: str, since: float
    ) -> dict[str, list[tuple[float, float]]]:
        """What the expression has been since then, by what the legend calls each line."""
        question = expression.replace("$__rate_interval", INTERVAL)
        answer = self._ask(
            "query_range",
            query=question,
            start=str(since),
            end=str(time.time()),
            step=str(STEP_SECONDS),
        )
        found = {}
        for series in answer["result"]:
            name = legend
            for label in re.findall(r"{{(\w+)}}", legend):
                name = name.replace(f"{{{{{label}}}}}", series["metric"].get(label, ""))
            values = [(float(at), float(value)) for at, value in series["values"]]
            found[name] = [(at, value) for at, value in values if value == value]  # no NaN
        return found

    def dashboard(self, since: float, told: str) -> str:
        """Every panel of the dashboard, drawn: Grafana itself is in no package registry."""
        said = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text())
        panels = []
        for one in said["panels"]:
            lines: dict[str, list[tuple[float, float]]] = {}
            for target in one["targets"]:
                lines |= self.lines(target["expr"], target.get("legendFormat") or "", since)
            at = one["gridPos"]
            place = (at["x"] * COLUMN + 8, at["y"] * ROW + 8, at["w"] * COLUMN, at["h"] * ROW)
            unit = one.get("fieldConfig", {}).get("defaults", {}).get("unit", "short")
            panels.append(Panel(one["title"], place, unit, lines, one["type"] == "stat"))
        height = max(panel.place[1] + panel.place[3] for panel in panels)
        return picture(panels, width=24 * COLUMN + 8, height=int(height), told=told)
