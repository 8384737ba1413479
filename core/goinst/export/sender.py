"""OTLP over the network: where to, by which protocol, with which headers; by option or OTEL_EXPORTER_OTLP_*."""

from __future__ import annotations

import gzip
import logging
import os
import time
from typing import Any, Protocol
from urllib.parse import urlsplit

from goinst.errors import UsageError
from goinst.extras import need

__all__ = ["Sender", "metric_exporter", "open_sender"]

_WHAT = "--otlp"
_TIMEOUT = 10.0
_AGAIN = frozenset({429, 502, 503, 504})  # OTLP 1: retryable


class Sender(Protocol):
    """Sends requests. ``target`` is where to, for messages."""

    target: str

    def send(self, request: bytes) -> str:
        """Send an encoded ExportTraceServiceRequest; the empty text, or why it could not be sent."""

    def close(self) -> None:
        """Give up what is being sent."""


def variable(name: str, signal: str = "TRACES") -> str:
    """OTEL_EXPORTER_OTLP_<SIGNAL>_<NAME>, else OTEL_EXPORTER_OTLP_<NAME>."""
    return os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_{name}") or os.environ.get(f"OTEL_EXPORTER_OTLP_{name}", "")


def protocol_of(endpoint: str) -> str:
    """``grpc`` or ``http/protobuf``: as it is set, else by the port (4318 is HTTP's) or a path."""
    chosen = variable("PROTOCOL")
    if chosen in ("grpc", "http/protobuf"):
        return chosen
    if chosen:
        raise UsageError(f"OTEL_EXPORTER_OTLP_PROTOCOL={chosen}: grpc and http/protobuf are known")
    parts = urlsplit(endpoint or variable("ENDPOINT"))
    return "http/protobuf" if _port(parts) == 4318 or parts.path.strip("/") else "grpc"


def _port(parts: Any) -> int | None:
    try:
        return parts.port if parts.scheme else None
    except ValueError as error:
        raise UsageError(f"{_WHAT}: {error}") from error


def checked(endpoint: str) -> str:
    """An endpoint with a scheme; UsageError when it is no URL."""
    text = endpoint if "://" in endpoint else f"http://{endpoint}"
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{_WHAT} {endpoint!r}: write it as http://127.0.0.1:4317")
    _port(parts)
    return text


def open_sender(endpoint: str) -> Sender:
    """To ``endpoint``, or as OTEL_EXPORTER_OTLP_* say, or to a Collector on this machine. Nothing is sent yet."""
    _listen()
    if endpoint:
        endpoint = checked(endpoint)
    return _Grpc(endpoint) if protocol_of(endpoint) == "grpc" else _Http(endpoint)


def metric_exporter(endpoint: str) -> Any:
    """The SDK's exporter of metrics to the same place."""
    if endpoint:
        endpoint = checked(endpoint)
    kind = "grpc" if protocol_of(endpoint) == "grpc" else "http"
    module = need(f"opentelemetry.exporter.otlp.proto.{kind}.metric_exporter", "otlp", _WHAT)
    if kind == "http" and endpoint:
        endpoint = _path(endpoint, "/v1/metrics")
    return module.OTLPMetricExporter(
        endpoint=endpoint or None, **({"insecure": True} if _plain(kind, endpoint) else {})
    )


def _plain(kind: str, endpoint: str) -> bool:
    """Whether gRPC goes without TLS: http://, or nothing said and a Collector on this machine."""
    return kind == "grpc" and not (endpoint or variable("ENDPOINT")).startswith("https://")


def _path(endpoint: str, path: str) -> str:
    return endpoint if urlsplit(endpoint).path.strip("/") else endpoint.rstrip("/") + path


class _Grpc:
    """The SDK's exporter, given bytes instead of spans."""

    def __init__(self, endpoint: str) -> None:
        need("opentelemetry.sdk.trace", "otlp", _WHAT)
        base = need("opentelemetry.exporter.otlp.proto.grpc.trace_exporter", "otlp", _WHAT).OTLPSpanExporter
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
        from opentelemetry.sdk.trace.export import SpanExportResult

        if not hasattr(base, "_translate_data"):
            raise UsageError(
                f"{_WHAT}: goinst does not know this version of opentelemetry-exporter-otlp-proto-grpc; pip install"
                " 'goinst[otlp]', or OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
            )

        class Exporter(base):  # type: ignore[misc, valid-type]
            def _translate_data(self, data: list[bytes]) -> ExportTraceServiceRequest:
                message: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(data[0])
                return message

        self._success = SpanExportResult.SUCCESS
        self.target = endpoint or variable("ENDPOINT") or "http://localhost:4317"
        self._exporter = Exporter(endpoint=endpoint or None, **({"insecure": True} if _plain("grpc", endpoint) else {}))

    def send(self, request: bytes) -> str:
        _said.clear()
        if self._exporter.export([request]) is self._success:
            return ""
        return _said[-1] if _said else "no answer"

    def close(self) -> None:
        self._exporter.shutdown(timeout_millis=0)


class _Http:
    """A POST for each request; again with growing pauses while the other side is away, as long as the timeout lets.

    The SDK's exporter for HTTP takes its own spans only, and encodes them itself: the one for gRPC has a method to
    override, this one nothing but a private client (1.45)."""

    def __init__(self, endpoint: str) -> None:
        need("opentelemetry.proto", "otlp", _WHAT)
        requests = need("requests", "otlp", _WHAT)
        from opentelemetry.util.re import parse_env_headers

        base = endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
        own = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
        self.target = own if own and not endpoint else _path(base or "http://localhost:4318", "/v1/traces")
        self._session = requests.Session()
        self._session.headers["Content-Type"] = "application/x-protobuf"
        self._session.headers.update(parse_env_headers(variable("HEADERS"), liberal=True))
        self._zip = variable("COMPRESSION") == "gzip"
        if self._zip:
            self._session.headers["Content-Encoding"] = "gzip"
        if certificate := variable("CERTIFICATE"):
            self._session.verify = certificate
        if certificate := variable("CLIENT_CERTIFICATE"):
            self._session.cert = (certificate, variable("CLIENT_KEY") or certificate)
        self._timeout = float(variable("TIMEOUT") or _TIMEOUT)
        self._failures = requests.RequestException
        self._closed = False

    def send(self, request: bytes) -> str:
        if self._zip:
            request = gzip.compress(request, 1)
        deadline, pause = time.monotonic() + self._timeout, 0.5
        while True:
            left = deadline - time.monotonic()
            try:
                answer = self._session.post(self.target, data=request, timeout=max(left, 0.1))
                if answer.ok:
                    return ""
                reason = f"it answers {answer.status_code} {answer.reason}"
                if answer.status_code not in _AGAIN:
                    return reason
            except self._failures as error:
                reason = _root(error)
            if self._closed or time.monotonic() + pause >= deadline:
                return reason
            time.sleep(pause)
            pause *= 2

    def close(self) -> None:
        self._closed = True


def _root(error: BaseException) -> str:
    reason = getattr(error.args[0] if error.args else error, "reason", error)
    return str(reason).rpartition(">: ")[2] or type(error).__name__


# what the SDK's exporters say; they would print it with a traceback
_said: list[str] = []


class _Ear(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _said.append(" ".join(record.getMessage().split()))
        del _said[:-4]


def _listen() -> None:
    logger = logging.getLogger("opentelemetry")
    if not any(isinstance(handler, _Ear) for handler in logger.handlers):
        logger.addHandler(_Ear())
        logger.propagate = False
