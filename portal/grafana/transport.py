"""One HTTP exchange with AMG: one signed request, one answer, no second try.

Built on requests' adapter and not on its Session, which would follow redirects, keep cookies and
let ``.netrc`` overwrite the signature.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
)
from requests import PreparedRequest, Request, Response, Session
from requests.exceptions import InvalidSchema, InvalidURL, RequestException
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import HTTPError, NewConnectionError

from portal.grafana import heard
from portal.grafana.account import Account
from portal.grafana.connection import OneAttemptAdapter
from portal.grafana.errors import GrafanaError, NoAnswer, NoCredentials, NotSent, OutcomeUnknown
from portal.grafana.signing import SigV4
from portal.grafana.times import http_date
from portal.grafana.trust import context_for
from portal.grafana.types import Operation

LARGEST_ANSWER = 8 * 1024 * 1024
"""Bytes; the largest answer AMG has to give, a page of 100 entries, is a hundredth of it."""
LONGEST_IDLE = 20.0
"""Seconds after which a kept-alive connection is not used again. What lies on the way may have
forgotten it without a word (AWS's NAT gateway does after 350 s, firewalls sooner), and a create
sent into the void is an unknown outcome, where a new handshake costs milliseconds."""
USER_AGENT = "grafana-token-portal"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole. It may hold a key: ``repr`` tells the status alone."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """By their names, in upper or lower case."""
    body: bytes = field(repr=False)


class Transport:
    """Kept-alive connections to one AWS account and region. Asks ``resolve`` for it on first use,
    and again as long as that fails."""

    def __init__(
        self, resolve: Callable[[], Account], *, connect_timeout: float, read_timeout: float
    ) -> None:
        self._resolve = resolve
        self._timeout = (connect_timeout, read_timeout)
        self._adapter = OneAttemptAdapter()
        self._last_used = time.monotonic()

    def prepare(self) -> None:
        """Resolve the account and read the certificates, if that can be done by now."""
        with suppress(BotoCoreError, ClientError, ValueError, OSError):
            bundle = self._environment["verify"]
            if self._account.endpoint_url.startswith("https:"):
                context_for(bundle if isinstance(bundle, str) else DEFAULT_CA_BUNDLE_PATH)

    def exchange(
        self,
        operation: Operation,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: bytes | None,
    ) -> Answer:
        """Send one request and read its answer, whatever its status.

        Raises NotSent if nothing left, OutcomeUnknown (for a create) or NoAnswer (for the rest)
        if something may have left and no whole answer came back.
        """
        try:
            request = self._prepare(method, path, query, body)
            environment = self._environment
        except (CredentialRetrievalError, NoCredentialsError, ClientError) as error:
            # A ClientError is STS's: nobody else is asked before the request is signed.
            failure: GrafanaError = NoCredentials(
                f"{type(error).__name__}: {error}", operation=operation
            )
        except (BotoCoreError, ValueError, OSError) as error:
            failure = NotSent(f"{type(error).__name__}: {error}", operation=operation)
        else:
            try:
                return self._send(request, environment)
            except (RequestException, HTTPError, OSError) as error:
                failure = _failure(error, operation)
        # Out here the failure has no context. `from None` within the handler would only hide it,
        # and with it the frames that hold what was read of the answer.
        raise failure

    def forget_account(self) -> None:
        """Have region, endpoint and credentials looked up anew for the next call."""
        for name in ("_account", "_signer", "_environment"):
            self.__dict__.pop(name, None)

    def close(self) -> None:
        """Close idle connections; a later call opens new ones."""
        self._adapter.close()

    @cached_property
    def _account(self) -> Account:
        return self._resolve()

    @cached_property
    def _signer(self) -> SigV4:
        return SigV4(self._account.credentials, self._account.region)

    @cached_property
    def _environment(self) -> Mapping[str, Any]:
        """Proxies and certificates: AWS's CA bundle, else what requests finds in its variables."""
        account = self._account
        with Session() as session:
            settings = session.merge_environment_settings(
                account.endpoint_url, proxies={}, stream=True, verify=account.ca_bundle, cert=None
            )
        ca_bundle = settings["verify"]
        if isinstance(ca_bundle, str) and not Path(ca_bundle).exists():
            raise ValueError(f"there is no CA bundle at {ca_bundle}")
        return settings

    def _prepare(
        self, method: str, path: str, query: Mapping[str, str], body: bytes | None
    ) -> PreparedRequest:
        url = self._account.endpoint_url + path
        if query:
            # A space as %20, like botocore's: SigV4 knows no other form.
            url += "?" + urlencode(query, quote_via=quote, safe="")
        headers = {"User-Agent": USER_AGENT}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return Request(method, url, headers=headers, data=body, auth=self._signer).prepare()

    def _send(self, request: PreparedRequest, environment: Mapping[str, Any]) -> Answer:
        if time.monotonic() - self._last_used > LONGEST_IDLE:
            self._adapter.close()
        sent = heard.steady()
        try:
            response = self._adapter.send(request, timeout=self._timeout, **environment)
            _hear(response, sent)
            with closing(response):
                return Answer(response.status_code, response.headers, _read(response))
        finally:
            self._last_used = time.monotonic()


def _hear(response: Response, sent: float) -> None:
    """Note what time AWS says it is. Only AWS gives an id: what lies on the way may say anything,
    and does not count."""
    if response.headers.get("x-amzn-RequestId"):
        date = http_date(response.headers.get("Date"))
        heard.note(date, sent=sent, received=heard.steady())
    elif response.ok:
        heard.note(None, sent=sent, received=heard.steady())


class _AnswerTooLargeError(RequestException):
    """More came than AMG can have to say."""


def _read(response: Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(64 * 1024):
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise _AnswerTooLargeError
    return bytes(body)


def _failure(error: Exception, operation: Operation) -> GrafanaError:
    """What a failed ``send`` means. Nothing that came over the wire goes into the message."""
    if isinstance(error, InvalidURL | InvalidSchema):
        # Of a proxy; the endpoint's own was looked at before.
        return NotSent(f"{type(error).__name__}: {error}", operation=operation)
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", None)
    # urllib3 calls a failure a proxy's even if the request had left, so what counts is the first
    # cause: only our own connections, while they connect, raise NewConnectionError.
    reason = getattr(reason, "original_error", reason)
    if isinstance(reason, NewConnectionError):
        return NotSent(str(reason), operation=operation)
    kind = OutcomeUnknown if operation == Operation.CREATE else NoAnswer
    return kind(f"no whole answer came back ({type(error).__name__})", operation=operation)
