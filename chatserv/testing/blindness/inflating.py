"""Finds streams of zlib and gzip inside of anything, and inflates what of them can be inflated."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

MAX_OUTPUT_BYTES: Final = 2**24  # of one stream
PIECE_BYTES: Final = 64  # of input at first; most of what only looks like a stream ends here
LARGEST_PIECE_BYTES: Final = 2**14
_DICTIONARY: Final = 0x20


def _zlib_start(size: int) -> bytes:
    """The two bytes that a stream of zlib begins with, for one size of window.

    They name deflate, and are a multiple of 31 as a number (RFC 1950 section 2.2).
    """
    method = size << 4 | 8
    flags = (each for each in range(256) if (method << 8 | each) % 31 == 0 and not each & _DICTIONARY)
    return re.escape(bytes((method,))) + b"[" + b"".join(re.escape(bytes((each,))) for each in flags) + b"]"


_GZIP_START: Final = rb"\x1f\x8b\x08"  # RFC 1952 section 2.3.1
_START: Final = re.compile(b"|".join((*map(_zlib_start, range(8)), _GZIP_START)), re.DOTALL)
_EITHER: Final = zlib.MAX_WBITS | 32  # reads both headers


class Sliceable(Protocol):
    """Bytes, or a mapped file."""

    def __len__(self) -> int: ...
    def __getitem__(self, item: slice, /) -> bytes: ...


@dataclass(frozen=True)
class Inflated:
    """What a stream holds, as far as it goes. ``whole``: not cut off at `MAX_OUTPUT_BYTES`."""

    offset: int
    data: bytes
    whole: bool


def starts(chunk: bytes) -> Iterator[int]:
    """Where something in ``chunk`` begins like a stream."""
    return (match.start() for match in _START.finditer(chunk))


def inflate(data: Sliceable, offset: int, most: int = MAX_OUTPUT_BYTES) -> Inflated:
    """Inflates the stream that may begin at ``offset``, up to where it ends or is damaged."""
    stream = zlib.decompressobj(_EITHER)
    output = bytearray()
    at, size = offset, PIECE_BYTES
    while at < len(data) and not stream.eof and len(output) <= most:
        piece = data[at : at + size]
        before = stream.copy()
        try:
            output += stream.decompress(piece, most + 1 - len(output))
        except zlib.error:
            output += _up_to_the_damage(before, piece, most + 1 - len(output))
            break
        if stream.unconsumed_tail:
            break
        at, size = at + size, min(2 * size, LARGEST_PIECE_BYTES)
    return Inflated(offset, bytes(output), len(output) <= most)


def _up_to_the_damage(stream: "zlib._Decompress", piece: bytes, most: int) -> bytes:
    """What comes out before the byte that cannot be."""
    output = bytearray()
    try:
        for at in range(len(piece)):
            output += stream.decompress(piece[at : at + 1], max(1, most - len(output)))
    except zlib.error:
        pass
    return bytes(output[:most])
