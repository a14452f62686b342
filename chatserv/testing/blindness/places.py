"""The places where a server could keep what it must not know, and what of a finished play lies in each."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DATABASE: Final = "database"
WAL: Final = "write-ahead log"
LOGS: Final = "logs"
FILES: Final = "other state files"
OUTPUT: Final = "server output"
MEMORY: Final = "memory"
WIRE: Final = "wire"
OPENED: Final = "records opened"
SEALED: Final = "records sealed"

LEAKS: Final = {  # by place, the disguise of what a leaking server puts there
    DATABASE: "utf-16",
    WAL: "utf-16",  # in the other byte order
    LOGS: "base64",
    FILES: "zlib:utf-8",
    OUTPUT: "hex",
    MEMORY: "HEX",
    WIRE: "utf-8",
    OPENED: "deflate",
    SEALED: "utf-32",
}
DATABASE_FILE: Final = "chatserv.db"
_BESIDE: Final = tuple(f"{DATABASE_FILE}-{end}" for end in ("wal", "shm", "journal"))
_LOG_DIRECTORY: Final = "logs"


@dataclass(frozen=True)
class Place:
    """A place: its name, and the files that hold what is there."""

    name: str
    files: tuple[Path, ...]


def copy_state(state: Path, copy: Path) -> Path:
    """Copies a state directory, which the server goes on writing to, and gives the copy."""
    return Path(shutil.copytree(state, copy))


def state_places(*states: Path) -> list[Place]:
    """What is in these state directories, by what it is."""
    sorted_: dict[str, list[Path]] = {DATABASE: [], WAL: [], LOGS: [], FILES: []}
    for state in states:
        for file in sorted(state.rglob("*")):
            if file.is_file():
                sorted_[_kind(file.relative_to(state))].append(file)
    return [Place(name, tuple(files)) for name, files in sorted_.items()]


def _kind(file: Path) -> str:
    if file.parts[0] == _LOG_DIRECTORY:
        return LOGS
    if file.name == DATABASE_FILE:
        return DATABASE
    return WAL if file.name in _BESIDE else FILES
