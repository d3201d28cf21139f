"""Traces by OpenTelemetry: whether there are any, and where they are sent."""

from importlib.util import find_spec
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.module_loading import import_string

from portal.environment import read, refuse

NAME = "OTEL_EXPORTER_OTLP_ENDPOINT"
EXTRA = "requirements-otel.txt"


def endpoint() -> str:
    """Where OpenTelemetry sends to; "" for nowhere. Stops the start where its extra is missing."""
    address = read(
        NAME,
        _url,
        default="",
        wanted="the address of a collector that takes OTLP by HTTP, such as http://127.0.0.1:4318",
    )
    if address and find_spec("opentelemetry.sdk") is None:
        refuse(
            NAME,
            f"needs what {EXTRA} adds, and that is not installed: "
            f"pip install --require-hashes -r {EXTRA}",
        )
    return address


def begin(process: str) -> None:
    """Trace this process ("web", "worker", "scheduler") and those that it forks, if asked to."""
    if settings.TRACES:
        import_string("portal.tracing.begin")(process)


def _url(text: str) -> str:
    url = urlsplit(text)
    if text and (url.scheme not in ("http", "https") or not url.hostname or url.port == 0):
        raise ValueError
    return text
