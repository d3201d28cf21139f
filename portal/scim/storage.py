"""What scim2-server reads and writes, one request at a time."""

from typing import Any

from django.db.models import Q
from scim2_models import InvalidFilterException, Resource, ResourceType, SearchRequest
from scim2_models.path import FilterNode
from scim2_server.storage import ScimStorage, SearchPage

from portal.audit import Actor
from portal.life import Effects
from portal.scim import filters, groups, people, resources
from portal.scim.filters import ALWAYS, asked

FURTHEST = 10**9


class Storage(ScimStorage):
    """People and groups. Each change commits by itself, what follows from it after it: flows lock
    the audit log's head last, and a transaction around them would not."""

    def __init__(self, actor: Actor) -> None:
        self.people = people.People(actor)
        self.groups = groups.Groups(actor)

    @property
    def effects(self) -> Effects:
        """What the changes leave to do."""
        found = Effects()
        found += self.people.effects
        found += self.groups.effects
        return found

    def _of(self, resource_type: ResourceType) -> Any:
        return self.people if resource_type.name == "User" else self.groups

    def get(
        self, resource_type: ResourceType, resource_id: str, *, response_parameters: Any = None
    ) -> Resource[Any]:
        if resource_type.name == "User":
            return self.people.get(resource_id)
        return self.groups.get(resource_id, with_members=_keeps_members(response_parameters))

    def search(
        self,
        resource_types: list[ResourceType],
        search_request: SearchRequest[Any],
        *,
        position: Any = None,  # noqa: ARG002 (the storage's signature)
    ) -> SearchPage:
        """One page, people before groups."""
        scim_filter = search_request.filter
        if scim_filter is not None and len(scim_filter) > filters.LONGEST:
            raise InvalidFilterException(
                detail=f"A filter has at most {filters.LONGEST:,} characters."
            )
        node = scim_filter.ast if scim_filter is not None else None
        start = min(search_request.start_index_0 or 0, FURTHEST)
        count = resources.MOST_RESULTS if search_request.count is None else search_request.count
        total = 0
        found: list[Resource[Any]] = []
        for resource_type in resource_types:
            rows = self._rows(resource_type, node)
            number = rows.count()
            first = max(0, start - total)
            wanted = count - len(found)
            if wanted > 0 and first < number:
                page = rows[first : first + wanted]
                found += self._told(resource_type, page, search_request)
            total += number
        return SearchPage(total, found)

    def _rows(self, resource_type: ResourceType, node: FilterNode | None) -> Any:
        model = resources.User if resource_type.name == "User" else resources.Group
        rows = self._of(resource_type).rows()
        kept = people.ATTRIBUTES if resource_type.name == "User" else groups.ATTRIBUTES
        question: Q = ALWAYS if node is None else asked(str(model.__schema__), kept, node)
        return rows.filter(question) if node is not None else rows

    def _told(self, resource_type: ResourceType, page: Any, search: Any) -> list[Resource[Any]]:
        if resource_type.name == "User":
            return list(self.people.told(page))
        return list(self.groups.told(page, with_members=_keeps_members(search)))

    def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        created: Resource[Any] = self._of(resource_type).create(resource)
        return created

    def update(
        self,
        resource_type: ResourceType,
        resource: Resource[Any],
        *,
        expected_version: str | None = None,
    ) -> Resource[Any]:
        updated: Resource[Any] = self._of(resource_type).update(resource, expected_version)
        return updated

    def delete(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        expected_version: str | None = None,  # noqa: ARG002 (whoever leaves, leaves)
    ) -> None:
        self._of(resource_type).delete(resource_id)


def _keeps_members(parameters: Any) -> bool:
    """Whether an answer names a group's people: Entra asks for groups without them."""
    if parameters is None:
        return True
    left_out = {str(one).lower() for one in parameters.excluded_attributes or []}
    named = {str(one).lower().rpartition(":")[2] for one in parameters.attributes or []}
    if "members" in {one.rpartition(":")[2] for one in left_out}:
        return False
    return not named or any(one.startswith("members") for one in named)
