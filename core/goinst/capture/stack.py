"""The frames that led to a call: return addresses by frame pointers, which Go keeps on amd64 and arm64."""

from __future__ import annotations

from goinst.capture.place import Text

__all__ = ["STACK_FRAMES", "write_stack"]

STACK_FRAMES = 32
_USER_STACK = 256  # BPF_F_USER_STACK


def write_stack(out: Text, at: int, frames: int) -> None:
    """Write the C that puts the probed instruction's address and at most ``frames`` callers' at ``v + at``.

    Where a function is entered its caller's return address is on top of the stack, and the frame pointer is still the
    caller's: the kernel's walk leaves the caller out.
    """
    out.line(f"*(u64 *)(v + {at}) = GOINST_IP(ctx);")
    out.line(f"long frames = goinst_get_stack(ctx, v + {at + 8}, {8 * frames}, {_USER_STACK});")
    # the first that the helper gives is the instruction itself: the caller takes its place
    out.line(f"*(u64 *)(v + {at + 8}) = GOINST_RETURN_ADDRESS(hit);")
    out.line("*(u64 *)(v + 8) = frames > 0 ? frames / 8 + 1 : 2;")
