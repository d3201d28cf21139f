"""The errors AWS answers with, in the shapes of Amazon Managed Grafana's service model."""

import json
from collections.abc import Mapping
from typing import Any

from portal.grafana.sandbox.wire import Response

STATUSES = {
    "ValidationException": 400,
    "ServiceQuotaExceededException": 402,
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "ConflictException": 409,
    "ThrottlingException": 429,
    "InternalServerException": 500,
    # Common to every AWS service, so in no model. The first is the name that services send;
    # AWS's page of common errors drops the suffix.
    "MissingAuthenticationTokenException": 403,
    "IncompleteSignatureException": 403,
    "InvalidSignatureException": 403,
    "UnrecognizedClientException": 403,
    "ExpiredTokenException": 403,
    "OptInRequired": 403,
    "RequestExpired": 400,
    "UnknownOperationException": 404,
    "InternalFailure": 500,
    "ServiceUnavailable": 503,
}

REQUIRED_MEMBERS: Mapping[str, Mapping[str, Any]] = {
    "ValidationException": {"reason": "OTHER"},
    "ServiceQuotaExceededException": {
        "resourceId": "sandbox",
        "resourceType": "WORKSPACE",
        "serviceCode": "grafana",
        "quotaCode": "sandbox",
    },
    "ResourceNotFoundException": {"resourceId": "sandbox", "resourceType": "WORKSPACE"},
    "ConflictException": {"resourceId": "sandbox", "resourceType": "WORKSPACE"},
}
"""What the model requires beside `message`, where the one who raises does not say."""


class AwsError(Exception):
    """An error as AWS would answer it.

    `members` stand beside `message` in the body; `headers` are sent as they are.
    """

    def __init__(
        self,
        error_type: str,
        message: str,
        *,
        status: int | None = None,
        members: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.status = STATUSES.get(error_type, 500) if status is None else status
        self.members = {**REQUIRED_MEMBERS.get(error_type, {}), **(members or {})}
        self.headers = {"x-amzn-ErrorType": error_type, **(headers or {})}

    def response(self) -> Response:
        body = json.dumps({"message": self.message, **self.members}).encode()
        return Response(self.status, body, headers=self.headers)


def not_found(resource_type: str, resource_id: str) -> AwsError:
    words = resource_type.replace("_", " ").lower()
    return AwsError(
        "ResourceNotFoundException",
        f"There is no {words} {resource_id}.",
        members={"resourceId": resource_id, "resourceType": resource_type},
    )


def conflict(resource_type: str, resource_id: str, message: str) -> AwsError:
    return AwsError(
        "ConflictException",
        message,
        members={"resourceId": resource_id, "resourceType": resource_type},
    )


def quota_exceeded(workspace_id: str, resource_type: str, quota: int) -> AwsError:
    words = resource_type.replace("_", " ").lower()
    return AwsError(
        "ServiceQuotaExceededException",
        f"The workspace has reached its quota of {quota} {words}s.",
        members={"resourceId": workspace_id, "resourceType": resource_type},
    )
