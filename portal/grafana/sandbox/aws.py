"""The door of AWS: signed requests for operations, and all that can go wrong with them."""

import asyncio
import json
import time
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import parse_qsl
from uuid import uuid4

from portal.grafana.sandbox import routes
from portal.grafana.sandbox.calls import Call
from portal.grafana.sandbox.errors import AwsError
from portal.grafana.sandbox.faults import Fault
from portal.grafana.sandbox.operations import Arguments
from portal.grafana.sandbox.routes import Operation
from portal.grafana.sandbox.sigv4 import verify
from portal.grafana.sandbox.validation import json_object
from portal.grafana.sandbox.wire import Request, Response
from portal.grafana.sandbox.world import World

UNKNOWN = "(unknown)"
"""The operation in the log of a request that names none."""

HELD_SECONDS = 0.02
"""How often a held call looks whether it may go on."""


class _Work(NamedTuple):
    """An operation with what it needs, so that its effect can come at any moment, once."""

    world: World
    operation: Operation
    arguments: Arguments
    call: Call

    def perform(self) -> Response:
        try:
            body = self.operation.perform(self.world, self.arguments)
        except AwsError as error:
            self.call.effect, self.call.error = error.status, error.error_type
            return error.response()
        self.call.effect = 200
        if created := body.get("serviceAccountToken"):
            self.call.token_id = created["id"]
        return Response(200, json.dumps(body).encode())


async def answer(world: World, request: Request) -> Response | None:
    """The answer to a request for an operation; None drops the connection."""
    began, request_id = time.perf_counter(), str(uuid4())
    found = routes.find(request.method, request.path)
    name = found[0].name if found else UNKNOWN
    call = world.calls.begin(at=world.now(), request_id=request_id, operation=name)
    try:
        if found is None:
            raise AwsError("UnknownOperationException", "There is no such operation.")
        operation, labels = found
        call.workspace_id = labels.get("workspaceId")
        call.service_account_id = labels.get("serviceAccountId")
        call.token_id = labels.get("tokenId")
        verify(request, world.credentials, world.signature_now())
        world.settings.throttle(name, world.now())
        query = dict(parse_qsl(request.query, keep_blank_values=True))
        arguments = Arguments(request.path, labels, query, json_object(request.body))
        said = arguments.body.get("name")
        call.name = said if isinstance(said, str) else None
        # Without a latency, too, other requests get their turn here.
        await asyncio.sleep(world.settings.latency_seconds(name))
        while world.settings.holds(name):
            await asyncio.sleep(HELD_SECONDS)
        work = _Work(world, operation, arguments, call)
        fault = world.faults.take(name, call.name)
        response = await _strike(fault, work, request) if fault else work.perform()
    except AwsError as error:
        call.error = error.error_type
        response = error.response()
    call.status = response.status if response else None
    call.ms = round((time.perf_counter() - began) * 1000, 3)
    world.calls.end(call)
    if response is None:
        return None
    return replace(response, headers={**response.headers, "x-amzn-RequestId": request_id})


async def _strike(fault: Fault, work: _Work, request: Request) -> Response | None:
    """Let a fault meet a call: see the table in :mod:`portal.grafana.sandbox.faults`."""
    work.call.fault = f"{fault.kind} {fault.when}"
    hangs = fault.kind == "hang"
    if fault.when == "late":
        effect = asyncio.create_task(_perform_late(fault.seconds, work))
        work.world.late_effects.add(effect)
        effect.add_done_callback(work.world.late_effects.discard)
        if not hangs:
            return fault.answer(None)
        await asyncio.wait({effect})  # a client that leaves does not stop it
        return None if effect.cancelled() else effect.result()
    if fault.when == "after":
        response = work.perform()
        if not hangs:
            return fault.answer(response)
        await asyncio.sleep(fault.seconds)
        return response
    if not hangs:
        return fault.answer(None)
    await asyncio.sleep(fault.seconds)
    return None if request.gone() else work.perform()


async def _perform_late(seconds: float, work: _Work) -> Response:
    await asyncio.sleep(seconds)
    return work.perform()
