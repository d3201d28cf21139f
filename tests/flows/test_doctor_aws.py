"""The doctor tries each right at AWS, and changes nothing there."""

import pytest
from pytest_django import Settings

from portal.doctor import Finding, State, of_aws
from portal.doctor.report import Report
from portal.grafana.types import Operation
from portal.models import Connection
from tests.grafana.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db


def examined() -> list[Finding]:
    """In this thread: the tests' database is this one's."""
    found: list[Finding] = []
    for check in of_aws.checks():
        report = Report(check.name)
        check.run(report)
        found += report.found
    return found


def failures() -> list[str]:
    return [one.says for one in examined() if one.state == State.FAILED]


@pytest.fixture
def main(aws: SandboxProcess) -> Connection:
    return Connection.objects.create(name="main")


def test_all_rights_are_told_and_nothing_is_changed(aws: SandboxProcess, main: Connection) -> None:
    before = aws.live_tokens()
    found = examined()
    assert {one.state for one in found} == {State.OK}
    [allowed] = [one.says for one in found if one.says.startswith("allowed: ")]
    assert allowed == f"allowed: {', '.join(Operation)}"
    assert aws.live_tokens() == before
    assert any("clock differs from AWS's by" in one.says for one in found)


@pytest.mark.parametrize("operation", [*Operation])
def test_a_right_that_is_missing_is_named(
    aws: SandboxProcess, main: Connection, operation: Operation
) -> None:
    aws.fault("error", operation=operation, type="AccessDeniedException", status=403)
    [said] = failures()
    assert said.startswith(f"{operation} is not allowed: ")
    [finding] = [one for one in examined() if one.check == "aws main" and "allowed" in one.says]
    assert finding.state == State.OK, "the fault was for one call"


def test_credentials_that_aws_does_not_take(
    aws: SandboxProcess, main: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    from portal.grafana import clients

    clients.forget_clients()
    assert failures()
    assert all("Signature" in said for said in failures())


def test_an_aws_that_does_not_answer(
    aws: SandboxProcess, main: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_GRAFANA", "http://127.0.0.1:9")
    from portal.grafana import clients

    clients.forget_clients()
    [finding] = [one for one in examined() if one.state == State.FAILED]
    assert "Connection refused" in finding.says
    assert "AWS_ENDPOINT_URL_GRAFANA" in finding.mend


def test_sts_out_of_reach_is_a_warning(
    aws: SandboxProcess, main: Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.GRAFANA = "aws"
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    found = examined()
    assert not [one for one in found if one.state == State.FAILED]
    [warning] = [one for one in found if one.state == State.WARNING]
    assert "who we are could not be asked" in warning.says


def test_a_portal_without_connections_is_told_what_to_do() -> None:
    [finding] = examined()
    assert (finding.state, finding.mend) == (
        State.WARNING,
        "Apply an access file that names one.",
    )
