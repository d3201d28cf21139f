"""AWS: credentials, clock, and each right that the portal needs, by calls that change nothing.

The two rights that write are tried on a service account that does not exist: AWS looks at the right
first, and so says AccessDeniedException to whoever lacks it, and that there is no such account to
whoever has it.
"""

import os
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from django.conf import settings

from portal.doctor.report import Check, Report
from portal.gateway import Gateway, IdentityError, NotYetError
from portal.grafana import heard
from portal.grafana.errors import AccessDeniedException, GrafanaError, NoCredentials
from portal.grafana.types import Operation
from portal.models import Connection

SECONDS = 45.0
MOST = 20
"""Connections that are tried; each costs a handful of AWS's five calls a second."""
CLOCK_OFF, CLOCK_WRONG = 30.0, 240.0
"""Seconds; AWS refuses signatures that are 5 minutes off."""
NOBODY = "999999999999"
"""A service account's id that AMG gives to none."""
PERMISSIONS = 'Allow it in the role\'s policy: docs/OPERATIONS.md, "AWS permissions".'


T = TypeVar("T")


def checks() -> Iterable[Check]:
    """One for each connection. Raises DatabaseError."""
    rows = list(Connection.objects.order_by("name")[: MOST + 1])
    if not rows:
        yield Check("aws", _no_connection)
    for row in rows[:MOST]:
        yield Check(f"aws {row.name}", _of(row), SECONDS)
    if len(rows) > MOST:
        yield Check("aws", _too_many)


def _no_connection(report: Report) -> None:
    report.warn("there is no connection yet", "Apply an access file that names one.")


def _too_many(report: Report) -> None:
    report.warn(f"only the first {MOST} connections were tried", "See manage.py sync_catalog.")


def _of(row: Connection) -> Callable[[Report], None]:
    return lambda report: _check(report, row)


def _check(report: Report, row: Connection) -> None:
    gateway = Gateway(row, until=time.monotonic() + SECONDS - 15, patience=5.0)
    if settings.GRAFANA == "sandbox":
        report.ok("the sandbox stands in for AWS")
    elif os.environ.get("AWS_ENDPOINT_URL_GRAFANA") and not os.environ.get("AWS_ENDPOINT_URL_STS"):
        report.warn(
            "AWS_ENDPOINT_URL_GRAFANA leads elsewhere, so STS was not asked who we are",
            "Nothing, if that is meant; take it out to call AWS.",
        )
    else:
        _check_identity(report, gateway)
    rights = _Rights(report, gateway)
    rights.read()
    rights.write(Gateway(row, until=time.monotonic() + 15))
    _check_clock(report)


def _check_identity(report: Report, gateway: Gateway) -> None:
    try:
        report.ok(f"AWS knows us as {gateway.whoami(seconds=3.0)}")
    except IdentityError as error:
        if error.is_refused:
            report.fail(
                f"AWS does not take the credentials: {error}",
                "Renew them; a role of another account must trust this one (and its external id).",
            )
        else:
            report.warn(
                f"who we are could not be asked: {error}",
                "Nothing, if AMG answers below; let this host reach STS to be told.",
            )


class _Rights:
    """Tries one right after another, as far as there is something to try it on."""

    def __init__(self, report: Report, gateway: Gateway) -> None:
        self._report = report
        self._gateway = gateway
        self._workspace = ""
        self._has: list[str] = []

    def read(self) -> None:
        gateway = self._gateway
        workspaces = self._try(Operation.LIST_WORKSPACES, gateway.list_workspaces) or ()
        if not workspaces:
            return
        active = [one for one in workspaces if one.status == "ACTIVE"]
        self._workspace = workspace = (active or list(workspaces))[0].id
        self._try(Operation.DESCRIBE_WORKSPACE, lambda: gateway.describe_workspace(workspace))
        accounts = (
            self._try(
                Operation.LIST_SERVICE_ACCOUNTS, lambda: gateway.list_service_accounts(workspace)
            )
            or ()
        )
        account = accounts[0].id if accounts else NOBODY
        self._try(Operation.LIST_TOKENS, lambda: gateway.list_tokens(workspace, account))

    def write(self, gateway: Gateway) -> None:
        workspace = self._workspace
        if workspace:
            self._try(
                Operation.CREATE,
                lambda: gateway.create_token(workspace, NOBODY, name="doctor", seconds_to_live=1),
            )
            self._try(Operation.DELETE, lambda: gateway.delete_token(workspace, NOBODY, NOBODY))
        if self._has:
            self._report.ok(f"allowed: {', '.join(self._has)}")
        if self._has and not workspace:
            self._report.warn(
                "AMG lists no workspace here, so the other rights could not be tried",
                "Check the connection's region in the access file.",
            )

    def _try(self, operation: Operation, call: Callable[[], T]) -> T | None:
        """What the call gives; None where it gives nothing, and why is told unless that says that
        we may."""
        answer: T | None = None
        try:
            answer = call()
        except AccessDeniedException as error:
            self._report.fail(
                f"{operation} is not allowed: {error.message or error.code}{_request(error)}",
                PERMISSIONS,
            )
            return None
        except NotYetError:
            self._report.warn(
                f"{operation} could not be tried in time, for AWS is busy with the others' calls",
                "Try again at a quieter time.",
            )
            return None
        except NoCredentials as error:
            self._report.fail(
                f"there are no credentials: {error.message}",
                "Give the host an instance profile or task role, or set AWS_PROFILE or AWS_*.",
            )
            return None
        except GrafanaError as error:
            if error.refuses_caller or error.retryable or not error.answered:
                self._report.fail(f"{error}", _mend(error))
                return None
        self._has.append(operation)
        return answer


def _mend(error: GrafanaError) -> str:
    if error.refuses_caller:
        return "Check the credentials and this host's clock."
    if error.answered:
        return "AWS is in trouble or throttles: try again."
    return "Check the region, AWS_ENDPOINT_URL_GRAFANA, the proxy and the firewall."


def _request(error: GrafanaError) -> str:
    return f" (request {error.request_id})" if error.request_id else ""


def _check_clock(report: Report) -> None:
    last = heard.last()
    if last is None:
        return
    ahead = last.earliest(heard.steady()).timestamp() - time.time()
    says = f"this host's clock differs from AWS's by {abs(ahead):.0f} seconds"
    if abs(ahead) > CLOCK_WRONG:
        report.fail(f"{says}: AWS refuses its signatures", "Set the clock by NTP.")
    elif abs(ahead) > CLOCK_OFF:
        report.warn(says, "Set the clock by NTP.")
    else:
        report.ok(says)
