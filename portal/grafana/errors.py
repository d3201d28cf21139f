"""What can go wrong with a call to AMG, and whether sending it again may help.

AWS's own names (the service model of 2020-08-18 and AWS's "Common error types"), so that a line in
our log can be looked up in AWS's documentation. Messages are AWS's own text or ours; never anything
else that came over the wire, which might hold a key.
"""

# ruff: noqa: N818 - the classes are named as AWS names the errors

from typing import ClassVar

from portal.grafana.types import Operation


class GrafanaError(Exception):
    """A call failed. Raised itself for a refusal whose type is none of those below.

    ``code`` is AWS's error type ("ThrottlingException"), ``status`` the HTTP status (None when
    there was no answer), ``request_id`` the id that CloudTrail knows the call by ("" when none),
    ``retry_after`` the seconds AWS asked to wait, ``operation`` AWS's name of the operation.
    """

    transient: ClassVar[bool] = False
    """The same request may succeed a little later."""
    ambiguous: ClassVar[bool] = False
    """AWS may have carried the request out all the same."""
    refuses_caller: ClassVar[bool] = False
    """AWS does not take who asks (credentials) or when (our clock), and has looked at nothing else:
    the operators' trouble, which may pass, and not the request's."""

    def __init__(
        self,
        message: str = "",
        *,
        operation: str = "",
        code: str = "",
        status: int | None = None,
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.operation = operation
        self.unanswered = ""
        """"timeout" or "connection" where a call was made and no whole answer came."""
        self.code = code or type(self).__name__
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after

    @property
    def outcome_unknown(self) -> bool:
        """The call may have made a token whose key nobody holds: never resend it blind."""
        return self.operation == Operation.CREATE and (self.ambiguous or self._failed_at_aws)

    @property
    def retryable(self) -> bool:
        """Sending the same request again, after ``retry_after``, is safe and may help."""
        return (self.transient or self._failed_at_aws) and not self.outcome_unknown

    @property
    def answered(self) -> bool:
        """AWS itself has answered, and not a proxy on the way: it gives each call an id."""
        return bool(self.request_id)

    @property
    def _failed_at_aws(self) -> bool:
        return self.status is not None and self.status >= 500

    @property
    def speaks_of_existing_name(self) -> bool:
        """AWS says that a token of this name exists (409 or 400: which one is not documented)."""
        return False

    def __str__(self) -> str:
        status = "no answer" if self.status is None else f"HTTP {self.status}"
        request = f", request {self.request_id}" if self.request_id else ""
        return f"{self.operation or 'AMG'}: {self.code} ({status}{request}): {self.message}"


# -- Nothing usable came back -------------------------------------------------------------------


class NotSent(GrafanaError):
    """No byte of the request left: no DNS, no connection, no TLS, no proxy."""

    transient = True


class NoCredentials(NotSent):
    """There are no credentials to sign with, or AWS gave none for the role."""

    refuses_caller = True


class OutcomeUnknown(GrafanaError):
    """A create was sent, and its answer never came or cannot be understood.

    A timeout, a dropped connection, a 200 without a key, a 5xx that is not AWS's.
    """

    @property
    def outcome_unknown(self) -> bool:
        return True


class NoAnswer(GrafanaError):
    """The same for an operation that can be sent again without harm (every other one)."""

    transient = True


# -- The seven of the operation -----------------------------------------------------------------


class ValidationException(GrafanaError):
    """400: a parameter is wrong; ``message`` names the fields as well."""

    @property
    def speaks_of_existing_name(self) -> bool:
        return "already exists" in self.message.lower()


class ServiceQuotaExceededException(GrafanaError):
    """402: the workspace has as many tokens as it may, expired ones included."""


class AccessDeniedException(GrafanaError):
    """403: the portal's role lacks the permission."""


class ResourceNotFoundException(GrafanaError):
    """404: no such workspace, account or token.

    Only when AWS's own error type says so. A bare 404 (a proxy, a wrong endpoint) is none: a
    deletion may take this error for success.
    """


class ConflictException(GrafanaError):
    """409: the name exists, or the workspace is busy changing (then later again)."""

    @property
    def speaks_of_existing_name(self) -> bool:
        return "already exists" in self.message.lower()

    @property
    def retryable(self) -> bool:
        return not self.speaks_of_existing_name


class ThrottlingException(GrafanaError):
    """429: slow down. The request was not carried out."""

    transient = True


class InternalServerException(GrafanaError):
    """500: AWS failed, and may have carried the request out."""

    transient = True
    ambiguous = True


# -- Common to all AWS actions ------------------------------------------------------------------


class UnrecognizedClientException(GrafanaError):
    """The access key is not one of AWS's, or not everywhere yet."""

    refuses_caller = True


class InvalidSignatureException(GrafanaError):
    """The signature does not match: a wrong secret, or our clock is off."""

    refuses_caller = True


class IncompleteSignature(GrafanaError):
    """The signature lacks a part."""


class MissingAuthenticationToken(GrafanaError):
    """The request carried no signature, or asked for a path that does not exist."""


class ExpiredTokenException(GrafanaError):
    """The session credentials have ended."""

    transient = True
    refuses_caller = True


class RequestExpired(GrafanaError):
    """The signature is too old or too new: our clock is off."""

    refuses_caller = True


class OptInRequired(GrafanaError):
    """The AWS account has no subscription to the service."""


class UnknownOperationException(GrafanaError):
    """The endpoint does not know the operation."""


class RequestEntityTooLarge(GrafanaError):
    """413: the request is too large."""


class ServiceUnavailable(GrafanaError):
    """503: AWS failed for a while, and may have carried the request out."""

    transient = True
    ambiguous = True


class InternalFailure(GrafanaError):
    """500: AWS failed, and may have carried the request out."""

    transient = True
    ambiguous = True


# Some services write these names with "Exception" and some without: they are looked up without.
_BY_CODE: dict[str, type[GrafanaError]] = {
    error.__name__.removesuffix("Exception"): error
    for error in (
        ValidationException,
        ServiceQuotaExceededException,
        AccessDeniedException,
        ResourceNotFoundException,
        ConflictException,
        ThrottlingException,
        InternalServerException,
        UnrecognizedClientException,
        InvalidSignatureException,
        IncompleteSignature,
        MissingAuthenticationToken,
        ExpiredTokenException,
        RequestExpired,
        OptInRequired,
        UnknownOperationException,
        RequestEntityTooLarge,
        ServiceUnavailable,
        InternalFailure,
    )
}
_OURS: dict[str, type[GrafanaError]] = {
    error.__name__: error for error in (NotSent, NoCredentials, OutcomeUnknown, NoAnswer)
}


def error_class(code: str) -> type[GrafanaError]:
    """The class for an error type of AWS; GrafanaError itself for one that is not known."""
    return _BY_CODE.get(code.removesuffix("Exception"), GrafanaError)


def class_of_recorded(code: str) -> type[GrafanaError]:
    """The class of an error whose ``code`` was kept, one without an answer of AWS included."""
    return _OURS.get(code) or error_class(code)
