"""Verification of AWS Signature Version 4, written from its specification.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote

from portal.grafana.sandbox.errors import AwsError
from portal.grafana.sandbox.wire import Request

SERVICE = "grafana"
TOLERANCE_SECONDS = 5 * 60

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<credential>[^,\s]+),\s*"
    r"SignedHeaders=(?P<signed_headers>[^,\s]+),\s*Signature=(?P<signature>[^,\s]+)"
)
_AMZ_DATE = re.compile(r"\d{8}T\d{6}Z")


@dataclass(frozen=True, slots=True)
class Credentials:
    access_key: str
    secret_key: str = field(repr=False)
    region: str


def verify(request: Request, credentials: Credentials, now: float) -> None:
    """Refuse `request` unless these credentials signed it within 5 minutes of `now`.

    `now` is in epoch seconds. Raises AwsError, of the type AWS would answer.
    """
    authorization = request.headers.get("authorization")
    if authorization is None:
        raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token")
    parts = _AUTHORIZATION.fullmatch(authorization)
    amz_date = request.headers.get("x-amz-date", "")
    if parts is None or not _AMZ_DATE.fullmatch(amz_date):
        raise AwsError(
            "IncompleteSignatureException",
            "Credential, SignedHeaders and Signature must stand in the Authorization header,"
            " and a time beside it in X-Amz-Date.",
        )
    access_key, _, scope = parts["credential"].partition("/")
    if access_key != credentials.access_key:
        raise AwsError(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    expected_scope = f"{amz_date[:8]}/{credentials.region}/{SERVICE}/aws4_request"
    if scope != expected_scope:
        raise _invalid(f"Credential should be scoped to {expected_scope}, not {scope}.")
    _check_age(amz_date, now)
    signed = parts["signed_headers"].split(";")
    _check_signed_headers(request, signed)
    expected = _signature(_canonical_request(request, signed), credentials, amz_date)
    if not hmac.compare_digest(expected.encode(), parts["signature"].encode("latin-1")):
        raise _invalid(
            "The request signature we calculated does not match the signature you provided."
        )


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidSignatureException", message)


def _check_age(amz_date: str, now: float) -> None:
    try:
        moment = datetime.strptime(amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise AwsError("IncompleteSignatureException", "X-Amz-Date is no time.") from None
    age = now - moment.timestamp()
    if age > TOLERANCE_SECONDS:
        raise _invalid(f"Signature expired: {amz_date} is more than 5 minutes ago.")
    if age < -TOLERANCE_SECONDS:
        raise _invalid(f"Signature not yet current: {amz_date} is more than 5 minutes ahead.")


def _check_signed_headers(request: Request, signed: list[str]) -> None:
    must = {"host", *(name for name in request.headers if name.startswith("x-amz-"))}
    if missing := must.difference(signed):
        raise _invalid(f"Not among the SignedHeaders: {', '.join(sorted(missing))}.")
    if unsent := set(signed).difference(request.headers):
        raise _invalid(f"Signed, but not sent: {', '.join(sorted(unsent))}.")


def _canonical_request(request: Request, signed: list[str]) -> str:
    headers = [f"{name}:{' '.join(request.headers[name].split())}\n" for name in signed]
    return "\n".join(
        [
            request.method,
            _canonical_path(request.path),
            _canonical_query(request.query),
            "".join(headers),
            ";".join(signed),
            hashlib.sha256(request.body).hexdigest(),
        ]
    )


def _canonical_path(path: str) -> str:
    """Dot segments and empty ones taken out; what was encoded for the wire, encoded once more."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(quote(segment, safe="~"))
    slash = "/" if kept and path.endswith("/") else ""
    return f"/{'/'.join(kept)}{slash}"


def _canonical_query(query: str) -> str:
    pairs = [
        (quote(name, safe="~"), quote(value, safe="~"))
        for name, value in parse_qsl(query, keep_blank_values=True)
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _signature(canonical_request: str, credentials: Credentials, amz_date: str) -> str:
    date = amz_date[:8]
    digest = hashlib.sha256(canonical_request.encode("latin-1")).hexdigest()
    scope = f"{date}/{credentials.region}/{SERVICE}/aws4_request"
    key = f"AWS4{credentials.secret_key}".encode()
    for step in (date, credentials.region, SERVICE, "aws4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n{digest}"
    return hmac.digest(key, text.encode(), "sha256").hex()
