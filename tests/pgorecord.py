"""Records the CPU profiles that profile-guided test builds are made with: ``python tests/pgorecord.py [RELEASE …]``.

Each program of ``tests/go`` is built by each Go release with one file more (an overlay), which profiles it, and put
under load: by itself as a client, which is profiled too, or by wrk(1). What they used their time for is
profiles/LOAD-1.N.pgo. No test does it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pgo import RELEASES, profile, source

_SECONDS = 6
_PROFILER = """package main

import (
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
	"time"
)

func init() {
	path := os.Getenv("PROFILE")
	file, err := os.Create(path + ".part")
	if err == nil {
		err = pprof.StartCPUProfile(file)
	}
	if err != nil {
		panic(err)
	}
	done := make(chan os.Signal, 1)
	signal.Notify(done, syscall.SIGTERM)
	seconds, _ := time.ParseDuration(os.Getenv("PROFILE_FOR"))
	go func() {
		select {
		case <-done:
		case <-time.After(seconds):
		}
		pprof.StopCPUProfile()
		_ = file.Close()
		_ = os.Rename(path+".part", path)
	}()
}
"""


@dataclass(frozen=True)
class Run:
    """A server of ``tests/go`` under load: by itself as a client, or by wrk(1) on some of its paths. Both sides are
    profiled. {address} is the server's, {seconds} for how long."""

    program: str
    server: tuple[str, ...] = ()
    client: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


_SERVE = (Run("traffic", ("-quiet",), paths=("/nothing", "/item/1?bytes=10")),)
PROFILES = {
    "serve": _SERVE,
    "all": (
        *_SERVE,
        Run("traffic", ("-quiet",), ("-drive", "http://{address}", "-streams", "8", "-seconds", "{seconds}")),
        Run("traffic", ("-quiet", "-tls"), ("-drive", "https://{address}", "-streams", "8", "-seconds", "{seconds}")),
        Run("routers", paths=tuple(f"/{name}/users/7/a/b" for name in ("gin", "echo", "chi", "gorilla"))),
        Run("grpc", ("serve",), ("load", "{address}", "{seconds}", "20", "4")),
    ),
}
"""What is run for a profile, one after the other. What is inlined depends on what else is hot."""


def record(run: Run, release: str, folder: Path) -> list[Path]:
    """The profiles of one run."""
    binary = built(run.program, release, folder)
    profiles: list[Path] = []

    def start(arguments: Sequence[str], seconds: int) -> subprocess.Popen[str]:
        profiles.append(folder / f"{len(profiles)}.prof")
        own = {"PROFILE": str(profiles[-1]), "PROFILE_FOR": f"{seconds}s"}
        return subprocess.Popen(
            [binary, *arguments], env={**os.environ, **own}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    server = start(run.server, 600)
    assert server.stdout is not None
    address = server.stdout.readline().split()[1].removeprefix("tcp:")
    if run.client:
        client = start([word.format(address=address, seconds=_SECONDS + 1) for word in run.client], _SECONDS)
        client.communicate("go\n")
    for path in run.paths:
        subprocess.run(["wrk", "-t1", "-c8", f"-d{_SECONDS}s", f"http://{address}{path}"], check=True)
    server.send_signal(signal.SIGTERM)
    while not profiles[0].exists():
        time.sleep(0.1)
    server.kill()
    server.communicate()
    return profiles


def built(program: str, release: str, folder: Path) -> Path:
    """The program with the profiler in it."""
    sources, environment = source(program, release)
    profiler, overlay, binary = folder / "profiler.go", folder / "overlay.json", folder / program
    profiler.write_text(_PROFILER)
    overlay.write_text(json.dumps({"Replace": {str(sources / "profiler.go"): str(profiler)}}))
    command = ["go", "build", "-buildvcs=false", f"-overlay={overlay}", "-o", str(binary), "."]
    subprocess.run(command, cwd=sources, check=True, env={**os.environ, **environment})
    return binary


def main(releases: Sequence[str]) -> None:
    for release in releases:
        for load, runs in PROFILES.items():
            with tempfile.TemporaryDirectory() as base:
                parts: list[Path] = []
                for number, run in enumerate(runs):
                    folder = Path(base) / str(number)
                    folder.mkdir()
                    parts += record(run, release, folder)
                merge = ["go", "tool", "pprof", "-proto", "-output=/dev/stdout", *map(str, parts)]
                merged = subprocess.run(merge, check=True, capture_output=True).stdout
            path = profile(load, release)
            path.write_bytes(merged)
            print(f"{path.name}: {len(merged)} bytes")


if __name__ == "__main__":
    main(sys.argv[1:] or list(RELEASES))
