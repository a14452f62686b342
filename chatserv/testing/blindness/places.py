"""The places where a server could keep what it must not know, a stolen profile, and what of a finished play lies in each."""

import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

STOLEN: Final = "stolen profile"
DATABASE: Final = "database"
WAL: Final = "write-ahead log"
LOGS: Final = "logs"
BLOBS: Final = "files sent"
FILES: Final = "other state files"
OUTPUT: Final = "server output"
MEMORY: Final = "memory"
WIRE: Final = "wire"
OPENED: Final = "records opened"
SEALED: Final = "records sealed"
BUS: Final = "bus"
OF_EACH_NODE: Final = (LOGS, BLOBS, FILES, OUTPUT, MEMORY, OPENED, SEALED)  # the rest is there once

LEAKS: Final = {  # by place, the disguise of what a play that leaks puts there
    STOLEN: "utf-8",  # of a person who left it unsealed
    DATABASE: "utf-16",
    WAL: "utf-16",  # in the other byte order
    LOGS: "base64",
    BLOBS: "utf-16",
    FILES: "zlib:utf-8",
    OUTPUT: "hex",
    MEMORY: "HEX",
    WIRE: "utf-8",
    OPENED: "deflate",
    SEALED: "utf-32",
}
LONGEST_NAME: Final = 29
DATABASE_FILE: Final = "chatserv.db"
_BESIDE: Final = tuple(f"{DATABASE_FILE}-{end}" for end in ("wal", "shm", "journal"))
_LOG_DIRECTORY: Final = "logs"
_BLOB_DIRECTORY: Final = "blobs"
_POSTGRES_DATA: Final = "data"  # of the directory of a PostgreSQL, as `chatserv.testing.postgres.Cluster` has it
_POSTGRES_WAL: Final = "pg_wal"


@dataclass(frozen=True)
class Place:
    """A place: its name, and the files that hold what is there."""

    name: str
    files: tuple[Path, ...]


def at_second(place: str) -> str:
    """The same of the second node."""
    return f"{place} of node 2"


LEAKS_OF_NODES: Final = {**LEAKS, BUS: "base64", **{at_second(place): LEAKS[place] for place in OF_EACH_NODE}}


def copy_state(state: Path, copy: Path) -> Path:
    """Copies a state directory, which the server goes on writing to, and gives the copy; of sockets there is nothing, nor
    of files that go meanwhile.
    """

    def sockets(directory: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(directory, name).is_socket()]

    def copied(source: str, target: str) -> None:
        with suppress(FileNotFoundError):
            shutil.copy2(source, target)

    return Path(shutil.copytree(state, copy, ignore=sockets, copy_function=copied))


def state_places(states: Iterable[Path], second: Iterable[Path] = ()) -> list[Place]:
    """What is in directories, of a server's state or of a PostgreSQL's, and in those of a second node, by what it is."""
    sorted_: dict[str, list[Path]] = {DATABASE: [], WAL: [], LOGS: [], BLOBS: [], FILES: []}
    for state in states:
        for file in _files(state):
            sorted_[_kind(file.relative_to(state))].append(file)
    for state in second:
        for kind in (LOGS, BLOBS, FILES):
            sorted_.setdefault(at_second(kind), [])
        for file in _files(state):
            kind = _kind(file.relative_to(state))
            sorted_[at_second(kind) if kind in OF_EACH_NODE else kind].append(file)
    return [Place(name, tuple(files)) for name, files in sorted_.items()]


def _files(state: Path) -> list[Path]:
    return [file for file in sorted(state.rglob("*")) if file.is_file()]


def _kind(file: Path) -> str:
    if file.parts[0] == _LOG_DIRECTORY:
        return LOGS
    if file.parts[0] == _BLOB_DIRECTORY:
        return BLOBS
    if file.parts[0] == _POSTGRES_DATA:
        return WAL if file.parts[1] == _POSTGRES_WAL else DATABASE
    if file.name == DATABASE_FILE:
        return DATABASE
    return WAL if file.name in _BESIDE else FILES
