"""The child process that reads a picture: the file comes on stdin, pixels or a small PNG go to stdout.

It needs the standard library alone. Before it reads its first byte it gives up what it can: it can open nothing any more, no
file and no socket, starts nothing, writes no file, and has bounds on memory and time. What is left to it: the picture, and
what any process of the same person may do without a descriptor, such as sending signals.
"""

import os
import resource
import struct
import sys
from typing import Final, NoReturn

from clients.window.pictures.gif import SIGNATURES, GifReader
from clients.window.pictures.png import SIGNATURE, PngReader, encode
from clients.window.pictures.rows import NoPictureError, PixelReader, Reader
from clients.window.pictures.scaling import fitting, scaled

MEMORY_BYTES: Final = 256 << 20
CPU_SECONDS: Final = 5
MAX_FILE_BYTES: Final = 16 << 20
MAX_PREVIEW_BYTES: Final = 8192
PREVIEW_SIDES: Final = (192, 160, 128, 96, 64, 48, 32, 16)  # tried in this order
SHOW: Final = "show"
PREVIEW: Final = "preview"
HEAD: Final = struct.Struct(">IIII")  # the picture's width and height, and those of what follows
NO_PICTURE: Final = 1  # exit code
_COARSE: Final = bytes(value & 0xF0 | value >> 4 for value in range(256))  # 16 steps in place of 256


def give_up_everything() -> None:
    """Bounds, and nothing that is not open already."""
    os.chdir("/")
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(what, (most, most))


def read(data: bytes) -> Reader:
    """What kind of picture it is; its size is within the bounds then. Raises `NoPictureError`."""
    if data.startswith(SIGNATURE):
        return PngReader(data)
    if data.startswith(SIGNATURES):
        return GifReader(data)
    raise NoPictureError("neither PNG nor GIF")


def answer(mode: str, most_width: int, most_height: int, data: bytes) -> bytes:
    """What goes back: `HEAD`, then the pixels (``show``), or a PNG of at most `MAX_PREVIEW_BYTES` (``preview``).

    Args:
        mode: Which.
        most_width: Of what goes back; at least 1.
        most_height: Likewise.
        data: The file.

    Raises:
        NoPictureError: It is none, or damaged.
    """
    picture = read(data)
    size = fitting(picture.width, picture.height, most_width, most_height)
    rows = scaled(picture, *size)
    if mode == SHOW:
        return HEAD.pack(picture.width, picture.height, *size) + b"".join(rows)
    size, preview = small(rows)
    return HEAD.pack(picture.width, picture.height, *size) + preview


def small(rows: list[bytes]) -> tuple[tuple[int, int], bytes]:
    """A picture as the largest PNG that a message may hold; its size first. Fewer colours come before fewer pixels."""
    width, height = len(rows[0]) // 3, len(rows)
    for side in PREVIEW_SIDES:
        size = fitting(width, height, side, side)
        smaller = scaled(PixelReader(width, rows), *size)
        for each in (smaller, [row.translate(_COARSE) for row in smaller]):
            made = encode(*size, each)
            if len(made) <= MAX_PREVIEW_BYTES:
                return size, made
    raise NoPictureError("no preview is small enough")


def main(arguments: list[str]) -> NoReturn:
    """Runs the child.

    Args:
        arguments: `SHOW` or `PREVIEW`, the most pixels across, the most down.
    """
    mode, most_width, most_height = arguments[0], int(arguments[1]), int(arguments[2])
    give_up_everything()
    data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    try:
        if len(data) > MAX_FILE_BYTES:
            raise NoPictureError("too large a file")
        found = answer(mode, most_width, most_height, data)
    except (NoPictureError, MemoryError):
        os._exit(NO_PICTURE)
    sys.stdout.buffer.write(found)
    sys.stdout.buffer.flush()
    os._exit(0)
