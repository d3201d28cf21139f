"""What the client sends, judged by AWS's own: boto3 sends the same to the same server."""

import string
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portal.grafana.client import Client
from tests.grafana.example import (
    ACCESS_KEY,
    ACCOUNT,
    KEY,
    REGION,
    SECRET_KEY,
    WORKSPACE,
)
from tests.grafana.scripted_server import ReceivedRequest, ScriptedServer, answer
from tests.grafana.sigv4_verifier import verify

pytest_plugins = ("tests.grafana.client_fixtures",)

workspace_ids = st.from_regex(r"g-[0-9a-f]{10}", fullmatch=True)
numbers = st.text(string.digits, min_size=1, max_size=20)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)
lives = st.integers(1, 2_592_000)
AWKWARD = "a \"b\" 'c' d/e?f=g&h+i%20j ~*()!#é漢🔑\\\x00\n"
CREATED = {
    "serviceAccountToken": {"id": "5", "name": "n", "key": KEY},
    "serviceAccountId": "17",
    "workspaceId": WORKSPACE,
}


class Pair:
    """Our client and boto3's, in front of one server that writes down what they send."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.ours = Client(endpoint_url=server.url)
        self.boto3 = boto3.session.Session().client(
            "grafana",
            endpoint_url=server.url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def close(self) -> None:
        self.ours.close()
        self.boto3.close()

    def agree(
        self,
        ours: Callable[[Client], object],
        theirs: Callable[[Any], object],
        *answers: object,
        requests: int = 1,
    ) -> None:
        """Run both against the same answers and compare the last request that each sent."""
        replies = [answer(200, each) for each in answers]
        self.server.script(*replies)
        ours(self.ours)
        assert len(self.server.requests) == requests
        our_request = self.server.requests[-1]
        self.server.script(replies[-1])
        theirs(self.boto3)
        [their_request] = self.server.requests
        assert our_request.method == their_request.method
        assert our_request.target == their_request.target
        assert our_request.body == their_request.body
        assert our_request.headers.get("content-type") == their_request.headers.get("content-type")
        for request in (our_request, their_request):
            self._is_signed(request)

    @staticmethod
    def _is_signed(request: ReceivedRequest) -> None:
        verify(
            method=request.method,
            target=request.target,
            headers=request.headers,
            body=request.body,
            secret_key=SECRET_KEY,
            region=REGION,
            service="grafana",
        )


@pytest.fixture
def pair(aws_environment: object, scripted_server: ScriptedServer) -> Iterator[Pair]:
    pair = Pair(scripted_server)
    yield pair
    pair.close()


# One pair serves all examples of a test: each example scripts the server anew.
with_examples = settings(max_examples=60, deadline=None)


def test_list_workspaces(pair: Pair) -> None:
    pair.agree(
        lambda ours: ours.list_workspaces(),
        lambda boto: boto.list_workspaces(maxResults=100),
        {"workspaces": []},
    )


def examples_of_next_tokens(test: Callable[..., None]) -> Callable[..., None]:
    return example(next_token=AWKWARD)(example(next_token="a+b c")(test))


def test_the_next_page_of_workspaces(pair: Pair) -> None:
    @with_examples
    @examples_of_next_tokens
    @given(next_token=texts)
    def agree(next_token: str) -> None:
        pair.agree(
            lambda ours: ours.list_workspaces(),
            lambda boto: boto.list_workspaces(maxResults=100, nextToken=next_token),
            {"workspaces": [], "nextToken": next_token},
            {"workspaces": []},
            requests=2,
        )

    agree()


def test_describe_workspace(pair: Pair) -> None:
    @with_examples
    @given(workspace_id=workspace_ids)
    def agree(workspace_id: str) -> None:
        pair.agree(
            lambda ours: ours.describe_workspace(workspace_id),
            lambda boto: boto.describe_workspace(workspaceId=workspace_id),
            {"workspace": {"id": workspace_id, "status": "ACTIVE"}},
        )

    agree()


def test_list_service_accounts(pair: Pair) -> None:
    @with_examples
    @examples_of_next_tokens
    @given(next_token=texts)
    def agree(next_token: str) -> None:
        pair.agree(
            lambda ours: ours.list_service_accounts(WORKSPACE),
            lambda boto: boto.list_workspace_service_accounts(
                workspaceId=WORKSPACE, maxResults=100, nextToken=next_token
            ),
            {"serviceAccounts": [], "nextToken": next_token},
            {"serviceAccounts": []},
            requests=2,
        )

    agree()


def test_create_token(pair: Pair) -> None:
    @with_examples
    @example(workspace_id=WORKSPACE, account=ACCOUNT, name=AWKWARD, life=2_592_000)
    @given(workspace_id=workspace_ids, account=numbers, name=texts, life=lives)
    def agree(workspace_id: str, account: str, name: str, life: int) -> None:
        pair.agree(
            lambda ours: ours.create_token(workspace_id, account, name=name, seconds_to_live=life),
            lambda boto: boto.create_workspace_service_account_token(
                workspaceId=workspace_id, serviceAccountId=account, name=name, secondsToLive=life
            ),
            CREATED,
        )

    agree()


def test_list_tokens(pair: Pair) -> None:
    @with_examples
    @examples_of_next_tokens
    @given(next_token=texts)
    def agree(next_token: str) -> None:
        pair.agree(
            lambda ours: ours.list_tokens(WORKSPACE, ACCOUNT),
            lambda boto: boto.list_workspace_service_account_tokens(
                workspaceId=WORKSPACE,
                serviceAccountId=ACCOUNT,
                maxResults=100,
                nextToken=next_token,
            ),
            {"serviceAccountTokens": [], "nextToken": next_token},
            {"serviceAccountTokens": []},
            requests=2,
        )

    agree()


def test_delete_token(pair: Pair) -> None:
    @with_examples
    @given(workspace_id=workspace_ids, account=numbers, token=numbers)
    def agree(workspace_id: str, account: str, token: str) -> None:
        pair.agree(
            lambda ours: ours.delete_token(workspace_id, account, token),
            lambda boto: boto.delete_workspace_service_account_token(
                workspaceId=workspace_id, serviceAccountId=account, tokenId=token
            ),
            {},
        )

    agree()


# -- What is refused before anything is sent ------------------------------------------------------


@pytest.mark.parametrize(
    "workspace_id",
    ["", "g-1a2b3c4d5", "g-1a2b3c4d5ef", "G-1a2b3c4d5e", "g-1A2B3C4D5E", "g-1a2b3c4d5e\n", ".."],
)
def test_a_workspace_id_of_another_form_is_refused(
    grafana: Client, scripted_server: ScriptedServer, workspace_id: str
) -> None:
    for call in (
        lambda: grafana.describe_workspace(workspace_id),
        lambda: grafana.list_service_accounts(workspace_id),
        lambda: grafana.list_tokens(workspace_id, ACCOUNT),
        lambda: grafana.create_token(workspace_id, ACCOUNT, name="n", seconds_to_live=1),
        lambda: grafana.delete_token(workspace_id, ACCOUNT, "5"),
    ):
        with pytest.raises(ValueError, match="not a workspace id"):
            call()
    assert scripted_server.requests == []


@pytest.mark.parametrize(
    "number", ["", "..", "1/2", "1\n", "-1", "1.0", "a", "\u0663", "\uff11", "1%2f2"]
)
def test_an_id_that_is_no_number_is_refused(
    grafana: Client, scripted_server: ScriptedServer, number: str
) -> None:
    for call in (
        lambda: grafana.list_tokens(WORKSPACE, number),
        lambda: grafana.create_token(WORKSPACE, number, name="n", seconds_to_live=1),
        lambda: grafana.delete_token(WORKSPACE, number, "5"),
        lambda: grafana.delete_token(WORKSPACE, ACCOUNT, number),
    ):
        with pytest.raises(ValueError, match=r"not a (token|service account) id"):
            call()
    assert scripted_server.requests == []


@pytest.mark.parametrize("name", ["", "x" * 129, "half a pair \ud800"])
def test_a_name_that_aws_cannot_take_is_refused(
    grafana: Client, scripted_server: ScriptedServer, name: str
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the kind of error is what is promised
        grafana.create_token(WORKSPACE, ACCOUNT, name=name, seconds_to_live=60)
    assert scripted_server.requests == []


@pytest.mark.parametrize("life", [0, -1, 2_592_001, True, 60.0, "60", None])
def test_a_life_that_aws_cannot_grant_is_refused(
    grafana: Client, scripted_server: ScriptedServer, life: Any
) -> None:
    with pytest.raises(ValueError, match="whole seconds"):
        grafana.create_token(WORKSPACE, ACCOUNT, name="n", seconds_to_live=life)
    assert scripted_server.requests == []


# -- Around the request ---------------------------------------------------------------------------


def test_calls_share_one_connection(grafana: Client, scripted_server: ScriptedServer) -> None:
    for _ in range(5):
        grafana.delete_token(WORKSPACE, ACCOUNT, "5")
    assert scripted_server.connections == 1


def test_an_endpoint_below_a_path_is_kept(
    aws_environment: object, scripted_server: ScriptedServer
) -> None:
    client = Client(endpoint_url=f"{scripted_server.url}/amg/")
    client.delete_token(WORKSPACE, ACCOUNT, "5")
    client.close()
    [request] = scripted_server.requests
    assert request.target == f"/amg/workspaces/{WORKSPACE}/serviceaccounts/17/tokens/5"
