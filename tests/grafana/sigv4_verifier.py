"""A server's side of AWS Signature Version 4, from its specification, with hashlib and hmac.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

The judge of our signatures: it shares no line with botocore, which makes them.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote_to_bytes

VALIDITY = timedelta(minutes=5)
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<access_key>\w+)/(?P<date>\d{8})/(?P<region>[\w-]+)/"
    r"(?P<service>[\w-]+)/aws4_request, *SignedHeaders=(?P<headers>[a-z0-9;-]+), *"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


class BadSignatureError(Exception):
    """The request would be refused."""


def verify(
    *,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    secret_key: str,
    region: str,
    service: str,
    now: datetime | None = None,
) -> None:
    """Raise BadSignatureError unless it is signed by ``secret_key``, now, for this service.

    ``target`` is path and query as they stand in the request line; ``headers`` have lower-case
    names.
    """
    claim = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if claim is None:
        raise BadSignatureError("no readable Authorization header")
    if (claim["region"], claim["service"]) != (region, service):
        raise BadSignatureError("signed for another region or service")
    signed = claim["headers"].split(";")
    must = {"host", *(name for name in headers if name.startswith("x-amz-"))}
    if signed != sorted(set(signed)) or not must <= set(signed):
        raise BadSignatureError("the host and every x-amz- header must be signed, in order")
    stamp = headers.get("x-amz-date", "")
    _check_time(stamp, claim["date"], now or datetime.now(UTC))

    path, _, query = target.partition("?")
    canonical_request = "\n".join(
        [
            method,
            # Every service but S3 encodes the path as it stands in the request once more.
            quote(path, safe="/~"),
            _canonical_query(query),
            *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed),
            "",
            ";".join(signed),
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{claim['date']}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    string_to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, digest])
    signing_key = f"AWS4{secret_key}".encode()
    for part in (claim["date"], region, service, "aws4_request"):
        signing_key = _hmac(signing_key, part)
    if not hmac.compare_digest(_hmac(signing_key, string_to_sign).hex(), claim["signature"]):
        raise BadSignatureError("the signature does not match")


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _check_time(stamp: str, date: str, now: datetime) -> None:
    if not re.fullmatch(r"\d{8}T\d{6}Z", stamp) or not stamp.startswith(date):
        raise BadSignatureError("X-Amz-Date is missing or of another day than the scope")
    if abs(datetime.fromisoformat(stamp) - now) > VALIDITY:
        raise BadSignatureError("signed too long ago, or in the future")


def _canonical_query(query: str) -> str:
    """Decoded, encoded as RFC 3986 has it, and sorted by name, then value."""
    if "+" in query:
        raise BadSignatureError("a plus in a query can mean two things: a space is %20")
    pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
    encoded = sorted(
        (quote(unquote_to_bytes(name), safe="~"), quote(unquote_to_bytes(value), safe="~"))
        for name, value in pairs
    )
    return "&".join(f"{name}={value}" for name, value in encoded)
