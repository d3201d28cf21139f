"""The running product as the tests in a browser use it."""

import contextlib
import os
import signal
from functools import cached_property
from pathlib import Path

import requests
from playwright.sync_api import Page, expect

from tests.grafana.sandbox_process import SandboxProcess
from tests.product import Product, within
from tests.warm_python import WarmPython

SET_UP = "import django; django.setup(); import portal.management.commands.apply_access"
APPLY = "from django.core.management import call_command; call_command('apply_access', {!r})"
SCIM_TOKEN = "the-provider-s-token-in-these-tests-0123"


class Live:
    """A product that runs, its sandbox, and people who sign in by its own form."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self._http = requests.Session()
        self._http.trust_env = False  # whatever proxy this machine has

    def close(self) -> None:
        self._http.close()
        if "_python" in vars(self):
            self._python.close()

    @property
    def url(self) -> str:
        return self.product.url

    @property
    def sandbox_url(self) -> str:
        return self.product.sandbox_url

    @cached_property
    def sandbox(self) -> SandboxProcess:
        return self.product.sandbox

    def sign_in(self, page: Page, email: str) -> None:
        """Fill in the sign-in form and land on one's own tokens."""
        page.goto(f"{self.url}/accounts/login/")
        page.get_by_label("Email").fill(email)
        page.get_by_label("Password").fill(self.product.password)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{self.url}/tokens/")

    def answers_to(self, key: str) -> int:
        """The status with which Grafana's ``/api/org`` answers a bearer of ``key``."""
        answer = self._http.get(
            f"{self.sandbox_url}/api/org", headers={"Authorization": f"Bearer {key}"}, timeout=10
        )
        return answer.status_code

    def apply_access(self, file: str) -> None:
        """Apply an access file with the operator's command."""
        path = Path(self.product.environment["PORTAL_ACCESS_FILE"])
        path.write_text(file)
        self.run(APPLY.format(str(path)))

    def run(self, code: str) -> None:
        """Run some Python in a process of the product's settings, in which Django is set up."""
        done = self._python.run(code)
        assert done.returncode == 0, done.stdout + done.stderr

    @cached_property
    def _python(self) -> WarmPython:
        environment = {"DJANGO_SETTINGS_MODULE": "portal.settings", **self.product.environment}
        return WarmPython(SET_UP, environment)

    def kill_web(self) -> None:
        """Let the web process and its children crash, and wait until others answer."""
        for pid in self.product.pids("web"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert within(30, self._is_healthy)

    def _is_healthy(self) -> bool:
        try:
            return self._http.get(f"{self.url}/healthz", timeout=5).ok
        except requests.RequestException:
            return False

    def hold_aws(self) -> None:
        """Let AWS keep everybody waiting who wants a token created, until it is let go.

        Well under ten seconds: then the portal gives up, and begins anew.
        """
        self.sandbox.settings(held=["CreateWorkspaceServiceAccountToken"])

    def let_aws_go(self) -> None:
        self.sandbox.settings(held=[])

    def refuse(
        self, name: str, code: str, *, message: str = "", headers: dict[str, str] | None = None
    ) -> None:
        """Let AWS answer every create of the token ``name`` with the error ``code``."""
        self.sandbox.fault(
            "error",
            operation="CreateWorkspaceServiceAccountToken",
            name=name,
            type=code,
            message=message or f"The sandbox says {code}.",
            headers=headers or {},
            times=None,
        )

    def request_ids(self, name: str) -> list[str]:
        """The AWS request ids of the creates of the token ``name``."""
        calls = self.sandbox.calls("CreateWorkspaceServiceAccountToken")
        return [call["request_id"] for call in calls if call["name"] == name]
