"""The door of whoever tests: ``/_sandbox/``, JSON in and out, open to this machine alone.

GET /_sandbox/                      settings, faults on order, counts of calls, clock, region
POST /_sandbox/settings             change those given: see `settings.py`
POST /_sandbox/faults               order one fault, or a list of them: see `faults.py`
DELETE /_sandbox/faults             forget them
GET /_sandbox/calls                 the log: see `calls.py`; `?operation=NAME`, `?since=SEQ`
DELETE /_sandbox/calls              empty it
GET /_sandbox/tokens                live tokens, without keys; `?expired=1`: the expired too
POST /_sandbox/clock                `{"advance_seconds": 3600}` lets time pass for tokens, while
                                    signatures are still held against the real time
POST /_sandbox/workspaces           make or change one: `{"id", "name", "status",
                                    "grafana_version"}`
DELETE /_sandbox/workspaces?id=ID   remove one
POST /_sandbox/service-accounts     change one: `{"workspace_id", "id", "name", "role",
                                    "is_disabled"}`
POST /_sandbox/reset                settings, faults and log as at start; `{"data": true}`: data too

For example, a create that succeeds but answers 500, and what came of it:

    curl -d '{"kind": "error", "when": "after"}' http://127.0.0.1:9100/_sandbox/faults
    curl http://127.0.0.1:9100/_sandbox/calls
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import parse_qsl

from portal.grafana.sandbox.database import NameTakenError
from portal.grafana.sandbox.reading import flag, members, number, one_of, text
from portal.grafana.sandbox.seed import ACTIVE, GRAFANA_VERSION
from portal.grafana.sandbox.validation import GRAFANA_VERSION_FORM, ROLES, WORKSPACE_ID, row_id
from portal.grafana.sandbox.wire import Request, Response
from portal.grafana.sandbox.world import World

PREFIX = "/_sandbox/"

Json = Mapping[str, Any]
Query = Mapping[str, str]


def answer(world: World, request: Request) -> Response:
    # A page in this machine's browser could send requests too; unlike curl, it says from where.
    if not request.from_this_machine or "origin" in request.headers:
        return _json(403, {"message": "The sandbox is steered from this machine only."})
    action = _ACTIONS.get((request.method, request.path.removeprefix(PREFIX)))
    if action is None:
        return _json(404, {"message": "The sandbox knows no such request."})
    query = dict(parse_qsl(request.query))
    try:
        return _json(200, action(world, query, json.loads(request.body or b"{}")))
    except ValueError as error:
        return _json(400, {"message": str(error)})


def _overview(world: World, _query: Query, _said: object) -> Json:
    return {
        "pid": os.getpid(),
        "url": world.url,
        "region": world.credentials.region,
        "access_key": world.credentials.access_key,
        "now": world.now(),
        "advanced_seconds": world.database.advanced_seconds,
        "settings": world.settings.as_json(),
        "faults": world.faults.as_json(),
        "calls": world.calls.counts_as_json(),
    }


def _change_settings(world: World, _query: Query, said: object) -> Json:
    world.settings.change(said)
    return world.settings.as_json()


def _order_faults(world: World, _query: Query, said: object) -> Json:
    world.faults.order(said if isinstance(said, list) else [said])
    return {"faults": world.faults.as_json()}


def _clear_faults(world: World, _query: Query, _said: object) -> Json:
    world.faults.clear()
    return {"faults": []}


def _calls(world: World, query: Query, _said: object) -> Json:
    since = row_id(query.get("since", "")) or 0
    return {"calls": world.calls.as_json(operation=query.get("operation"), since=since)}


def _clear_calls(world: World, _query: Query, _said: object) -> Json:
    world.calls.clear()
    return {"calls": []}


def _tokens(world: World, query: Query, _said: object) -> Json:
    moment = 0 if "expired" in query else world.now()
    return {"tokens": [asdict(token) for token in world.tokens.expiring_after(moment)]}


def _advance_clock(world: World, _query: Query, said: object) -> Json:
    read = members(said, {"advance_seconds": number(0)})
    world.database.advance_clock(read.get("advance_seconds", 0))
    return {"now": world.now(), "advanced_seconds": world.database.advanced_seconds}


def _put_workspace(world: World, _query: Query, said: object) -> Json:
    read = members(said, _WORKSPACE)
    workspace_id = read.pop("id", "")
    if present := world.catalog.workspace(workspace_id):
        read = {**{name: getattr(present, name) for name in _WORKSPACE if name != "id"}, **read}
    else:
        standard = {"name": workspace_id, "status": ACTIVE, "grafana_version": GRAFANA_VERSION}
        read = {**standard, **read}
    if not WORKSPACE_ID.fullmatch(workspace_id):
        raise ValueError(f"id must match {WORKSPACE_ID.pattern}")
    if not GRAFANA_VERSION_FORM.fullmatch(read["grafana_version"]):
        raise ValueError(f"grafana_version must be like {GRAFANA_VERSION}")
    world.catalog.put_workspace(workspace_id, **read, now=world.now())
    return {"id": workspace_id, **read}


def _delete_workspace(world: World, query: Query, _said: object) -> Json:
    if not world.catalog.delete_workspace(query.get("id", "")):
        raise ValueError("there is no such workspace")
    return {}


def _change_service_account(world: World, _query: Query, said: object) -> Json:
    read = members(said, _SERVICE_ACCOUNT)
    account_id = row_id(read.pop("id", "")) or 0
    account = world.catalog.service_account(read.pop("workspace_id", ""), account_id)
    if account is None:
        raise ValueError("there is no such service account")
    changed = replace(account, **read)
    try:
        world.catalog.change_service_account(changed)
    except NameTakenError:
        raise ValueError("the workspace has a service account of that name") from None
    return asdict(changed)


def _reset(world: World, _query: Query, said: object) -> Json:
    world.reset(data=members(said, {"data": flag}).get("data", False))
    return _overview(world, {}, None)


_WORKSPACE = {"id": text, "name": text, "status": text, "grafana_version": text}
_SERVICE_ACCOUNT = {
    "workspace_id": text,
    "id": text,
    "name": text,
    "role": one_of(*ROLES),
    "is_disabled": flag,
}

_ACTIONS: Mapping[tuple[str, str], Callable[[World, Query, object], Json]] = {
    ("GET", ""): _overview,
    ("POST", "settings"): _change_settings,
    ("POST", "faults"): _order_faults,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "calls"): _calls,
    ("DELETE", "calls"): _clear_calls,
    ("GET", "tokens"): _tokens,
    ("POST", "clock"): _advance_clock,
    ("POST", "workspaces"): _put_workspace,
    ("DELETE", "workspaces"): _delete_workspace,
    ("POST", "service-accounts"): _change_service_account,
    ("POST", "reset"): _reset,
}


def _json(status: int, body: Json) -> Response:
    return Response(status, json.dumps(body).encode() + b"\n")
