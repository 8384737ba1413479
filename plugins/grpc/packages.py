"""What proves that a package is grpc-go under another path, and what is only like it."""

from __future__ import annotations

from goinst import Package, Unseen

__all__ = ["PACKAGES", "UNSEEN"]

_GRPC = "google.golang.org/grpc"
_STREAM = f"{_GRPC}/internal/transport.Stream"
# what every version has of the types that a fork must have, too
_SAME = (
    (_STREAM, "id", "uint32"),
    (_STREAM, "method", "string"),
    (_STREAM, "ctx", "context.Context"),
    (f"{_GRPC}/internal/status.Status", "s", "*google.golang.org/genproto/googleapis/rpc/status.Status"),
)
PACKAGES = (
    Package(_GRPC, (f"{_GRPC}.(*Server).handleStream",), _SAME),
    Package(_GRPC, (f"{_GRPC}.(*clientStream).newAttemptLocked", f"{_GRPC}.(*clientStream).finish"), _SAME),
)

_LIKE = "it is like grpc-go, and what is read of that is not there"
UNSEEN = (
    Unseen(".(*http2Server).operateHeaders", f"RPCs that {{package}} serves are not seen: {_LIKE}", ("grpc_serve",)),
    Unseen(".(*http2Client).operateHeaders", f"RPCs that {{package}} makes are not seen: {_LIKE}", ("grpc_finish",)),
)
