"""Profile-guided builds of the programs in ``tests/go``: with the profiles that ``pgorecord.py`` has
recorded."""

from __future__ import annotations

from pathlib import Path

from gobuild import PROGRAMS, build
from grpcbuild import GRPC, with_grpc

__all__ = ["RELEASES", "guided", "profile", "source"]

RELEASES = ("1.21.13", "1.22.12", "1.23.12", "1.24.13", "1.25.5", "1.26.8", "1.27.3")
_PROFILES = Path(__file__).parent / "profiles"


def profile(load: str, release: str) -> Path:
    """Where the profile of a load is."""
    return _PROFILES / f"{load}-{'.'.join(release.split('.')[:2])}.pgo"


def source(program: str, release: str) -> tuple[Path, dict[str, str]]:
    """The folder of a program, and the environment in which the go command builds it by this release."""
    environment = {"GOENV": "off", "GOTOOLCHAIN": f"go{release}", "GOFLAGS": "", "CGO_ENABLED": "0"}
    if program == "grpc":
        return with_grpc(GRPC[release], release), environment
    if program == "routers" and release >= "1.25":
        environment["GOFLAGS"] = "-modfile=latest.mod -tags=echo5"
    return PROGRAMS / program, environment


def guided(program: str, load: str, release: str) -> Path:
    """A stripped program that is built with the profile of a load."""
    folder, environment = source(program, release)
    return build(folder, go=release, ldflags="-s -w", pgo=profile(load, release), extra_env=environment)
