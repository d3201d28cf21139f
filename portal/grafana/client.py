"""The client for Amazon Managed Grafana (AMG): six operations, each sent once.

https://docs.aws.amazon.com/grafana/latest/APIReference/, service model of 2020-08-18.
"""

import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from portal.amg import LONGEST_LIFETIME, LONGEST_TOKEN_NAME, is_number, is_workspace_id
from portal.grafana import wire
from portal.grafana.account import Account
from portal.grafana.errors import GrafanaError, NoAnswer, OutcomeUnknown
from portal.grafana.members import MalformedAnswerError
from portal.grafana.transport import Answer, Transport
from portal.grafana.types import (
    CreatedToken,
    LeftOut,
    Operation,
    ServiceAccount,
    TokenList,
    TokenSummary,
    Workspace,
)

PAGE_SIZE = 100
"""``maxResults``, at its most: as many tokens as a workspace may have."""
MOST_PAGES = 100
"""A list that does not end after 10,000 entries does not end."""

Parsed = TypeVar("Parsed")
Identified = TypeVar("Identified", Workspace, ServiceAccount, TokenSummary)
Send = Callable[[Callable[[], Answer]], Answer]
"""Sends one page's request, when and as often as the caller of a list wants it sent."""


def _at_once(request: Callable[[], Answer]) -> Answer:
    return request()


def quieten_wire_logs() -> None:
    """Let botocore and urllib3 log warnings at most: at DEBUG they log bodies and signatures."""
    for name in ("botocore", "urllib3"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))


