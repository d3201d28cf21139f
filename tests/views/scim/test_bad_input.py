"""Whatever the provider, or somebody in its place, sends: an answer that says what is wrong."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.models import User
from portal.scim.filters import LONGEST
from tests.views.scim.conftest import GROUPS, PATCH, USERS, Provider

pytestmark = pytest.mark.django_db

BODIES: dict[str, bytes] = {
    "nothing": b"",
    "half an object": b'{"userName": "a@example.com"',
    "a list": b"[]",
    "a number": b"7",
    "null": b"null",
    "no UTF-8": b"\xff\xfe{",
    "a NUL": b'{"userName": "a\\u0000@example.com"}',
    "a lone surrogate": b'{"userName": "a\\ud800@example.com"}',
    "no name": b"{}",
    "an empty name": b'{"userName": ""}',
    "a blank name": b'{"userName": " \\u200b "}',
    "a name that is a number": b'{"userName": 7}',
    "a name that is a list": b'{"userName": ["a@example.com"]}',
    "a name of 255 characters": b'{"userName": "' + b"a" * 255 + b'"}',
    "active that is none": b'{"userName": "a@example.com", "active": "perhaps"}',
    "names that are a text": b'{"userName": "a@example.com", "name": "A"}',
    "very deep": b'{"a":' * 3000 + b"1" + b"}" * 3000,
    "very deep lists": b"[" * 100_000,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("place", [USERS, GROUPS])
def test_a_body_that_says_nothing_is_refused(
    provider: Provider, engineer: User, place: str, method: str, body: bytes
) -> None:
    key = f"/{engineer.pk}"
    if place == GROUPS:
        key = f"/{provider.create(GROUPS, displayName='group')}"
    status, answer = provider.send(method, place if method == "POST" else place + key, body)
    assert (status, answer["status"]) == (400, "400"), answer
    assert answer["detail"]


PATCHES: dict[str, list[Any]] = {
    "no path that can be read": [{"op": "replace", "path": "active[", "value": False}],
    "no operation": [{"op": "move", "path": "active", "value": False}],
    "nothing to remove": [{"op": "remove"}],
    "no value": [{"op": "replace", "path": "active"}],
    "no object": [{"op": "replace", "value": "False"}],
    "not a truth": [{"op": "replace", "path": "active", "value": "perhaps"}],
    "a list of two": [{"op": "replace", "path": "active", "value": [True, False]}],
    "a path that is a number": [{"op": "replace", "path": 7, "value": False}],
    "a path into nothing": [{"op": "replace", "path": "userName.value", "value": "x"}],
    "no name any more": [{"op": "remove", "path": "userName"}],
    "not an operation": ["replace"],
    "none": [],
    "too many": [{"op": "replace", "path": "active", "value": True}] * 1001,
    "a long path": [{"op": "replace", "path": "a." * 50_000 + "b", "value": 1}],
    "a deep path": [{"op": "remove", "path": "emails[" + "not (" * 500 + "type pr" + ")" * 500}],
}


@pytest.mark.parametrize("operations", PATCHES.values(), ids=PATCHES)
def test_a_patch_that_can_t_be_understood_is_refused(
    provider: Provider, engineer: User, operations: list[Any]
) -> None:
    body = {"schemas": [PATCH], "Operations": operations}
    status, answer = provider.send("PATCH", f"{USERS}/{engineer.pk}", body)
    engineer.refresh_from_db()
    if status == 204:  # what nobody knows is left out
        assert operations[0]["path"].startswith(("userName.", "a.", "emails["))
    else:
        assert (status, bool(answer["detail"])) == (400, True)
    assert (engineer.is_active, engineer.email) == (True, "engineer@example.com")


FILTERS = [
    "",
    "userName",
    "userName eq",
    'userName eq "x',
    'userName eq "x" or',
    'userName eq "x" or (',
    "userName eq 'x' OR 1=1 --",
    'userName eq "x"; DROP TABLE portal_user',
    'userName like "x"',
    'userName gt "x" and',
    'active gt "x"',
    'active eq "perhaps"',
    'meta.created gt "yesterday"',
    'meta.created co "20"',
    'nickName eq "x"',
    "(" * 5000 + "active pr" + ")" * 5000,
    "not (" * 500 + "active pr" + ")" * 500,
    " or ".join(['id eq "1"'] * (LONGEST // 10)),
]


@pytest.mark.parametrize("text", FILTERS, ids=lambda text: text[:30])
@pytest.mark.parametrize("place", [USERS, "/scim/v2/", f"{USERS}/.search"])
def test_a_filter_that_asks_for_nothing_is_refused(
    provider: Provider, engineer: User, place: str, text: str
) -> None:
    if place.endswith(".search"):
        status, answer = provider.send("POST", place, {"filter": text})
    else:
        status, answer = provider.send("GET", f"{place}?filter={quote(text)}")
    assert status == 400, answer
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "text", ['userName eq "\\u0000"', 'displayName co "\\u0000"', 'externalId eq "\\u0000"']
)
def test_a_nul_finds_nobody(provider: Provider, engineer: User, text: str) -> None:
    assert provider.found(text) == []


@pytest.mark.parametrize("size", [1_000_000, 2_000_000])
def test_a_large_body_is_read(provider: Provider, size: int) -> None:
    key = provider.create(USERS, userName="large@example.com", nickName="n" * size)
    assert "nickName" not in provider.get(f"{USERS}/{key}")


def test_a_body_that_is_too_large_is_refused(provider: Provider) -> None:
    status, answer = provider.send("POST", USERS, b" " * 3_000_000)
    assert (status, answer["status"]) == (413, "413")


@pytest.mark.parametrize("key", ["0", "-1", "x", "7" * 30, "\uff11", "1.0", "%00", "a" * 3000])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("place", [USERS, GROUPS])
def test_what_is_nobody_s_address_is_not_found(
    provider: Provider, place: str, method: str, key: str
) -> None:
    body = {
        "userName": "a@example.com",
        "displayName": "a",
        "schemas": [PATCH],
        "Operations": [{"op": "replace", "path": "displayName", "value": "x"}],
    }
    if method == "PUT":
        del body["Operations"], body["schemas"]
    assert provider.send(method, f"{place}/{key}", body)[0] == 404


@pytest.mark.parametrize("path", ["/scim/v2/Bulk", "/scim/v2/Me", f"{USERS}/.search/x"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_what_is_not_there_says_so(provider: Provider, path: str, method: str) -> None:
    status, answer = provider.send(method, path, {})
    assert status in (404, 405, 501)
    assert answer["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]


def test_another_type_of_content_is_refused(provider: Provider) -> None:
    answer = provider.client.post(
        USERS, {"userName": "a@example.com"}, headers={"Authorization": f"Bearer {provider.token}"}
    )
    assert answer.status_code == 415


_TEXT = st.text(max_size=12)
_NAME = st.sampled_from(
    ["active", "userName", "members", "emails", "name", "externalId", "displayName", "id", "x"]
)
_PATH = st.one_of(
    st.none(),
    _NAME,
    _TEXT,
    st.builds("{}.{}".format, _NAME, _NAME),
    st.builds('{}[{} eq "{}"]'.format, _NAME, st.sampled_from(["value", "type", "x"]), _TEXT),
)
_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), _TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(_NAME, _TEXT, st.just("value"), st.just("$ref")), inner),
    ),
    max_leaves=8,
)
_OPERATION = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "Replace", "REMOVE", "x"])},
    optional={"path": _PATH, "value": _JSON},
)
_PATCH = st.fixed_dictionaries(
    {"schemas": st.just([PATCH]), "Operations": st.lists(st.one_of(_OPERATION, _JSON), max_size=3)}
)
_FILTER = st.one_of(
    _TEXT,
    st.builds(
        '{} {} "{}"'.format,
        _PATH.filter(bool),
        st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "le", "x"]),
        _TEXT,
    ),
    st.builds("{} {} {}".format, _NAME, st.sampled_from(["eq", "gt"]), st.integers()),
)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.sampled_from([USERS, GROUPS]), body=st.one_of(_PATCH, _JSON), text=_FILTER)
def test_nothing_that_is_sent_breaks_it(
    provider: Provider, engineer: User, place: str, body: Any, text: str
) -> None:
    """A test client raises what a view did not bear."""
    key = engineer.pk if place == USERS else provider.create(GROUPS, displayName="group")
    sent = json.dumps(body).encode()
    for method, path in (
        ("PATCH", f"{place}/{key}"),
        ("PUT", f"{place}/{key}"),
        ("POST", place),
        ("GET", f"{place}?filter={quote(text)}"),
        ("GET", f"{place}/{quote(text, safe='')}"),
    ):
        status, _ = provider.send(method, path, None if method == "GET" else sent)
        assert status < 500
