"""Canaries of files: in what a file holds, and in what is said of it, for each way in which people send one."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chatserv.testing.blindness.canaries import Flock
from clients.window.pictures import child, png

TERMINAL, WINDOW, IRC = "by terminal", "by window", "by IRC"
INSIDE: Final = ("start of a file", "middle of a file", "border of two chunks of a file", "end of a file")
NAME, WORDS = "name of a file", "words beside a file"
TYPE, PREVIEW = "type of a file", "preview of a file"
PARTS: Final = {  # by way, what of a file has a canary: the window alone sends a small picture
    TERMINAL: (NAME, WORDS, *INSIDE),
    WINDOW: (NAME, WORDS, TYPE, PREVIEW, *INSIDE),  # of a PNG
    IRC: (NAME, WORDS, *INSIDE),
}
CHUNK_BYTES: Final = 16_384  # of what is sealed at once
FILE_BYTES: Final = 300_000
UNSEALED: Final = "utf-8"  # how the canaries of a file are found that nobody has sealed,
UNSEALED_PREVIEW: Final = "zlib:utf-8"  # and the one in the pixels of a preview
_PREVIEW_SIDE: Final = child.PREVIEW_SIDES[0]
_TAPS: Final = 2  # pixels of a picture, each way, for one of its preview
_ROWS: Final = 4  # of a preview
_HEADER_BYTES: Final = len(png.chunk(b"IHDR", bytes(13))) + len(png.SIGNATURE)
_NOTE: Final = b"caNy"  # a chunk that readers pass over


def called(part: str, way: str) -> str:
    """The name of a canary."""
    return f"{part} {way}"


IN_FILES: Final = tuple(called(part, way) for way in PARTS for part in INSIDE)
SECRETS_OF_FILES: Final = tuple(called(part, way) for way, parts in PARTS.items() for part in parts)
OF_A_WINDOW: Final = frozenset(called(part, WINDOW) for part in PARTS[WINDOW])


@dataclass(frozen=True)
class Canaried:
    """A file with canaries all over it, as it is sent one way.

    Args:
        flock: With a canary for each of `SECRETS_OF_FILES`.
        way: One of `PARTS`.
    """

    flock: Flock
    way: str

    def text(self, part: str) -> str:
        """The canary of a part."""
        return self.flock[called(part, self.way)].text

    @property
    def words(self) -> str:
        """What is said beside it."""
        return f"See {self.text(WORDS)}."

    def write(self, directory: Path) -> Path:
        """Writes it to a directory; gives where."""
        path = directory / f"{self.text(NAME)}{'.png' if self.way == WINDOW else '.bin'}"
        path.write_bytes(self._picture() if self.way == WINDOW else self._filled(0, FILE_BYTES))
        return path

    def _filled(self, first: int, last: int) -> bytes:
        """The bytes of a file between two places: random, with a canary at the first, in the middle, over a border of two
        chunks, and at the last of them.
        """
        data = bytearray(secrets.token_bytes(FILE_BYTES))
        start, middle, border, end = (self.text(part).encode() for part in INSIDE)
        places = (first, FILE_BYTES // 2, 3 * CHUNK_BYTES - len(border) // 2, last - len(end))
        for place, canary in zip(places, (start, middle, border, end), strict=True):
            data[place : place + len(canary)] = canary
        return bytes(data[first:last])

    def _picture(self) -> bytes:
        """A PNG, with its pixels behind the canaries. They spell one more, which can be read where a window has made the
        picture smaller, and not before: each of its pixels stands there twice, both ways.
        """
        text = self.text(PREVIEW).encode()
        row = b"".join(_TAPS * text[at : at + 3].ljust(3, b" ") for at in range(0, len(text), 3))
        width, height = _TAPS * _PREVIEW_SIDE, _TAPS * _ROWS
        plain = png.encode(width, height, height * [row.ljust(3 * width, b" ")])
        header, pixels = plain[:_HEADER_BYTES], plain[_HEADER_BYTES:]
        around = len(png.chunk(_NOTE, b""))
        first = len(header) + around - 4  # the sum is behind it
        return header + png.chunk(_NOTE, self._filled(first, FILE_BYTES - len(pixels) - 4)) + pixels


def unsealed(name: str) -> str:
    """The encoding in which a canary of `SECRETS_OF_FILES` is found where nothing was sealed."""
    return UNSEALED_PREVIEW if name == called(PREVIEW, WINDOW) else UNSEALED


def leave_unsealed(flock: Flock, directory: Path) -> Path:
    """Makes a directory with what a server would have that gets files unsealed: each, what is said of it, its preview."""
    directory.mkdir()
    for way in (way for way in PARTS if called(NAME, way) in flock.names):
        file = Canaried(flock, way)
        path = file.write(directory)
        said = (file.text(part) for part in PARTS[way] if part not in {*INSIDE, PREVIEW})
        path.with_suffix(".said").write_text("\n".join(said))
        if PREVIEW in PARTS[way]:
            preview = child.answer(child.PREVIEW, _PREVIEW_SIDE, _PREVIEW_SIDE, path.read_bytes())
            path.with_suffix(".preview").write_bytes(preview[child.HEAD.size :])
    return directory
