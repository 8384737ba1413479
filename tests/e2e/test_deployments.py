"""Deployments and short lives: files that are replaced, containers of one image, processes that come and go."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from harness import GOINST, PATIENCE, READY_SECONDS, Server, Tracer, needs_root, serving, tracing

import gobuild
from textcheck import breakpoints, planned

pytestmark = [pytest.mark.bpf, needs_root]

HTTP = ("--plugins", "nethttp")
SERVER = f"server-{os.getpid()}"  # a pattern for it must not match what others run


@pytest.fixture(scope="module")
def old() -> Path:
    return gobuild.build(gobuild.PROGRAMS / "ping")


@pytest.fixture(scope="module")
def new() -> Path:
    """Another program of the same kind: its functions lie elsewhere."""
    return gobuild.build(gobuild.PROGRAMS / "odd")


def wait_until(done: Callable[[], bool], what: str, seconds: float = READY_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def joined(tracer: Tracer, pid: int) -> None:
    """Until a process is traced: from the start, or because it came later."""

    def there() -> bool:
        events = list(tracer.events)
        later = any(event["event"] == "process joined" and event["pid"] == pid for event in events)
        return later or any(pid in target["pids"] for event in events for target in event.get("targets", ()))

    wait_until(there, f"process {pid} joined: {tracer.events}")


def copied(source: Path, target: Path) -> None:
    """cp, cat >, curl -o: the file is emptied first."""
    shutil.copyfile(source, target)


def in_pieces(source: Path, target: Path) -> None:
    """scp, rsync --inplace: block by block over what is there."""
    data = source.read_bytes()
    with target.open("r+b") as file:
        for at in range(0, len(data), 1 << 16):
            file.write(data[at : at + (1 << 16)])
        file.truncate()


def truncated(source: Path, target: Path) -> None:
    """truncate(2) by path, then appended to."""
    os.truncate(target, 0)
    with target.open("ab") as file:
        file.write(source.read_bytes())


def through_a_mapping(source: Path, target: Path) -> None:
    """Written by memory: what a linker does (cmd/link/internal/ld/outbuf_mmap.go)."""
    import mmap

    data = source.read_bytes()
    with target.open("r+b") as file:
        file.truncate(len(data))
        with mmap.mmap(file.fileno(), len(data)) as area:
            area[:] = data


@pytest.mark.parametrize("write", [copied, in_pieces, truncated, through_a_mapping])
def test_a_new_version_written_over_a_watched_program(
    old: Path, new: Path, tmp_path: Path, write: Callable[[Path, Path], None]
) -> None:
    """The inode stays, so the kernel would put the old version's breakpoints into the new one: it crashes at its start,
    or computes something else."""
    app = tmp_path / "app"
    shutil.copy(old, app)
    with tracing("--exe", str(app), "--wait", *HTTP) as tracer:
        with serving(app) as server:
            joined(tracer, server.pid)
            assert breakpoints(server.pid, old) <= planned(old, "nethttp")
            assert server.request("GET", "/ping")[0] == 200
            tracer.wait_spans(1)
        write(new, app)
        with serving(app) as server:
            assert breakpoints(server.pid, new) <= planned(new, "nethttp")
            joined(tracer, server.pid)
            assert breakpoints(server.pid, new)
            assert breakpoints(server.pid, new) <= planned(new, "nethttp")
            assert server.request("GET", "/new")[0]
            tracer.wait_spans(2)
        ended = tracer.stop()
    assert [span["attributes"]["url.path"] for span in ended.spans] == ["/ping", "/new"]
    assert ended.summary["losses"] == {}
    taken = [event["reason"] for event in ended.events if event["event"] == "probes taken away"]
    assert taken[0] == "somebody opens it to write"
    # it may have been looked at again before the writer had closed it
    assert {*taken[1:]} <= {"nobody runs it, and there is no lease on it"}


def test_a_program_without_a_lease_loses_its_probes_with_its_last_process(old: Path, new: Path, tmp_path: Path) -> None:
    """As on a file system that has no leases; here CAP_LEASE is missing, and the file is another user's."""
    app = tmp_path / "app"
    shutil.copy(old, app)
    os.chown(app, 1000, 1000)
    without = ("setpriv", "--bounding-set=-lease")
    with tracing("--exe", str(app), "--wait", *HTTP, prefix=without) as tracer:
        for version, path in ((old, "/ping"), (new, "/new")):
            shutil.copyfile(version, app)
            with serving(app) as server:
                joined(tracer, server.pid)
                assert breakpoints(server.pid, version) <= planned(version, "nethttp")
                server.request("GET", path)
            # what cannot be held up is over in milliseconds: before another process can have written the file
            wait_until(
                lambda: any(event["event"] == "probes taken away" for event in tracer.events), "probes taken away"
            )
            tracer.events[:] = [event for event in tracer.events if event["event"] != "probes taken away"]
        ended = tracer.stop()
    assert [span["attributes"]["url.path"] for span in ended.spans] == ["/ping", "/new"]
    assert any("CAP_LEASE" in str(event.get("reason")) for event in ended.events)


