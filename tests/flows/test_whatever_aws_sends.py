"""Whatever AWS's service model allows, at its own limits, is read; nothing in it stops a reading.

The answers are made from botocore's model of 2020-08-18, and sent by a real server.
"""

import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from portal.audit import SYSTEM
from portal.flows.sync_catalog import Synced, sync_catalog
from portal.flows.take_inventory import take_inventory
from portal.grafana import clients
from portal.models import Connection, ServiceAccount, Workspace
from tests.grafana.scripted_server import ScriptedServer, answer

pytest_plugins = ["tests.grafana.client_fixtures"]
pytestmark = pytest.mark.django_db

MODEL = ServiceModel(Loader().load_service_model("grafana", "service-2"))
LONGEST = 3_000
"""Characters of a text that the model does not bound."""
WORKSPACE = "g-00000000aa"
ACCOUNT = "7"

rarely_all = hypothesis_settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# NUL, CR, half of what a terminal obeys, and what looks like something else.
odd = st.sampled_from("\0\r\n\t\x1b\x7f\x85\u2028\u202e\u200b\ufeff;='\"<&%é監😀")
texts = st.text(st.one_of(odd, st.characters(exclude_categories=["Cs"])), max_size=40)
links = st.sampled_from(["javascript://x/%0aalert(1)", "http://example.com", "https://a.b", "a b"])
moments = st.one_of(
    st.integers(0, 4_000_000_000),
    st.floats(0, 4e9, allow_nan=False),
    st.sampled_from([253402300799, 253402300800, -62135596800, 1e300, -1e300, 2**63, 0]),
    st.sampled_from(["2026-11-28T05:40:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]),
)


def text_of(shape: Shape) -> st.SearchStrategy[str]:
    """A text that the model allows, its shortest and longest among them."""
    known = shape.metadata
    if known.get("enum"):
        # A client must bear words that AWS adds later.
        return st.one_of(st.sampled_from(known["enum"]), st.just("ADDED_LATER"))
    if shape.name == "WorkspaceId":
        return st.from_regex(r"g-[0-9a-f]{10}", fullmatch=True)
    if shape.name == "WorkspaceName":
        return st.one_of(st.just("n" * 255), texts.filter(bool))
    least, most = known.get("min", 0), known.get("max", LONGEST)
    ends = st.sampled_from(["x" * max(least, 1), "x" * most, "\0" * most, "監" * most])
    return st.one_of(ends, texts.filter(lambda text: len(text) >= least), links)


def value_of(shape: Shape, name: str = "") -> st.SearchStrategy[Any]:
    kind = shape.type_name
    if kind == "structure":
        members = shape.members
        required = {one: value_of(members[one], one) for one in shape.required_members}
        optional = {one: value_of(members[one], one) for one in members if one not in required}
        return st.fixed_dictionaries(required, optional=optional)
    if kind == "list":
        return st.lists(value_of(shape.member), max_size=4)
    if kind == "map":
        return st.dictionaries(texts, texts, max_size=3)
    if kind == "timestamp":
        return moments
    if kind == "boolean":
        return st.booleans()
    if name == "id" and shape.name == "String":
        return st.one_of(st.integers(1, 10**25).map(str), texts)
    if name == "isDisabled":
        return st.one_of(st.sampled_from(["true", "false"]), texts)
    assert kind == "string", kind
    return text_of(shape)


def body_of(operation: str, **members: Any) -> st.SearchStrategy[dict[str, Any]]:
    """A whole answer of one page."""
    shape = MODEL.operation_model(operation).output_shape
    return value_of(shape).map(lambda body: {**body, "nextToken": None, **members})


@pytest.fixture
def aws(
    aws_environment: pytest.MonkeyPatch, scripted_server: ScriptedServer
) -> Iterator[ScriptedServer]:
    aws_environment.setenv("AWS_ENDPOINT_URL_GRAFANA", scripted_server.url)
    aws_environment.setenv("NO_PROXY", "127.0.0.1")
    clients.forget_clients()
    yield scripted_server
    clients.forget_clients()


@pytest.fixture
def main(aws: ScriptedServer) -> Connection:
    return Connection.objects.create(name="main")


def read(main: Connection, aws: ScriptedServer, listing: Any, accounts: list[Any]) -> Synced:
    aws.script(answer(200, listing), *(answer(200, one) for one in accounts))
    main.refresh_from_db()
    return sync_catalog(main, actor=SYSTEM)


@rarely_all
@given(
    listing=body_of("ListWorkspaces"),
    accounts=st.lists(body_of("ListWorkspaceServiceAccounts"), min_size=4, max_size=4),
)
def test_a_catalog_is_read_and_a_second_reading_changes_nothing(
    aws: ScriptedServer, main: Connection, listing: dict[str, Any], accounts: list[Any]
) -> None:
    """A row that can't be used is named; every other is stored, and the next reading is none the
    worse for it."""
    ServiceAccount.objects.all().delete()
    Workspace.objects.all().delete()
    good = {"id": WORKSPACE, "status": "ACTIVE", "grafanaVersion": "10.4", "name": "good"}
    listing["workspaces"] = [good, *[w for w in listing["workspaces"] if w["id"] != WORKSPACE]]
    account = {"id": ACCOUNT, "name": "ci", "grafanaRole": "EDITOR", "isDisabled": "false"}
    first = {"serviceAccounts": [account, *accounts[0]["serviceAccounts"]]}
    synced = read(main, aws, listing, [first, *accounts])
    row = Workspace.objects.get(aws_id=WORKSPACE)
    assert (row.name, row.gone_at) == ("good", None)
    assert row.service_accounts.filter(aws_id=ACCOUNT).exists()
    for text in (
        *Workspace.objects.values_list("name", flat=True),
        *ServiceAccount.objects.values_list("name", flat=True),
    ):
        assert not {unicodedata.category(one) for one in text} & {"Cc", "Zl", "Zp"}
    for workspace in Workspace.objects.all():
        assert workspace.address == "" or workspace.address.startswith("https://")
    assert synced.workspaces >= 1
    again = read(main, aws, {"workspaces": [good]}, [{"serviceAccounts": [account]}])
    assert (again.unread, again.workspaces, again.service_accounts) == ([], 1, 1)
    assert ServiceAccount.objects.present().count() == 1


@rarely_all
@given(
    tokens=body_of("ListWorkspaceServiceAccountTokens"),
)
def test_a_list_of_tokens_is_read(
    aws: ScriptedServer, main: Connection, tokens: dict[str, Any]
) -> None:
    workspace, _ = Workspace.objects.get_or_create(
        connection=main, aws_id=WORKSPACE, name="w", status="ACTIVE"
    )
    account, _ = ServiceAccount.objects.get_or_create(
        workspace=workspace, aws_id=ACCOUNT, name="ci", grafana_role="EDITOR"
    )
    good = {"id": "123456", "name": "good", "createdAt": 1_700_000_000, "expiresAt": 1_800_000_000}
    others = [one for one in tokens["serviceAccountTokens"] if one["id"] != "123456"]
    aws.script(answer(200, {"serviceAccountTokens": [good, *others]}))
    take_inventory(account.pk)
    assert account.listed_tokens.filter(aws_id="123456", name="good").exists()
    aws.script(answer(200, {"serviceAccountTokens": [good]}))
    assert take_inventory(account.pk)
    assert account.listed_tokens.count() == 1
