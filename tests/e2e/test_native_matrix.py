"""`goinst trace` on native programs that others have made: Redis, the JVM, OpenSSL's library. Debian's packages
redis-server, openjdk-17-jdk-headless and curl; a test of what is not installed is skipped."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.matrix,
    pytest.mark.bpf,
    pytest.mark.skipif(os.geteuid() != 0, reason="loads BPF programs: needs root (make test-matrix uses sudo)"),
]
GOINST = Path(sys.executable).with_name("goinst")
JAVA = Path("/usr/lib/jvm/java-17-openjdk-amd64")
CLASSES = """public class Loads {
    static class Alpha {} static class Beta {}
    public static void main(String[] arguments) throws Exception {
        System.out.println("ready");
        System.in.read();
        new Alpha();
        new Beta();
        for (String name : new String[] {"worker-one", "worker-two"}) {
            Thread thread = new Thread(() -> {}, name);
            thread.start();
            thread.join();
        }
        System.out.println("done");
        while (System.in.read() >= 0) {}
    }
}
"""


@contextmanager
def tracing(*arguments: str) -> Iterator[list[dict[str, Any]]]:
    """goinst trace from when it is ready until the block ends; then the list has its events."""
    events: list[dict[str, Any]] = []
    command = [GOINST, "trace", "--output", "json", "--rate", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        said = []
        while '"ready"' not in (line := tracer.stderr.readline()):
            assert line, said
            said.append(line)
        try:
            yield events
        finally:
            time.sleep(0.5)
            tracer.send_signal(2)
            output, errors = tracer.communicate(timeout=60)
    events += [json.loads(line) for line in output.splitlines()]
    assert '"losses":{}' in errors


def need(command: str) -> str:
    found = shutil.which(command)
    if found is None:
        pytest.skip(f"no {command}")
    return found


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[tuple[int, str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [need("redis-server"), "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            while (
                subprocess.run(["redis-cli", "-p", port, "ping"], capture_output=True, check=False).stdout != b"PONG\n"
            ):
                time.sleep(0.05)
            yield server.pid, port
        finally:
            server.kill()


def test_parts_of_redis_commands(redis: tuple[int, str]) -> None:
    pid, port = redis

    def say(*words: str) -> str:
        return subprocess.run(["redis-cli", "-p", port, *words], capture_output=True, text=True, check=True).stdout

    with tracing("--pid", str(pid), "createStringObject(part = str(arg1, arg2))") as events:
        assert say("set", "octi", "fest") == "OK\n"
        assert say("get", "octi") == "fest\n"
    assert [event["attributes"]["part"] for event in events if event["name"] == "createStringObject"] == [
        "set", "octi", "fest", "get", "octi",
    ]  # fmt: skip


def test_redis_by_the_name_of_a_link(redis: tuple[int, str]) -> None:
    _, port = redis
    with tracing("--exe", "/usr/bin/redis-server", "createStringObject(part = str(arg1, arg2))") as events:
        subprocess.run(["redis-cli", "-p", port, "ping", "octi"], check=True, capture_output=True)
    assert [event["attributes"]["part"] for event in events][-2:] == ["ping", "octi"]


def test_classes_and_threads_of_a_jvm(tmp_path: Path) -> None:
    if not (JAVA / "bin/javac").exists():
        pytest.skip("no openjdk-17-jdk-headless")
    (tmp_path / "Loads.java").write_text(CLASSES)
    subprocess.run([JAVA / "bin/javac", "Loads.java"], cwd=tmp_path, check=True)
    command = [str(JAVA / "bin/java"), "-Xshare:off", "-cp", str(tmp_path), "Loads"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as jvm:
        assert jvm.stdin is not None
        assert jvm.stdout is not None
        try:
            assert jvm.stdout.readline() == "ready\n"
            specs = [
                "usdt:hotspot:class__loaded(name = str(arg1, arg2))",
                "usdt:hotspot:thread__start(name = str(arg1, arg2))",
            ]
            with tracing("--pid", str(jvm.pid), *specs) as events:
                jvm.stdin.write("go\n")
                jvm.stdin.flush()
                assert jvm.stdout.readline() == "done\n"
            names = {name: [e["attributes"]["name"] for e in events if e["name"] == f"usdt:hotspot:{name}"]
                     for name in ("class__loaded", "thread__start")}  # fmt: skip
            listed = subprocess.run([GOINST, "trace", "-l", "--pid", str(jvm.pid), "usdt:*"],
                                    capture_output=True, text=True, check=True).stdout.splitlines()  # fmt: skip
        finally:
            jvm.kill()
    assert [name for name in names["class__loaded"] if name.startswith("Loads") and "Lambda" not in name] == [
        "Loads$Alpha", "Loads$Beta",
    ]  # fmt: skip
    assert [name for name in names["thread__start"] if name.startswith("worker")] == ["worker-one", "worker-two"]
    listed = [line.partition(": ")[2] for line in listed if "libjvm.so: " in line]
    assert len({line.partition("(")[0].partition("#")[0] for line in listed}) > 300
    by_path = subprocess.run(
        [GOINST, "trace", "-l", f"usdt:{JAVA}/lib/server/libjvm.so:*:*"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert by_path == listed


SERVER = """import http.server, ssl, sys
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def test_what_goes_through_a_tls_library(tmp_path: Path) -> None:
    need("openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2",
         "-keyout", key, "-out", certificate], check=True, capture_output=True,
    )  # fmt: skip
    command = ["/usr/bin/python3", "-c", SERVER, str(certificate), str(key)]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        try:
            port = server.stdout.readline().strip()
            # Python calls the functions that return what they did in an argument
            with tracing("--pid", str(server.pid), "libssl:SSL_write_ex(text = str(arg2, arg3))") as events:
                url = f"https://127.0.0.1:{port}/key.pem"
                body = subprocess.run([need("curl"), "-sk", url], capture_output=True, text=True, check=True).stdout
        finally:
            server.kill()
    assert body == key.read_text()
    texts = [event["attributes"]["text"] for event in events]
    assert texts[0].startswith("HTTP/1.0 200 OK\r\n")
    assert texts[1] == body[: len(texts[1])]


def test_a_library_of_a_command() -> None:
    program = "import zlib\nfor i in range(3): zlib.crc32(b'text-%d' % i)"
    command = [
        GOINST,
        "trace",
        "--output",
        "json",
        "libz:crc32(text = str(arg2, arg3))",
        "--",
        "/usr/bin/python3",
        "-c",
    ]
    done = subprocess.run([*command, program], capture_output=True, text=True, timeout=60, check=True)
    texts = [json.loads(line)["attributes"]["text"] for line in done.stdout.splitlines()]
    assert texts[-3:] == ["text-0", "text-1", "text-2"]


def test_semaphores_of_a_python(tmp_path: Path) -> None:
    python = "/usr/bin/python3"
    listed = subprocess.run([GOINST, "trace", "-l", "--exe", python, "usdt:python:gc*"], capture_output=True, text=True,
                            check=False)  # fmt: skip
    if "usdt:python:gc__start" not in listed.stdout:
        pytest.skip("a Python without USDT probes")
    collect = "input(); gc.collect(1); gc.collect(2)"
    program = f"import gc\nprint('ready', flush=True)\n{collect}\nprint('done', flush=True)\ninput()"
    with subprocess.Popen([python, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            with tracing("--pid", str(process.pid), "usdt:python:gc__start(generation = arg1)") as events:
                process.stdin.write("go\n")
                process.stdin.flush()
                assert process.stdout.readline() == "done\n"
        finally:
            process.kill()
    assert [event["attributes"]["generation"] for event in events][:2] == [1, 2]
