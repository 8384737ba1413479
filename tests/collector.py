"""Something that OTLP can be sent to: a real gRPC or HTTP server that keeps what it gets."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

__all__ = ["Collector", "grpc_collector", "http_collector", "values"]


def values(attributes: Any) -> dict[str, Any]:
    """Protobuf attributes as a dictionary."""
    found = {}
    for pair in attributes:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind)
        found[pair.key] = [item.string_value for item in value.values] if kind == "array_value" else value
    return found


class Collector:
    """What came in. ``hold`` makes it keep senders waiting."""

    def __init__(self) -> None:
        self.port = 0
        self.spans: list[tuple[dict[str, Any], str, Any]] = []
        self.metrics: dict[str, Any] = {}
        self.headers: list[dict[str, str]] = []
        self.go = threading.Event()
        self.go.set()

    def take_spans(self, request: Any) -> None:
        """(resource, scope, span) of each."""
        self.go.wait(30)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans += [(values(resource.resource.attributes), scope.scope.name, span) for span in scope.spans]

    def take_metrics(self, request: Any) -> None:
        """The last of each, by service and name."""
        for resource in request.resource_metrics:
            service = values(resource.resource.attributes)["service.name"]
            for scope in resource.scope_metrics:
                self.metrics.update({f"{service}/{metric.name}": metric for metric in scope.metrics})


@contextmanager
def grpc_collector(port: int = 0) -> Iterator[Collector]:
    """Speaks OTLP by gRPC on the loopback interface."""
    collector = Collector()

    class Traces(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
            collector.headers.append(dict(context.invocation_metadata()))
            collector.take_spans(request)
            return trace_service_pb2.ExportTraceServiceResponse()

    class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
            collector.take_metrics(request)
            return metrics_service_pb2.ExportMetricsServiceResponse()

    options = [("grpc.max_receive_message_length", 1 << 26), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(4), options=options)
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Traces(), server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(Metrics(), server)
    collector.port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield collector
    finally:
        collector.go.set()
        server.stop(None).wait()


@contextmanager
def http_collector(statuses: list[int] | None = None) -> Iterator[Collector]:
    """Speaks OTLP by HTTP. ``statuses`` are answers that it gives first."""
    collector, first = Collector(), statuses or []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.headers.append(dict(self.headers))
            status = first.pop(0) if first and self.path == "/v1/traces" else 200
            if status == 200 and self.path == "/v1/traces":
                collector.take_spans(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
            elif status == 200 and self.path == "/v1/metrics":
                collector.take_metrics(metrics_service_pb2.ExportMetricsServiceRequest.FromString(body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield collector
    finally:
        collector.go.set()
        server.shutdown()
        server.server_close()
