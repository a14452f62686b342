"""Canaries of files: in what a file holds, and in what is said of it, for each way in which people send one."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chatserv.testing.blindness.canaries import Flock

TERMINAL, WINDOW, IRC = "by terminal", "by window", "by IRC"
INSIDE: Final = ("start of a file", "middle of a file", "border of two chunks of a file", "end of a file")
NAME, WORDS = "name of a file", "words beside a file"
TYPE, PREVIEW = "type of a file", "preview of a file"
PARTS: Final = {  # by way, what of a file has a canary: the window alone sends a small picture
    TERMINAL: (NAME, WORDS, *INSIDE),
    WINDOW: (NAME, WORDS, TYPE, PREVIEW, *INSIDE),
    IRC: (NAME, WORDS, *INSIDE),
}
CHUNK_BYTES: Final = 16_384  # of what is sealed at once
FILE_BYTES: Final = 300_000


def called(part: str, way: str) -> str:
    """The name of a canary."""
    return f"{part} {way}"


IN_FILES: Final = tuple(called(part, way) for way in PARTS for part in INSIDE)
SECRETS_OF_FILES: Final = tuple(called(part, way) for way, parts in PARTS.items() for part in parts)


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

    def write(self, directory: Path, ending: str = ".bin") -> Path:
        """Writes it to a directory; gives where."""
        data = bytearray(secrets.token_bytes(FILE_BYTES))
        start, middle, border, end = (self.text(part).encode() for part in INSIDE)
        places = (0, FILE_BYTES // 2, 3 * CHUNK_BYTES - len(border) // 2, FILE_BYTES - len(end))
        for place, canary in zip(places, (start, middle, border, end), strict=True):
            data[place : place + len(canary)] = canary
        path = directory / f"{self.text(NAME)}{ending}"
        path.write_bytes(data)
        return path


def leave_unsealed(flock: Flock, directory: Path) -> Path:
    """Makes a directory with what a server would have that gets files unsealed: each, and beside it what is said of it."""
    directory.mkdir()
    for way, parts in PARTS.items():
        file = Canaried(flock, way)
        said = "\n".join(file.text(part) for part in parts if part not in INSIDE)
        file.write(directory).with_suffix(".said").write_text(said)
    return directory
