"""The door of Grafana itself: ``GET /api/org``, which tells whether a key works.

It stands at ``/grafana/<workspace>/api/org`` for the keys of that workspace, and at ``/api/org``
for those of all.
"""

import json
import re
import time
from uuid import uuid4

from portal.grafana.sandbox.keys import digest
from portal.grafana.sandbox.tokens import Token
from portal.grafana.sandbox.wire import Request, Response
from portal.grafana.sandbox.world import World

OPERATION = "GET /api/org"
"""Its name in the log of calls."""

_PATH = re.compile(r"(?:/grafana/(?P<workspace_id>g-[0-9a-f]{10}))?/api/org")


def is_for(path: str) -> bool:
    return path.startswith(("/grafana/", "/api/"))


def answer(world: World, request: Request) -> Response:
    began = time.perf_counter()
    place = _PATH.fullmatch(request.path)
    if place is None or request.method != "GET":
        return _json(404, {"message": "Not found"})
    call = world.calls.begin(at=world.now(), request_id=str(uuid4()), operation=OPERATION)
    call.workspace_id = place["workspace_id"]
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    token = world.tokens.of_key(digest(key)) if scheme == "Bearer" else None
    if token is None or call.workspace_id not in (None, token.workspace_id):
        response = _json(401, {"message": "Invalid API key"})
    else:
        call.workspace_id, call.name = token.workspace_id, token.name
        call.service_account_id, call.token_id = str(token.service_account_id), str(token.id)
        response = _answer_token(world, token)
    call.effect = call.status = response.status
    call.ms = round((time.perf_counter() - began) * 1000, 3)
    world.calls.end(call)
    return response


def _answer_token(world: World, token: Token) -> Response:
    now = world.now()
    if token.expires <= now:
        return _json(401, {"message": "Expired API key"})
    account = world.catalog.service_account(token.workspace_id, token.service_account_id)
    if account is None or account.is_disabled:
        return _json(401, {"message": "Service account is disabled"})
    world.tokens.used(token, now)
    return _json(200, {"id": 1, "name": "Main Org."})


def _json(status: int, body: dict[str, object]) -> Response:
    return Response(status, json.dumps(body).encode())
