"""Writing trace contexts, on kernels that allow it: make test-vm.

GOINST_VM_KERNELS chooses kernels (5.10,6.1,6.12), GOINST_VM_STRESS the seconds of the stress test.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from kernel_vm import CHOSEN, run_in_vm

import gobuild

STRESS = float(os.environ.get("GOINST_VM_STRESS", "600"))
COUNT = 1000
OWN = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


def guest(kernel: str, site: Path, count: int, concurrency: int, stress: float) -> dict[str, Any]:
    ran = run_in_vm(
        kernel,
        ["python3", "/guest.py", "/chain", str(count), str(concurrency), str(stress)],
        add={
            "site": site,
            "chain": gobuild.build(gobuild.PROGRAMS / "chain"),
            "guest.py": Path(__file__).parent / "guest.py",
        },
        env={"PYTHONPATH": "/site"},
        timeout=1500 + stress * 2,
    )
    result: dict[str, Any] = ran.result()
    return result


@pytest.mark.parametrize("kernel", CHOSEN)
def test_one_trace_through_all_services(kernel: str, site: Path) -> None:
    examine(kernel, guest(kernel, site, COUNT, 50, 0))


def examine(kernel: str, result: dict[str, Any]) -> None:
    """What a guest brought back from the chain, the instrumented client and the odd requests."""
    summary = result["events"][-1]
    assert result["exit"] == 0
    assert result["died"] == []
    assert [run["status"] for run in result["drove"]] == [0, 0], result["drove"]
    assert all(run["said"].endswith("failed 0") for run in result["drove"]), result["drove"]
    received: dict[str, list[dict[str, Any]]] = result["received"]
    assert [line for lines in received.values() for line in lines if "wrong" in line] == []
    spans = {span["span_id"]: span for span in result["spans"]}
    assert len(spans) == len(result["spans"])

    # what came over the wire is what was printed: a client's span, in its trace
    for role, lines in received.items():
        for line in lines:
            assert len(line["context"]) <= 1, (role, line)
            for context in line["context"]:
                version, trace, parent, flags = context.split("-")
                if context == OWN or role == "edge":
                    continue
                assert (version, flags) == ("00", "01")
                assert (spans[parent]["trace_id"], spans[parent]["kind"]) == (trace, "client"), (role, line)

    # 1,000 trees of the right shape
    came = {role: {line["id"]: line["context"] for line in lines} for role, lines in received.items()}
    children = defaultdict(list)
    for span in result["spans"]:
        children[span["parent_span_id"]].append(span)
    by_parent = {context.split("-")[2]: number for number, (context,) in ((n, c) for n, c in came["leaf"].items() if c)}
    numbers = [f"r{n}" for n in range(1, COUNT + 1)]
    broken = [number for number in numbers if not all(came[role][number] for role in ("middle", "rpc", "leaf"))]
    # declined and counted: a frame that a full batch was sent in the middle of; before Linux 6.0 also a request of a
    # goroutine whose start was not seen, because a probe is passed over while its processor is inside a map
    # (trace_call_bpf, bpf_prog_active)
    unclaimed = summary["losses"].get("nethttp.context_unclaimed", 0)
    assert kernel == "5.10" or not unclaimed
    assert len(broken) <= unclaimed + summary["losses"].get("core.context_unsure", 0)
    whole = 0
    for number in (number for number in numbers if number not in broken):
        (first,), (second,), (third,) = (came[role][number] for role in ("middle", "rpc", "leaf"))
        path = []
        for context in (first, second, third):
            client = spans[context.split("-")[2]]
            path += [client, spans[client["parent_span_id"]]]
        assert len({span["trace_id"] for span in path}) == 1
        assert [span["kind"] for span in path] == ["client", "server"] * 3
        # each server's parent is the client in front of it, and the first has none
        assert path[3]["parent_span_id"] == path[0]["span_id"]
        assert path[5]["parent_span_id"] == path[2]["span_id"]
        assert path[1]["parent_span_id"] is None
        assert by_parent[path[4]["span_id"]] == number
        (last,) = children[path[4]["span_id"]]
        assert (last["kind"], last["name"]) == ("server", "POST /leaf")
        whole += 1
    assert whole == COUNT - len(broken) >= 0.99 * COUNT

    # an instrumented client's requests stay in its trace
    for made in result["sdk"]:
        below = [span for span in result["spans"] if span["trace_id"] == made["trace_id"]]
        assert len(below) == 7
        assert [span["kind"] for span in below if span["parent_span_id"] == made["span_id"]] == ["server"]

    # at the edges: written or declined, and said so
    sent = Counter(span["sent"] for span in result["spans"] if span["kind"] == "client")
    assert sent["present"] == 6
    assert [line["context"] for line in received["secure"]] == [[OWN]] * 3
    own = [line["context"] for line in received["leaf"] if line["id"].startswith("own")]
    assert own == [[OWN]] * 3
    paths = [len(line["context"]) for line in received["leaf"] if line["id"].startswith("path")]
    assert len(paths) == 410
    declined = paths.count(0)
    # 70 bytes are needed: where less is left none is written
    assert 60 <= declined <= 80
    assert summary["losses"]["core.context_no_room"] == sent["no room"]
    # or the buffer was sent in the middle of a line's end, which is not recognized
    assert 0 <= declined - sent["no room"] <= 2
    fields = [line["context"] for line in received["leaf"] if line["id"].startswith("fields")]
    assert len(fields) == 101 + len(result["sdk"])
    assert summary["notes"]["core.context_written"] == sent["written"]


@pytest.mark.parametrize("kernel", CHOSEN[-1:])
def test_collections_and_growing_stacks(kernel: str, site: Path) -> None:
    """Each byte of headers and bodies is checked by whoever receives it."""
    unharmed(guest(kernel, site, 300, 20, STRESS))


def unharmed(result: dict[str, Any]) -> None:
    """What a guest brought back from services that collect garbage all the time."""
    assert result["exit"] == 0
    assert result["died"] == []
    assert [run for run in result["drove"] if run["status"] or not run["said"].endswith("failed 0")] == []
    assert result["errors"] == {}
    assert result["wrong"] == []
    assert result["twice"] == 0
    served = result["served"]
    assert served["edge"] == served["leaf"] == 300 * len(result["drove"])
    losses = result["events"][-1]["losses"]
    declined = sum(losses.get(f"core.context_{why}", 0) for why in ("unsure", "not_written", "no_room"))
    assert result["without"] <= declined + losses.get("nethttp.context_unclaimed", 0)
    assert result["without"] < 0.01 * served["leaf"]
