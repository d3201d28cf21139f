"""OpenTelemetry's own instrumentations, loaded where traces are asked for (portal.traces).

One trace goes from the browser's request over the broker to AWS: Celery's instrumentation puts its
context into the message's headers, beside the id that is all of its body. Statements are recorded
with their placeholders, addresses without what lets somebody in, and bodies not at all.
"""

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

LETS_SOMEBODY_IN = (
    "accounts/invitation/",
    "accounts/password/reset/key/",
    "accounts/oidc/",
    "accounts/saml/",
    "ends.ics",
    "healthz",
    "readyz",
    "metrics",
)
"""Parts of addresses that are secrets while they are good; and what monitors ask all the time."""


def begin(process: str) -> None:
    """To be called once, before there are threads; forks of this process go on by themselves."""
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: f"portal-{process}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument(excluded_urls=",".join(LETS_SOMEBODY_IN))
    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]  # it has no types
    PsycopgInstrumentor().instrument()
    # Below requests, too, by which AWS and the provider of single sign-on are called.
    URLLib3Instrumentor().instrument()
