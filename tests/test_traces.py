"""Traces by OpenTelemetry, sent to a collector of ours."""

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from portal import traces
from tests.grafana.sandbox_process import PROD
from tests.person import KeyPair
from tests.product import Product, run_python, within


class Collector:
    """Takes OTLP by HTTP, and keeps (service, name of the span, trace) and what was sent."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, str, bytes]] = []
        self.sent = b""
        spans, collector = self.spans, self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.sent += body
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    [service] = [
                        one.value.string_value
                        for one in resource.resource.attributes
                        if one.key == "service.name"
                    ]
                    for scope in resource.scope_spans:
                        spans.extend((service, one.name, one.trace_id) for one in scope.spans)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def trace_of(self, service: str, name: str) -> set[bytes]:
        return {trace for who, what, trace in self.spans if (who, what) == (service, name)}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


def test_one_trace_goes_from_the_request_over_the_broker_to_aws_and_holds_no_key(
    collector: Collector,
) -> None:
    settings = {traces.NAME: collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with Product(None, **settings) as product:
        engineer, keys = product.sign_in("engineer@example.com"), KeyPair()
        fields = {"workspace": PROD, "service_account": "2", "seconds_to_live": "3600"}
        token = engineer.request(keys, name="traced", reason="", **fields)
        key = engineer.take(keys, token)

        def is_whole() -> bool:
            asked = collector.trace_of("portal-web", "POST tokens/new/")
            issued = collector.trace_of("portal-worker", "run/portal.issue")
            called_aws = collector.trace_of("portal-worker", "POST")
            return len(asked & issued & called_aws) == 1

        def is_told(service: str) -> bool:
            return service in {who for who, _, _ in collector.spans}

        assert within(60, is_whole), sorted({(who, what) for who, what, _ in collector.spans})
        assert within(60, lambda: is_told("portal-scheduler"))
    assert key.encode() not in collector.sent
    assert b"glsa_" not in collector.sent


UNASKED = """
import sys
import django
django.setup()
from portal import tasks, traces
traces.begin("worker")
ours = ("portal.tracing", "opentelemetry.sdk.trace", "opentelemetry.exporter")
print([one for one in sys.modules if one.startswith(ours)])
"""


def test_nothing_of_it_is_loaded_where_nobody_asks_for_it(tmp_path: Path) -> None:
    done = run_python(UNASKED, tmp_path, PORTAL_EMBEDDED="1")
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("address", ["collector:4318", "ftp://collector", "http://"])
def test_an_address_that_is_none_stops_the_start(address: str, tmp_path: Path) -> None:
    settings = {"PORTAL_EMBEDDED": "1", traces.NAME: address}
    done = run_python("from portal import settings", tmp_path, **settings)
    assert done.returncode != 0
    assert traces.NAME in done.stderr.splitlines()[-1]