def held(tracer: Tracer) -> tuple[int, int, int, int]:
    """Descriptors, BPF maps and programs, and deleted files that goinst holds."""
    folder = Path(f"/proc/{tracer.process.pid}/fd")
    links = []
    for descriptor in folder.iterdir():
        try:
            links.append(os.readlink(descriptor))
        except OSError:
            continue
    return (
        len(links), sum("bpf-map" in link for link in links), sum("bpf-prog" in link for link in links),
        sum("(deleted)" in link for link in links),
    )  # fmt: skip


def renamed(source: Path, target: Path) -> None:
    """mv, install, dpkg, `go build -o`: a new inode in the place of the old one."""
    fresh = target.with_name("fresh")
    shutil.copy(source, fresh)
    fresh.rename(target)


def test_deployments_by_rename_leave_nothing_behind(old: Path, tmp_path: Path) -> None:
    app = tmp_path / "app"
    shutil.copy(old, app)
    seen: list[tuple[int, int, int, int]] = []
    with tracing("--exe", str(app), *HTTP, "--wait") as tracer:
        for number in range(4):
            with serving(app) as server:
                joined(tracer, server.pid)
                server.request("GET", f"/ping?{number}")
                if number > 1:
                    wait_until(lambda: held(tracer)[3] == 0, f"deleted files let go: {held(tracer)}")
                    seen.append(held(tracer))
                renamed(old, app)
        tracer.wait_spans(4)
        ended = tracer.stop()
    assert len(set(seen)) == 1, seen
    assert ended.summary["losses"] == {}
    assert ended.summary["hits"]["net/http.serverHandler.ServeHTTP entry"] == 4