class Client:
    """AMG in one AWS account and region, over kept-alive connections.

    ``region`` "" is botocore's (``AWS_REGION``, ``AWS_DEFAULT_REGION``, the profile);
    ``endpoint_url`` "" follows botocore's endpoint rules (``AWS_ENDPOINT_URL_GRAFANA``, the
    profile, dual-stack …); credentials are those of botocore's chain, and with ``role_arn`` those
    of that role, assumed with ``external_id`` if given. All of it is looked up at the first call,
    and anew after AWS has refused the credentials.

    ``connect_timeout`` (seconds) counts for each address of the endpoint and for the TLS handshake,
    ``read_timeout`` (seconds) for the whole answer, counted from when the request was sent.

    A list is read whole or not at all; given a list ``left_out``, it goes without the rows that
    can't be read, and adds what is known of them there.

    Every method raises ValueError for an argument that AWS would refuse, before anything is sent,
    and a GrafanaError otherwise. Nothing is ever sent twice, unless the ``send`` of a list does so
    with a page's request. Meant for one process (see
    ``portal.grafana.clients``); its threads may share it.
    """

    def __init__(
        self,
        *,
        region: str = "",
        endpoint_url: str = "",
        role_arn: str = "",
        external_id: str = "",
        connect_timeout: float = 3.0,
        read_timeout: float = 10.0,
    ) -> None:
        quieten_wire_logs()
        resolve = partial(
            Account.resolve,
            region=region,
            endpoint_url=endpoint_url,
            role_arn=role_arn,
            external_id=external_id,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
        )
        self._transport = Transport(
            resolve, connect_timeout=connect_timeout, read_timeout=read_timeout
        )

    def prepare(self) -> None:
        """Look up region and endpoint now (about 0.1 s) and not at the first call.

        Sends nothing to AMG, and fails silently: the first call says what is wrong.
        """
        self._transport.prepare()

    def list_workspaces(
        self, *, send: Send = _at_once, left_out: list[LeftOut] | None = None
    ) -> tuple[Workspace, ...]:
        """All workspaces of the account in the region. AWS allows 5 requests per second."""
        entries, _ = self._list(
            Operation.LIST_WORKSPACES,
            "/workspaces",
            partial(wire.page, member="workspaces", read_entry=wire.workspace, left_out=left_out),
            send,
        )
        return _each_once(entries)

    def describe_workspace(self, workspace_id: str) -> Workspace:
        """One workspace. AWS allows 5 requests per second."""
        path = _workspace_path(workspace_id)
        answer = self._call(Operation.DESCRIBE_WORKSPACE, "GET", path)
        return self._parse(Operation.DESCRIBE_WORKSPACE, answer, wire.described_workspace)

    def list_service_accounts(
        self,
        workspace_id: str,
        *,
        send: Send = _at_once,
        left_out: list[LeftOut] | None = None,
    ) -> tuple[ServiceAccount, ...]:
        """All service accounts of a workspace, disabled ones included."""
        path = _workspace_path(workspace_id) + "/serviceaccounts"
        entries, _ = self._list(
            Operation.LIST_SERVICE_ACCOUNTS,
            path,
            partial(
                wire.page,
                member="serviceAccounts",
                read_entry=wire.service_account,
                left_out=left_out,
            ),
            send,
        )
        return _each_once(entries)

    def create_token(
        self, workspace_id: str, service_account_id: str, *, name: str, seconds_to_live: int
    ) -> CreatedToken:
        """Create a token of 1 to 128 characters' name that lives 1 to 2,592,000 seconds.

        The key is in this answer and in no other. An error whose ``outcome_unknown`` is set may
        have left a token that nobody holds: it is found by its name, never by sending again.
        """
        path = _tokens_path(workspace_id, service_account_id)
        body = {"name": _name(name), "secondsToLive": _life(seconds_to_live)}
        answer = self._call(Operation.CREATE, "POST", path, body=json.dumps(body).encode())
        return self._parse(Operation.CREATE, answer, wire.created_token)

    def list_tokens(
        self,
        workspace_id: str,
        service_account_id: str,
        *,
        send: Send = _at_once,
        left_out: list[LeftOut] | None = None,
    ) -> TokenList:
        """Every token of a service account, or an error: never a part of the list.

        With ``left_out`` it is a part where rows can't be read, and those are added there.
        """
        path = _tokens_path(workspace_id, service_account_id)
        tokens, first = self._list(
            Operation.LIST_TOKENS,
            path,
            partial(
                wire.page,
                member="serviceAccountTokens",
                read_entry=wire.token_summary,
                left_out=left_out,
            ),
            send,
        )
        return TokenList(
            tokens=_each_once(tokens),
            answered_at=wire.answered_at(first),
            request_id=wire.request_id(first),
        )

    def delete_token(self, workspace_id: str, service_account_id: str, token_id: str) -> str:
        """Delete a token, expired or not, and return AWS's request id.

        Raises ResourceNotFoundException when there is no such token (any more).
        """
        path = f"{_tokens_path(workspace_id, service_account_id)}/{_number(token_id, 'token')}"
        answer = self._call(Operation.DELETE, "DELETE", path)
        return self._parse(Operation.DELETE, answer, wire.deleted_token)

    def ask_the_time(self) -> None:
        """The least that AWS can be asked; its answer, a refusal too, has a ``Date``."""
        self._call(Operation.LIST_WORKSPACES, "GET", "/workspaces", query={"maxResults": "1"})

    def close(self) -> None:
        """Close the connections that are idle."""
        self._transport.close()

    def _call(
        self,
        operation: Operation,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """One exchange; returns the answer if its status is 2xx, and raises what it says if not."""
        answer = self._transport.exchange(operation, method, path, query=query or {}, body=body)
        if not 200 <= answer.status < 300:
            refusal = wire.refusal(answer, operation)
            if refusal.refuses_caller:
                self._transport.forget_account()
            raise refusal
        return answer

    def _parse(
        self, operation: Operation, answer: Answer, parse: Callable[[Answer], Parsed]
    ) -> Parsed:
        """What ``parse`` reads out of a successful answer; an error if that cannot be done."""
        try:
            return parse(answer)
        except MalformedAnswerError as malformed:
            failure = _unusable(operation, answer, str(malformed))
        # Out here the failure has no context, and so no way to the frames that read the body.
        raise failure

    def _list(
        self,
        operation: Operation,
        path: str,
        read_page: Callable[[Answer], tuple[list[Parsed], str]],
        send: Send,
    ) -> tuple[list[Parsed], Answer]:
        """All entries of all pages, and the first page's answer."""
        entries: list[Parsed] = []
        query = {"maxResults": str(PAGE_SIZE)}
        first: Answer | None = None
        seen: set[str] = set()
        while True:
            answer = send(partial(self._call, operation, "GET", path, query=query))
            first = first or answer
            page, next_token = self._parse(operation, answer, read_page)
            entries += page
            if not next_token:
                return entries, first
            if next_token in seen or len(seen) >= MOST_PAGES:
                raise _unusable(operation, answer, "the list does not end")
            seen.add(next_token)
            query = {**query, "nextToken": next_token}


def _each_once(entries: list[Identified]) -> tuple[Identified, ...]:
    """What changes while its list is read page by page may stand on two pages."""
    return tuple({one.id: one for one in entries}.values())


def _unusable(operation: Operation, answer: Answer, why: str) -> GrafanaError:
    kind = OutcomeUnknown if operation == Operation.CREATE else NoAnswer
    return kind(why, operation=operation, status=answer.status, request_id=wire.request_id(answer))


def _workspace_path(workspace_id: str) -> str:
    if not is_workspace_id(workspace_id):
        raise ValueError(f"not a workspace id: {workspace_id!r}")
    return f"/workspaces/{workspace_id}"


def _tokens_path(workspace_id: str, service_account_id: str) -> str:
    account = _number(service_account_id, "service account")
    return f"{_workspace_path(workspace_id)}/serviceaccounts/{account}/tokens"


def _number(value: str, what: str) -> str:
    if not is_number(value):
        raise ValueError(f"not a {what} id: {value!r}")
    return value


def _name(name: str) -> str:
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_TOKEN_NAME:
        raise ValueError(f"a token's name has 1 to {LONGEST_TOKEN_NAME} characters")
    name.encode()  # half a surrogate pair is a ValueError, too
    return name


def _life(seconds_to_live: int) -> int:
    # A bool is an int to Python, and not to AWS.
    if type(seconds_to_live) is not int or not 1 <= seconds_to_live <= LONGEST_LIFETIME:
        raise ValueError(f"a token lives 1 to {LONGEST_LIFETIME} whole seconds")
    return seconds_to_live
