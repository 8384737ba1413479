"""The sample program of ``tests/go/grpc`` with any version of grpc, by any Go release."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from gobuild import CACHE, PROGRAMS

__all__ = ["GRPC", "with_grpc"]

GRPC = {
    "1.21.13": "1.64.1", "1.22.12": "1.70.0", "1.23.12": "1.70.0", "1.24.13": "1.76.0", "1.25.5": "1.82.0",
    "1.26.8": "1.85.0", "1.27.3": "1.85.0",
}  # fmt: skip
"""A grpc of the time of each Go release."""


def with_grpc(grpc: str, go: str) -> Path:
    """The folder of the program with this grpc, for this Go. The modules come from the Go module proxy."""
    folder = CACHE.parent / "grpc-matrix" / f"{grpc}-go{go}"
    wanted = {source.name for source in (PROGRAMS / "grpc").glob("*.go")}
    if not (folder / "go.sum").exists() or wanted != {source.name for source in folder.glob("*.go")}:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        minor = ".".join(go.split(".")[:2])
        require = f"require google.golang.org/grpc v{grpc}\n"
        (folder / "go.mod").write_text(f"module example.org/rpcs\n\ngo {minor}\n\n{require}")
        for source in (PROGRAMS / "grpc").glob("*.go"):
            shutil.copy(source, folder)
        environment = {**os.environ, "GOENV": "off", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": f"go{go}"}
        subprocess.run(["go", "mod", "tidy"], cwd=folder, env=environment, check=True, capture_output=True)
    for source in (PROGRAMS / "grpc").glob("*.go"):
        if (folder / source.name).read_bytes() != source.read_bytes():
            shutil.copy(source, folder)
    return folder
