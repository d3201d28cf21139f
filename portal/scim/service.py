"""The protocol, with what the portal does otherwise than scim2-server by itself."""

from dataclasses import dataclass
from typing import Any, Union

from pydantic_core import to_json
from scim2_models import (
    Context,
    InvalidSyntaxException,
    ListResponse,
    PatchOp,
    PreconditionFailedException,
    Resource,
    ResourceType,
    SearchRequest,
)
from scim2_server.conditions import Conditions
from scim2_server.handler import ScimHandler
from scim2_server.service import ScimService
from scim2_server.utils import parametrize

from portal.flows.provision_groups import NOBODY
from portal.scim.dialects import MemberChanges, plain
from portal.scim.resources import PROVIDER
from portal.scim.storage import Storage

TRIES = 5
"""Of a PATCH or PUT whose resource somebody else changes at the same moment."""
MOST_OPERATIONS = 1000


@dataclass(frozen=True, slots=True)
class Patch:
    """``rest`` is what it changes beside a group's people."""

    rest: "PatchOp[Any] | None"
    members: MemberChanges


class Service(ScimService):
    def read_patch(self, resource_type: ResourceType, body: bytes, content_type: str | None) -> Any:
        """Read a PATCH in any dialect that providers speak."""
        payload, members = plain(self.decode_body(body, content_type))
        operations = _operations(payload)
        if operations is not None and len(operations) > MOST_OPERATIONS:
            raise InvalidSyntaxException(
                detail=f"A PATCH has at most {MOST_OPERATIONS:,} operations."
            )
        if members and resource_type.name != "Group":
            members = MemberChanges()
        if operations == [] and _operations(self.decode_body(body, content_type)):
            return Patch(None, members)
        model = parametrize(PatchOp, self.get_model(resource_type))
        rest = self.read_body(model, to_json(payload), content_type, Context.RESOURCE_PATCH_REQUEST)
        return Patch(rest, members)


def _operations(payload: Any) -> list[Any] | None:
    if not isinstance(payload, dict):
        return None
    found = next((item for key, item in payload.items() if key.lower() == "operations"), None)
    return found if isinstance(found, list) else None


SERVICE = Service(PROVIDER)
KEPT = (
    parametrize(ListResponse, Union[tuple(SERVICE.get_models())]),  # noqa: UP007 (of a tuple)
    parametrize(SearchRequest, Union[tuple(SERVICE.get_models())]),  # noqa: UP007 (of a tuple)
    *(parametrize(PatchOp, model) for model in SERVICE.get_models()),
)
"""pydantic forgets a class of messages that nobody holds, and each search would make its own anew,
which takes 15 ms (measured)."""


class Handler(ScimHandler):
    """Serves one request."""

    storage: Storage

    def __init__(self, storage: Storage) -> None:
        super().__init__(SERVICE, storage)

    def replace_resource(
        self,
        resource_type: ResourceType,
        current: Resource[Any],
        replacement: Resource[Any],
        conditions: Conditions,
    ) -> Resource[Any]:
        for _ in range(TRIES):
            try:
                return super().replace_resource(
                    resource_type, current, replacement.model_copy(deep=True), conditions
                )
            except PreconditionFailedException:
                current = self.storage.get(resource_type, current.id or "")
        raise PreconditionFailedException

    def patch_resource(
        self,
        resource_type: ResourceType,
        resource_id: str,
        patch_op: Any,
        conditions: Conditions,
    ) -> Resource[Any]:
        for _ in range(TRIES):
            try:
                if resource_type.name == "Group":
                    return self._patch_group(resource_id, patch_op)
                return self._patch_person(resource_type, resource_id, patch_op, conditions)
            except PreconditionFailedException:
                continue
        raise PreconditionFailedException

    def _patch_person(
        self, resource_type: ResourceType, key: str, patch: Patch, conditions: Conditions
    ) -> Resource[Any]:
        if patch.rest is None:
            return self.storage.get(resource_type, key)
        return super().patch_resource(resource_type, key, patch.rest, conditions)

    def _patch_group(self, key: str, patch: Patch) -> Resource[Any]:
        """A group's people are not read for it: a company has ten thousand, added one by one."""
        groups = self.storage.groups
        current = groups.get(key, with_members=False)
        if patch.rest is not None:
            version = current.meta.version if current.meta else None
            if patch.rest.patch(current):
                groups.update(current, version, NOBODY)
        if patch.members:
            groups.change_members(key, patch.members)
        return groups.get(key, with_members=False)