@contextmanager
def container(image: Path, folder: Path) -> Iterator[Server]:
    """A process in a mount namespace and a root of its own, on overlayfs over the image that others have, too."""
    for name in ("upper", "work", "root"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    script = (
        "mount --make-rprivate / && mount -t overlay overlay"
        f" -o lowerdir={image},upperdir={folder}/upper,workdir={folder}/work {folder}/root"
        f" && exec chroot {folder}/root /{SERVER}"
    )
    process = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield Server(process, image / SERVER)
    finally:
        process.kill()
        process.wait()


def mounts_of(tracer: Tracer) -> set[str]:
    """Mounts of which goinst holds a file."""
    found = set()
    for descriptor in Path(f"/proc/{tracer.process.pid}/fd").iterdir():
        try:
            if os.readlink(descriptor).endswith(f"/{SERVER}"):
                text = Path(f"/proc/{tracer.process.pid}/fdinfo/{descriptor.name}").read_text()
                found.add(re.search(r"mnt_id:\s*(\d+)", text)[1])  # type: ignore[index]
        except OSError:
            continue
    return found


@pytest.fixture
def image(old: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "image"
    folder.mkdir()
    shutil.copy(old, folder / SERVER)
    return folder


def mount_id(pid: int) -> str:
    descriptor = os.open(f"/proc/{pid}/exe", os.O_PATH)
    try:
        return re.search(r"mnt_id:\s*(\d+)", Path(f"/proc/self/fdinfo/{descriptor}").read_text())[1]  # type: ignore[index]
    finally:
        os.close(descriptor)


# what deploy/daemonset.yaml gives
FEW = ("setpriv", "--bounding-set=-all,+bpf,+perfmon,+sys_ptrace")


@pytest.mark.parametrize("prefix", [(), FEW], ids=["root", "few-capabilities"])
def test_containers_of_one_image_give_a_span_for_each_request(
    image: Path, tmp_path: Path, prefix: tuple[str, ...]
) -> None:
    """overlayfs shows each container a device number of its own; below, there is one inode, and one set of probes."""
    with ExitStack() as stack:
        first = stack.enter_context(ExitStack())
        servers = [first.enter_context(container(image, tmp_path / "1"))]
        servers += [stack.enter_context(container(image, tmp_path / name)) for name in ("2", "3")]
        tracer = stack.enter_context(tracing("--exe", f"*/{SERVER}", *HTTP, prefix=prefix))
        for number, server in enumerate(servers):
            server.request("GET", f"/ping?{number}")
        tracer.wait_spans(3)
        assert mounts_of(tracer) == {mount_id(servers[0].pid)}
        first.close()  # whose mount the probes were attached through
        wait_until(lambda: mounts_of(tracer) == {mount_id(servers[1].pid)}, "the mount of what ended was let go")
        for server in servers[1:]:
            server.request("GET", "/ping?moved")
        for name in ("4", "1"):  # another one, and the first again
            servers.append(stack.enter_context(container(image, tmp_path / name)))
            joined(tracer, servers[-1].pid)
            servers[-1].request("GET", f"/ping?again{name}")
        tracer.wait_spans(7)
        ended = tracer.stop()
    pids = [span["resource"]["process.pid"] for span in ended.spans]
    assert pids == [server.pid for server in (*servers[:3], *servers[1:])]
    assert len({span["trace_id"] for span in ended.spans}) == 7
    assert ended.summary["losses"] == {}
    assert ended.summary["hits"]["net/http.serverHandler.ServeHTTP entry"] == 7


def test_probes_that_move_to_another_mount_miss_nothing(image: Path, tmp_path: Path) -> None:
    """Containers end while another one of the image is under load."""
    requests = 0
    with ExitStack() as stack:
        first = stack.enter_context(ExitStack())
        first.enter_context(container(image, tmp_path / "1"))
        server = stack.enter_context(container(image, tmp_path / "2"))
        tracer = stack.enter_context(tracing("--exe", f"*/{SERVER}", *HTTP))
        stop = threading.Event()

        def load() -> None:
            nonlocal requests
            while not stop.is_set():
                server.request("GET", "/ping")
                requests += 1

        thread = threading.Thread(target=load)
        thread.start()
        try:
            first.close()
            wait_until(lambda: mounts_of(tracer) == {mount_id(server.pid)}, "probes moved")
            before = requests
            wait_until(lambda: requests > before + 20, "requests go on")
        finally:
            stop.set()
            thread.join()
        tracer.wait_spans(requests)
        ended = tracer.stop()
    assert len(ended.spans) == requests
    assert ended.summary["losses"] == {}


def test_a_file_that_a_container_copies_up_is_another_one(image: Path, new: Path, tmp_path: Path) -> None:
    """Written through its own mount, the program becomes a new inode under the same number; the other containers run
    the old one as before."""
    root = tmp_path / "1" / "root"
    with ExitStack() as stack:
        one = stack.enter_context(ExitStack())
        first = one.enter_context(container(image, tmp_path / "1"))
        two = stack.enter_context(container(image, tmp_path / "2"))
        # a mount namespace outlives its processes as long as somebody holds it
        namespace = os.open(f"/proc/{first.pid}/ns/mnt", os.O_RDONLY)
        stack.callback(os.close, namespace)
        inside = ["nsenter", f"--mount=/proc/{os.getpid()}/fd/{namespace}"]
        tracer = stack.enter_context(tracing("--exe", f"*/{SERVER}", *HTTP))
        one.close()
        with new.open("rb") as file:
            subprocess.run([*inside, "cp", "/dev/stdin", f"{root}/{SERVER}"], stdin=file, check=True)
        again = subprocess.Popen(
            [*inside, "chroot", root, f"/{SERVER}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        stack.callback(again.wait)
        stack.callback(again.kill)
        newer = Server(again, new)
        joined(tracer, newer.pid)
        assert breakpoints(newer.pid, new) <= planned(new, "nethttp")
        assert breakpoints(two.pid, image / SERVER) <= planned(image / SERVER, "nethttp")
        newer.request("GET", "/new")
        two.request("GET", "/ping")
        tracer.wait_spans(2)
        ended = tracer.stop()
    found = {span["resource"]["process.pid"]: span["attributes"]["url.path"] for span in ended.spans}
    assert found == {newer.pid: "/new", two.pid: "/ping"}


def test_a_launcher_that_becomes_the_server_is_followed(old: Path) -> None:
    launch = gobuild.build(gobuild.PROGRAMS / "launch")
    with tracing(*HTTP, "--", str(launch), str(old), ready=False) as tracer:
        wait_until(
            lambda: any(e["event"] == "process joined" and e["executable"] == str(old) for e in tracer.events),
            "the server joined",
        )
        pid = next(e["pid"] for e in tracer.events if e["event"] == "process joined")
        wait_until(lambda: any(line.startswith("listening") for line in tracer.noise), "listening")
        address = next(line for line in tracer.noise if line.startswith("listening")).split()[1]
        subprocess.run(["curl", "-sf", f"http://{address}/ping"], check=True, stdout=subprocess.DEVNULL)
        tracer.wait_spans(1)
        ended = tracer.stop()
    assert [span["resource"]["process.pid"] for span in ended.spans] == [pid]
    assert ended.spans[0]["resource"]["process.executable.path"] == str(old)


def test_a_process_that_executes_another_program_is_looked_at_again(old: Path) -> None:
    launch = gobuild.build(gobuild.PROGRAMS / "launch")
    environment = {**os.environ, "LAUNCH_PAUSE": "1500ms"}
    process = subprocess.Popen([launch, old], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        with tracing("--exe", str(old), "--exe", str(launch), *HTTP, "--wait") as tracer:
            server = Server(process, old)
            joined(tracer, process.pid)
            server.request("GET", "/ping")
            tracer.wait_spans(1)
            ended = tracer.stop()
    finally:
        process.kill()
        process.wait()
    assert ended.spans[0]["resource"]["process.executable.path"] == str(old)


def test_jobs_that_live_for_milliseconds_are_seen_with_their_service(old: Path) -> None:
    """A file that nobody runs yet is probed beforehand, and a process says what it is called by as it begins."""
    job = gobuild.build(gobuild.PROGRAMS / "fetch")
    with serving(old) as server, tracing("--exe", str(job), "--wait", *HTTP) as tracer:
        for number in range(60):
            environment = {**os.environ, "OTEL_SERVICE_NAME": f"job-{number % 7}"}
            url = f"http://127.0.0.1:{server.port}/ping?{number}"
            subprocess.run([job, url], env=environment, check=True, stdout=subprocess.DEVNULL)
        tracer.wait_spans(60)
        ended = tracer.stop()
    services = Counter(span["resource"]["service.name"] for span in ended.spans)
    assert services == Counter(f"job-{number % 7}" for number in range(60))
    assert {span["resource"]["process.executable.path"] for span in ended.spans} == {str(job)}
    assert ended.summary["losses"] == {}


def test_a_pid_that_is_used_again_is_another_process(old: Path) -> None:
    job = gobuild.build(gobuild.PROGRAMS / "fetch")
    last_pid, pids = Path("/proc/sys/kernel/ns_last_pid"), []
    with serving(old) as server, tracing("--exe", str(job), "--wait", *HTTP) as tracer:
        for service in ("alpha", "beta"):
            for _ in range(200):  # another program may take the number first
                if pids:
                    last_pid.write_text(str(pids[0] - 1))
                environment = {**os.environ, "OTEL_SERVICE_NAME": service}
                url = f"http://127.0.0.1:{server.port}/ping?{service}"
                process = subprocess.Popen([job, url], env=environment, stdout=subprocess.DEVNULL)
                process.wait()
                if not pids or process.pid == pids[0]:
                    pids.append(process.pid)
                    break
            else:
                pytest.fail("the pid was never free")
        wait_until(lambda: len({s["resource"]["service.name"] for s in list(tracer.spans)}) == 2, "both services")
        ended = tracer.stop()
    both = [span for span in ended.spans if span["resource"]["process.pid"] == pids[0]]
    assert [span["resource"]["service.name"] for span in both] == ["alpha", "beta"]


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "duration"])
def test_a_reader_that_reads_nothing_does_not_keep_the_probes_in(old: Path, how: str) -> None:
    more = ("--duration", "4") if how == "duration" else ()
    read, write = os.pipe()
    with serving(old) as server:
        process = subprocess.Popen(
            [GOINST, "run", "--pid", str(server.pid), *HTTP, "--output", "json", *more],
            stdout=write, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            os.close(write)
            assert process.stderr is not None
            assert json.loads(process.stderr.readline())["event"] == "ready"
            assert breakpoints(server.pid, old)
            for number in range(400):  # far more than a pipe holds
                server.request("GET", f"/ping?{number}")
            if how != "duration":
                process.send_signal(signal.Signals[how])
            wait_until(lambda: not breakpoints(server.pid, old), "no breakpoint is left", PATIENCE)
            assert server.request("GET", "/ping")[0] == 200
        finally:
            process.kill()
            process.wait()
            os.close(read)


class Load:
    """Two clients that send requests for as long as a server lives, each counted when it was answered."""

    def __init__(self, server: Server) -> None:
        self._server, self.answered = server, 0
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._run) for _ in range(2)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            status, _ = self._server.request("GET", f"/ping?{self.answered}")
            assert status == 200
            with self._lock:
                self.answered += 1

    def stop(self) -> int:
        """How many were answered."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self.answered


@pytest.mark.matrix
@pytest.mark.parametrize("how", ["renamed", "copied", "in_pieces", "container", "new image"])
def test_a_hundred_deployments_under_load(old: Path, image: Path, tmp_path: Path, how: str) -> None:
    """No target is harmed, nothing is lost once a process is traced, and goinst does not grow."""
    app, answered, alive = tmp_path / "app", 0, 0
    sizes: list[tuple[tuple[int, int, int, int], int]] = []
    shutil.copy(old, app)
    other = gobuild.build(gobuild.PROGRAMS / "ping", ldflags="-s -w")  # the same, elsewhere

    @contextmanager
    def deployed(number: int) -> Iterator[Server]:
        if how == "new image":
            folder = tmp_path / f"image{number}"
            folder.mkdir()
            shutil.copy((old, other)[number % 2], folder / SERVER)
            with container(folder, tmp_path / f"c{number}") as server:
                yield server
        elif how == "container":
            with container(image, tmp_path / f"c{number % 3}") as server:
                yield server
        else:
            if how != "renamed" or number:
                {"renamed": renamed, "copied": copied, "in_pieces": in_pieces}[how]((old, other)[number % 2], app)
            with serving(app) as server:
                yield server

    pattern = f"*/{SERVER}" if how in ("container", "new image") else str(app)
    with tracing("--exe", pattern, *HTTP, "--wait") as tracer:
        for number in range(100):
            with deployed(number) as server:
                joined(tracer, server.pid)
                load = Load(server)
                wait_until(lambda load=load: load.answered >= 40, "requests are answered")  # type: ignore[misc]
                answered += load.stop()
                alive += server.process.poll() is None
                wait_until(lambda: held(tracer)[3] == 0, "deleted files let go")
                memory = int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{tracer.process.pid}/status").read_text())[1])  # type: ignore[index]
                sizes.append((held(tracer), memory))
        tracer.wait_spans(answered, READY_SECONDS)
        ended = tracer.stop()
    assert alive == 100
    assert len(ended.spans) + sum(ended.summary["losses"].values()) == answered
    print(how, answered, "requests", len(ended.spans), "spans", ended.summary["losses"], sizes[4], sizes[50], sizes[99])
    # a scan or an end may hold some for a moment
    assert max(held[0] for held, _ in sizes[50:]) <= max(held[0] for held, _ in sizes[5:50]) + 3, sizes
    assert sizes[99][1] < sizes[20][1] * 1.1, [memory for _, memory in sizes[::10]]
