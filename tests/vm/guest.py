"""Runs in the guest: the chain of services, traced with --propagate; what each side saw, as one line of JSON.

python3 guest.py CHAIN COUNT CONCURRENCY STRESS_SECONDS
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from typing import Any

ROLES = ("leaf", "rpc", "middle", "edge")
GOINST = "import sys; from goinst.cli.main import main; sys.exit(main())"
SDK_REQUESTS = 5


class Service:
    def __init__(self, *command: str, **env: str) -> None:
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **env}
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().split()[1]
        self.lines: list[dict[str, Any]] = []
        self.errors: list[str] = []
        for stream, take in ((self.process.stdout, self._line), (self.process.stderr, self.errors.append)):
            threading.Thread(target=self._read, args=(stream, take), daemon=True).start()

    def _line(self, text: str) -> None:
        self.lines.append(json.loads(text))

    @staticmethod
    def _read(stream: Any, take: Any) -> None:
        for line in stream:
            take(line)


def by_the_sdk(edge: str) -> list[dict[str, str]]:
    """Requests of an instrumented client: the spans that the SDK made of them."""
    from hashlib import sha256

    from opentelemetry import trace
    from opentelemetry.propagate import inject
    from opentelemetry.sdk.trace import TracerProvider

    trace.set_tracer_provider(TracerProvider())
    tracer, made = trace.get_tracer("guest"), []
    for number in range(SDK_REQUESTS):
        name = f"fields{number}"
        with tracer.start_as_current_span("client") as span:
            headers = {"X-Id": name}
            inject(headers)
            fill = sha256(f"fill {name}".encode()).digest()
            for i in range(number):
                headers[f"x-fill-{i}"] = fill[: 1 + fill[i % 31 + 1] % 32].hex()
            sum_ = sha256(name.encode()).digest()
            request = urllib.request.Request(f"http://{edge}/go", sum_ * (sum_[0] % 90 + 1), headers)
            with urllib.request.urlopen(request, timeout=300) as answer:
                assert answer.read() == f"done {name}".encode()
            context = span.get_span_context()
            made.append({"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"})
    return made


def main() -> None:
    chain, count, concurrency, stress = sys.argv[1], *sys.argv[2:4], float(sys.argv[4])
    # collections that check themselves, and many of them
    env = {"GODEBUG": "gccheckmark=1", "GOGC": "5"} if stress else {}
    services: dict[str, Service] = {}
    behind: tuple[str, ...] = ()
    for role in ROLES:
        services[role] = Service(chain, role, *behind, **env)
        behind = (services[role].address,)
    services["secure"] = Service(chain, "secure", **env)
    spans, said = open("/tmp/spans", "w"), open("/tmp/said", "w")  # noqa: SIM115 - of the guest
    goinst = subprocess.Popen(
        [
            sys.executable, "-c", GOINST, "run", "--plugins", "nethttp,grpc", "--propagate", "--exe", chain,
            "--output", "json",
        ],
        stdout=spans, stderr=said,
    )  # fmt: skip
    while '"event":"ready"' not in open("/tmp/said").read():  # noqa: SIM115
        assert goinst.poll() is None, open("/tmp/said").read()  # noqa: SIM115
        time.sleep(0.5)
    shutil.copy(chain, "/tmp/driver")
    edge = services["edge"].address
    drove = []
    end = time.monotonic() + stress
    while True:
        drove.append(run("/tmp/driver", "drive", f"http://{edge}/go", count, concurrency))
        if time.monotonic() >= end:
            break
    result: dict[str, Any] = {"sdk": []}
    if not stress:
        result["sdk"] = by_the_sdk(edge)
        # traced, as it writes requests
        drove.append(run(chain, "fringe", edge, services["leaf"].address, services["secure"].address))
    time.sleep(2)
    goinst.send_signal(signal.SIGINT)
    result["exit"] = goinst.wait(300)
    result["died"] = [role for role, service in services.items() if service.process.poll() is not None]
    for service in services.values():
        service.process.kill()
        service.process.wait()
    result["drove"] = drove
    result["errors"] = {role: "".join(service.errors)[:2000] for role, service in services.items() if service.errors}
    result["events"] = [json.loads(line) for line in open("/tmp/said") if line.startswith("{")]  # noqa: SIM115
    if stress:
        result["wrong"] = [line for service in services.values() for line in service.lines if "wrong" in line][:20]
        result["served"] = {role: len(service.lines) for role, service in services.items()}
        result["without"] = sum(not line["context"] for role in ROLES[:3] for line in services[role].lines)
        result["twice"] = sum(len(line["context"]) > 1 for role in ROLES for line in services[role].lines)
    else:
        result["received"] = {role: service.lines for role, service in services.items()}
        keep = ("trace_id", "span_id", "parent_span_id", "kind", "name")
        result["spans"] = [
            {name: span[name] for name in keep} | {"sent": span["attributes"].get("goinst.propagation")}
            for span in map(json.loads, open("/tmp/spans"))  # noqa: SIM115
        ]
    print("RESULT", json.dumps(result))


def run(*command: str) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {"status": done.returncode, "said": done.stdout.strip(), "errors": done.stderr[:1000]}


main()
