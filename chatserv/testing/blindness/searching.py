"""Searches files of any size for canaries in every disguise, compressed ones included."""

import mmap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chatserv.testing.blindness.canaries import Flock
from chatserv.testing.blindness.disguises import disguises
from chatserv.testing.blindness.inflating import Sliceable, inflate, starts

CHUNK_BYTES: Final = 4 * 2**20
SLACK_BYTES: Final = 512  # more than the longest form of a whole canary
MAX_INFLATED_BYTES: Final = 2**30  # of one file, in all
CUT_OFF: Final = "cut off"


@dataclass(frozen=True)
class Find:
    """A canary that should not be there.

    Attributes:
        canary: Its name; `CUT_OFF` where only the beginning of one is there.
        encoding: How it is disguised; ``zlib:`` in front of it inside of a compressed stream.
        offset: Where in the file.
    """

    canary: str
    encoding: str
    offset: int


class NotSearched(Exception):
    """A place could not be searched to its end, so nothing can be said about it."""


class Searcher:
    """Looks for the canaries of a flock.

    Args:
        flock: What to look for.
        chunk_bytes: How much is looked at in one go.
    """

    def __init__(self, flock: Flock, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._marks = disguises(flock.mark)
        self._canaries = [(canary.name, tuple(disguises(canary.text))) for canary in flock.canaries]
        self._chunk_bytes = chunk_bytes

    def files(self, paths: Iterable[Path]) -> list[Find]:
        """All finds in these files. Raises `NotSearched`."""
        return [find for path in sorted(paths) for find in self.file(path)]

    def file(self, path: Path) -> list[Find]:
        """All finds in a file, which may be larger than memory. Raises `NotSearched`."""
        try:
            with path.open("rb") as opened:
                if not path.stat().st_size:
                    return []
                with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                    return list(self.data(mapped))
        except (OSError, ValueError) as error:
            raise NotSearched(f"{path}: {error}") from None

    def data(self, data: Sliceable) -> Iterator[Find]:
        """All finds in ``data``, chunk by chunk. Raises `NotSearched` where it holds too much that is compressed."""
        inflated = 0
        for start in range(0, len(data), self._chunk_bytes):
            chunk = data[start : start + self._chunk_bytes + SLACK_BYTES]
            if not chunk.strip(b"\0"):
                continue
            yield from self._plain(data, chunk, start, self._chunk_bytes)
            for at in starts(chunk):
                if at >= self._chunk_bytes:
                    break
                stream = inflate(data, start + at)
                inflated += len(stream.data)
                if not stream.whole or inflated > MAX_INFLATED_BYTES:
                    raise NotSearched(f"compressed data at {start + at}: more than is inflated here")
                for find in self._plain(stream.data, stream.data, 0, len(stream.data)):
                    yield Find(find.canary, f"zlib:{find.encoding}", start + at)

    def _plain(self, data: Sliceable, chunk: bytes, start: int, end: int) -> Iterator[Find]:
        """The finds in a chunk that is at ``start`` of the data, as far as they begin before its ``end``."""
        for mark, encoding in self._marks.items():
            at = chunk.find(mark)
            while 0 <= at < end:
                yield Find(self._whose(data, start + at), encoding, start + at)
                at = chunk.find(mark, at + 1)

    def _whose(self, data: Sliceable, at: int) -> str:
        """The canary that begins there: forms of the mark and of the whole begin alike."""
        window = data[at : at + SLACK_BYTES]
        for name, forms in self._canaries:
            if window.startswith(forms):
                return name
        return CUT_OFF
