"""A recording's files as frames, in the order in which they were written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import msgpack

from goinst.errors import UsageError
from goinst.extras import need
from goinst.recording.frame import VERSION, ZSTD_MAGIC, RecordingError, wire_format

__all__ = ["Recording", "open_recordings"]

_PIECE = 1 << 20
_LARGEST = 1 << 30  # a batch is at most a ring buffer: --ring-megabytes 1024


class Recording:
    """One file. ``head`` is its first frame; ``frames`` gives the others, up to the last that is whole; then ``cut``
    says in words what is wrong with what follows, or is empty. RecordingError when it is no recording."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.cut = ""
        self._file = _open(path)
        self._frames = self._unpack()
        head = next(self._frames, None)
        if head is None or head.get("frame") != "recording":
            raise RecordingError(f"{path}: this is no recording of goinst (`goinst record` makes one)")
        self.head = head
        if head.get("version") != VERSION or head.get("wire") != wire_format():
            raise RecordingError(
                f"{path}: recorded by goinst {head.get('goinst')} in a form that this version does not read;"
                " replay it with that version"
            )

    @property
    def order(self) -> tuple[int, str, int]:
        """Files of one run one after the other, runs by their time."""
        return self.started, str(self.head.get("session")), int(self.head.get("part", 0))

    @property
    def started(self) -> int:
        """When the file was begun, in Unix nanoseconds."""
        return int(self.head.get("created", 0))

    def frames(self) -> Iterator[dict[str, Any]]:
        """The frames behind the first."""
        return self._frames

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _unpack(self) -> Iterator[dict[str, Any]]:
        unpacker = msgpack.Unpacker(strict_map_key=False, max_buffer_size=_LARGEST, unicode_errors="replace")
        read = 0
        try:
            while piece := self._file.read(_PIECE):
                read += len(piece)
                unpacker.feed(piece)
                for frame in unpacker:
                    if not isinstance(frame, dict):
                        self.cut = f"no frame in front of byte {unpacker.tell()}"
                        return
                    yield frame
        except (ValueError, TypeError, OSError, msgpack.UnpackException) as error:
            self.cut = f"damaged at byte {unpacker.tell()}: {error or type(error).__name__}"
            return
        except Exception as error:
            if type(error).__name__ != "ZstdError":  # zstandard is imported only by those who compress
                raise
            self.cut = f"the compressed data is damaged: {error}"
            return
        if unpacker.tell() < read:
            self.cut = "the last frame is not whole"


def _open(path: str) -> IO[bytes]:
    try:
        file: IO[bytes] = Path(path).open("rb")  # noqa: SIM115 - the recording closes it
        magic = file.read(4)
        file.seek(0)
    except OSError as error:
        raise UsageError(f"cannot read the recording {path}: {error.strerror}") from error
    if magic == ZSTD_MAGIC:
        module = need("zstandard", "zstd", f"the compressed recording {path}")
        stream: IO[bytes] = module.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        return stream
    return file


def open_recordings(paths: Sequence[str]) -> list[Recording]:
    """The files, in the order in which they were recorded, whatever order they are named in."""
    opened = [Recording(path) for path in paths]
    first = {one.head.get("session"): one.started for one in sorted(opened, key=lambda one: -one.started)}
    return sorted(opened, key=lambda one: (first[one.head.get("session")], *one.order[1:]))
