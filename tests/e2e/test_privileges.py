"""With exactly the capabilities of deploy/daemonset.yaml, and with fewer: what works, and what is said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from harness import GOINST, goinst, needs_root, tracing
from test_deployments import SERVER, container

import gobuild

pytestmark = [pytest.mark.bpf, needs_root]
WHAT = ("--exe", f"*/{SERVER}", "--plugins", "nethttp")
REQUIRED = ("BPF", "PERFMON", "SYS_PTRACE")


def deployed() -> tuple[str, ...]:
    text = (Path(__file__).parents[2] / "deploy" / "daemonset.yaml").read_text()
    pod = next(one for one in yaml.safe_load_all(text) if one["kind"] == "DaemonSet")["spec"]["template"]["spec"]
    return tuple(pod["containers"][0]["securityContext"]["capabilities"]["add"])


def with_only(capabilities: tuple[str, ...]) -> tuple[str, ...]:
    """User 0 with these and no others, as a container has it."""
    names = ",".join(f"+{name.lower()}" for name in capabilities)
    return "setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set=-all,{names}"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Of another user, who keeps it to himself."""
    folder = tmp_path / "image"
    folder.mkdir()
    shutil.copy(gobuild.build(gobuild.PROGRAMS / "ping"), folder / SERVER)
    os.chown(folder / SERVER, 1000, 1000)
    (folder / SERVER).chmod(0o711)
    return folder


def test_what_the_daemonset_has_is_enough(image: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(container(image, tmp_path / name)) for name in ("1", "2")]
        tracer = stack.enter_context(
            tracing("--exe", f"*/{SERVER}", "--plugins", "nethttp", prefix=with_only(deployed()))
        )
        for server in servers:
            assert server.request("GET", "/ping")[0] == 200
        tracer.wait_spans(2)
        ended = tracer.stop()
    assert [span["resource"]["process.pid"] for span in ended.spans] == [server.pid for server in servers]
    assert ended.summary["hits"]["net/http.serverHandler.ServeHTTP entry"] == 2
    assert [event for event in ended.events if event["event"] == "capability missing" or "lease" in str(event)] == []


def test_what_is_lost_with_fewer_is_said(image: Path, tmp_path: Path) -> None:
    (image / SERVER).chmod(0o755)
    with ExitStack() as stack:
        servers = [stack.enter_context(container(image, tmp_path / name)) for name in ("1", "2")]
        tracer = stack.enter_context(
            tracing("--exe", f"*/{SERVER}", "--plugins", "nethttp", prefix=with_only(REQUIRED))
        )
        for server in servers:
            server.request("GET", "/ping")
        tracer.wait_spans(2)
        ended = tracer.stop()
    # containers of one image are told by their code: the kernel need not say which file is mapped
    assert len(ended.spans) == 2
    missing = [event["capability"] for event in ended.events if event["event"] == "capability missing"]
    assert missing == [f"CAP_{name}" for name in deployed() if name not in REQUIRED]

    refused = subprocess.run(
        [*with_only(("BPF",)), GOINST, "run", "--pid", str(os.getpid())], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 3
    assert "CAP_PERFMON" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("capabilities", "privileges", "attaching", "words"),
    [
        (deployed(), "ok", "ok", ""),
        (REQUIRED, "warn", "ok", "CAP_LEASE"),
        (("BPF", "SYS_PTRACE"), "fail", "fail", "docs/FLEET.md"),
    ],
    ids=["deployed", "required", "too few"],
)
def test_the_doctor_tries(capabilities: tuple[str, ...], privileges: str, attaching: str, words: str) -> None:
    prefix = with_only(capabilities)
    done = subprocess.run([*prefix, GOINST, "doctor", "--json"], capture_output=True, text=True, check=False)
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert (checks["privileges"]["verdict"], checks["attaching"]["verdict"]) == (privileges, attaching)
    assert words in checks["privileges"]["advice"]
    if "fail" in (privileges, attaching):
        assert done.returncode == 3
    else:
        assert "uprobe_multi" in checks["attaching"]["found"]


def test_root_of_a_user_namespace_is_not_root() -> None:
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", GOINST, "doctor", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert (done.returncode, checks["privileges"]["verdict"]) == (3, "fail")
    assert "user namespace" in checks["privileges"]["found"]


def test_the_doctor_of_root_finds_nothing_missing() -> None:
    checks = {check["name"]: check for check in json.loads(goinst("doctor", "--json").stdout)["checks"]}
    assert checks["privileges"]["verdict"] == "ok"
