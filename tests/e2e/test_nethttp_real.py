"""Programs that others wrote, under traffic of their own kind: spans say what the access logs say."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from harness import Ended, Span, needs_root, tracing
from real import COMBINED, Fact, certificate, curl_all, fact_of, free_port, logged_json, running

from gobuild import installed

pytestmark = [pytest.mark.bpf, pytest.mark.matrix, needs_root]

_TRACED = ("--plugins", "nethttp", "--no-redact", "--set", "nethttp.header_bytes=1024")
_PARALLEL = ("-Z", "--parallel-max", "30")


def settled(ended: Ended) -> list[Span]:
    assert ended.summary["losses"] == {}
    assert ended.summary["open"] == 0
    return ended.spans


def served(ended: Ended) -> list[Span]:
    return [span for span in settled(ended) if span["kind"] == "server"]


# /links redirects after it has changed the request's path, so its log has another one
_BIN = (
    "/ /get?a=1 /encoding/utf8 /anything/a/b/c?x=1 /base64/aGVsbG8= /basic-auth/u/p /bytes/1000 /cache/60 /cookies "
    "/cookies/set?k=v /deflate /delay/0.2 /deny /drip?duration=0.3&numbytes=5&delay=0.1 /dump/request /gzip /html "
    "/image/png /json /jsonl /range/500 /redirect/3 /response-headers?X-A=b /sse?count=5&duration=0.2 /status/204 "
    "/status/304 /status/418 /status/503 /stream-bytes/20000?chunk_size=100 /stream/5 /trailers?a=b /unstable /xml "
    "/brotli /nowhere /status/abc /delete /%ff%fe /a%2Fb/c /get/ //get /bytes/99999999"
)


@pytest.mark.parametrize("go", [None, "1.27.3"])
@pytest.mark.parametrize("secure", [False, True], ids=["http1", "http2"])
def test_httpbin(tmp_path: Path, secure: bool, go: str | None) -> None:
    """ServeMux and a log of JSON lines; delays, streams, event streams, redirects, panics, bodies too large."""
    binary = installed("github.com/mccutchen/go-httpbin/v2/cmd/go-httpbin", "v2.26.0", go=go)
    port, log = free_port(), tmp_path / "log"
    command: list[str | Path] = [binary, "-host", "127.0.0.1", "-port", str(port), "-log-format", "json"]
    if secure:
        key, own = certificate(tmp_path)
        command += ["-https-cert-file", own, "-https-key-file", key]
    requests = [("GET", target, "") for target in _BIN.split()]
    requests += [("POST", "/post", "x" * 5000), ("PUT", "/put", "abc"), ("HEAD", "/get", ""), ("DELETE", "/delete", "")]
    requests += [("POST", "/upload", "y" * 70000), ("POST", "/post", "w" * 2000000), ("OPTIONS", "/get", "")]
    requests += [("QUERY", "/anything", "q"), ("ODD", "/get", ""), ("POST", "/get", "z")]
    with running(command, port, log) as pid, tracing("--pid", str(pid), *_TRACED) as tracer:
        base, version = f"http{'s' if secure else ''}://127.0.0.1:{port}", "--http2" if secure else "--http1.1"
        curl_all(base, requests * 3, tmp_path, version)
        curl_all(base, requests * 5, tmp_path, version, *_PARALLEL)
        time.sleep(0.5)
        spans = served(tracer.stop())
    entries = logged_json(log, ("method", "uri", "status", "size_bytes", "user_agent"))
    assert len(entries) > 6 * len(requests)
    assert Counter(fact for _, fact in entries) == Counter(map(fact_of, spans))
    routes = Counter((entry["uri"], entry["route"].rpartition(" ")[2]) for entry, _ in entries)
    assert routes == Counter((fact_of(span).target, span["attributes"].get("http.route", "")) for span in spans)


_CADDY = """{{
 admin off
 auto_https off
 persist_config off
 servers {{
  protocols h1 h2 h2c
 }}
}}
(site) {{
 bind 127.0.0.1
 log {{
  output file {folder}/access.log
  format json
 }}
}}
(edge) {{
 import site
 encode gzip
 root * {folder}/www
 respond /hello "hello {{http.request.uri}}" 200
 respond /teapot 418
 redir /old /hello 301
 handle_path /up/* {{
  reverse_proxy 127.0.0.1:{inner}
 }}
 handle_path /h2up/* {{
  reverse_proxy h2c://127.0.0.1:{inner}
 }}
 reverse_proxy /dead/* 127.0.0.1:1
 file_server browse
}}
http://:{plain} {{
 import edge
}}
https://:{secure} {{
 tls {own} {key}
 import edge
}}
http://:{inner} {{
 import site
 respond "upstream {{http.request.uri}}" 200
}}
"""


_CADDY_PATHS = "/ /hello?x=1 /teapot /old /big.txt /sub/ /sub /none //hello"


def test_caddy(tmp_path: Path) -> None:
    """A router of its own, x/net's HTTP/2 with TLS and without, and a reverse proxy with either for its upstream."""
    binary = installed("github.com/caddyserver/caddy/v2/cmd/caddy", "v2.11.9")
    key, own = certificate(tmp_path)
    plain, secure, inner = free_port(), free_port(), free_port()
    (tmp_path / "www" / "sub").mkdir(parents=True)
    (tmp_path / "www" / "big.txt").write_text("line\n" * 50_000)
    text = _CADDY.format(folder=tmp_path, plain=plain, secure=secure, inner=inner, own=own, key=key)
    (tmp_path / "Caddyfile").write_text(text)
    requests = [("GET", target, "") for target in _CADDY_PATHS.split()]
    requests += [("GET", "/up/a/b?q=1", ""), ("GET", "/h2up/c?q=2", ""), ("GET", "/dead/x", ""), ("PUT", "/hello", "a")]
    requests += [("POST", "/up/p", "x" * 3000), ("POST", "/h2up/p", "y" * 3000), ("HEAD", "/up/h", "")]
    sides = [(plain, "http", "--http1.1"), (secure, "https", "--http2"), (plain, "http", "--http2-prior-knowledge")]
    with (
        running([binary, "run", "--config", tmp_path / "Caddyfile"], plain, tmp_path / "log") as pid,
        tracing("--pid", str(pid), *_TRACED) as tracer,
    ):
        for port, scheme, version in sides:
            curl_all(f"{scheme}://127.0.0.1:{port}", requests * 3, tmp_path, version)
            curl_all(f"{scheme}://127.0.0.1:{port}", requests * 3, tmp_path, version, *_PARALLEL)
        time.sleep(0.5)
        ended = tracer.stop()
    names = ("request.method", "request.uri", "status", "size", "request.headers.User-Agent")
    entries = logged_json(tmp_path / "access.log", names)
    assert len(entries) == 18 * (len(requests) + 5)
    spans = served(ended)
    assert Counter(fact for _, fact in entries) == Counter(map(fact_of, spans))
    ports = Counter((fact, entry["request"]["proto"], entry["request"]["remote_port"]) for entry, fact in entries)
    versions = {"1.1": "HTTP/1.1", "2": "HTTP/2.0"}
    assert ports == Counter(
        (
            fact_of(span),
            versions[span["attributes"]["network.protocol.version"]],
            str(span["attributes"]["client.port"]),
        )
        for span in spans
    )
    # what the proxy asked for, below what it was asked
    by_id = {span["span_id"]: span for span in spans}
    asked = Counter(
        (
            by_id[span["parent_span_id"]]["attributes"]["url.path"],
            span["attributes"].get("network.protocol.version", span["attributes"].get("error.type")),
        )
        for span in ended.spans
        if span["kind"] == "client"
    )
    assert asked == {
        ("/up/a/b", "1.1"): 18, ("/h2up/c", "2"): 18, ("/dead/x", "connection_refused"): 18,
        ("/up/p", "1.1"): 18, ("/h2up/p", "2"): 18, ("/up/h", "1.1"): 18,
    }  # fmt: skip


def _push(port: int, name: str, size: int) -> None:
    """What a container engine does to push an image of one layer, then what pulls it, then some that fail."""
    connection = http.client.HTTPConnection("127.0.0.1", port)

    def send(method: str, target: str, body: bytes | None = None, kind: str = "") -> http.client.HTTPResponse:
        headers = {"User-Agent": f"push/{size}", **({"Content-Type": kind} if kind else {})}
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        response.read()
        return response

    def upload(data: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        send("HEAD", f"/v2/{name}/blobs/{digest}")
        place = send("POST", f"/v2/{name}/blobs/uploads/").headers["Location"].split(str(port), 1)[1]
        half = len(data) // 2
        place = send("PATCH", place, data[:half]).headers["Location"].split(str(port), 1)[1]
        assert send("PUT", f"{place}&digest={digest}", data[half:]).status == 201
        return digest

    layer, config = upload(os.urandom(size)), upload(b"{}")
    family = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": family,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": config},
        "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": size, "digest": layer}],
    }
    assert send("PUT", f"/v2/{name}/manifests/latest", json.dumps(manifest).encode(), family).status == 201
    for method, target in (
        ("GET", "/v2/"), ("GET", f"/v2/{name}/manifests/latest"), ("HEAD", f"/v2/{name}/manifests/latest"),
        ("GET", f"/v2/{name}/blobs/{layer}"), ("GET", f"/v2/{name}/tags/list"), ("GET", "/v2/_catalog?n=10"),
        ("GET", f"/v2/{name}/manifests/none"), ("DELETE", f"/v2/{name}/blobs/{layer}"), ("GET", "/nope"),
        ("GET", f"/v2/{name}/blobs/{layer}"), ("OPTIONS", "/v2/"), ("POST", "/v2/"),
    ):  # fmt: skip
        send(method, target)
    connection.close()


def test_registry(tmp_path: Path) -> None:
    """gorilla/mux with long regular expressions, and a log in the combined format."""
    binary = installed("github.com/distribution/distribution/v3/cmd/registry", "v3.1.2")
    port = free_port()
    (tmp_path / "config.yml").write_text(
        f"version: 0.1\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
        f"storage: {{filesystem: {{rootdirectory: {tmp_path}/data}}, delete: {{enabled: true}}}}\n"
    )
    with (
        running([binary, "serve", tmp_path / "config.yml"], port, tmp_path / "log") as pid,
        tracing("--pid", str(pid), *_TRACED) as tracer,
    ):
        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(lambda n: _push(port, f"repo{n}/image", (10, 1000, 300_000)[n % 3] + n), range(40)):
                pass
        time.sleep(0.5)
        ended = tracer.stop()
    lines = (COMBINED.match(line) for line in (tmp_path / "log").read_text().splitlines())
    entries = [
        Fact(found[1], found[2], int(found[3]), None if found[1] == "HEAD" else int(found[4]), found[5])
        for found in lines
        if found
    ]
    spans = served(ended)
    assert len(entries) == 40 * 21
    assert Counter(entries) == Counter(map(fact_of, spans))
    names = {span["name"] for span in spans if "http.route" in span["attributes"]}
    assert "PUT /v2/{name}/manifests/{reference}" in names
    assert len(names) == 14, names
