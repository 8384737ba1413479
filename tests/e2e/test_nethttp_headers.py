"""Headers on request: ``--set nethttp.capture_headers=…``, read from the program's maps."""

from __future__ import annotations

import pytest
from harness import needs_root, tracing
from test_nethttp_h2 import curl
from traffic import RELEASES, SOME, server

pytestmark = [pytest.mark.bpf, needs_root]

_EACH = [pytest.param(go, marks=[] if go in SOME else pytest.mark.matrix) for go in RELEASES]


@pytest.mark.parametrize("others", [0, 5, 40], ids=["few", "one group or bucket", "many"])
@pytest.mark.parametrize("secure", [False, True], ids=["http1", "http2"])
@pytest.mark.parametrize("go", _EACH)
def test_named_headers_are_on_the_span(go: str, secure: bool, others: int) -> None:
    option = "nethttp.capture_headers=x-id, X-Cut,authorization,x-absent"
    with (
        server(*(["-tls"] if secure else []), "-quiet", go=go) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp", "--set", option) as tracer,
    ):
        headers = [f"X-Other-{number}: v{number}" for number in range(others)]
        headers[others // 2 : others // 2] = ["X-Id: id-1", "Authorization: Bearer s3cret", f"X-Cut: {'c' * 300}"]
        scheme = "https" if secure else "http"
        arguments = [word for line in headers for word in ("-H", line)]
        curl(f"{scheme}://127.0.0.1:{running.port}/item/1?bytes=1", *arguments)
        (span,) = tracer.wait_spans(1)
        ended = tracer.stop()
    attributes = span["attributes"]
    assert attributes["http.request.header.x-id"] == ["id-1"]
    assert attributes["http.response.header.x-id"] == ["id-1"]
    assert attributes["http.request.header.authorization"] == ["REDACTED"]
    assert attributes["http.request.header.x-cut"] == ["c" * 254]
    assert "http.request.header.x-cut" in span["truncated"]
    assert not any("absent" in name or "other" in name for name in attributes)
    assert "s3cret" not in str(span)
    assert ended.summary["losses"] == {}
