"""The table of rows: a number, a title, and a function that lets the fault happen and looks at what came of it."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from chatserv.config import Store
from chatserv.store.databases import Database, database_of
from chatserv.testing.processes import ServerProgram
from chatserv.testing.stores import in_database
from chatserv.testing.unlimited import unlimited

if TYPE_CHECKING:
    from chatserv.testing.postgres import Cluster

ALLOWED: Final = Path(__file__).with_name("not_run.txt")
SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "security": {"registration": "open"},
    "monitoring": {"enabled": False},
    "limits": unlimited(),
}
HANGS_SECONDS: Final = 120.0  # what has not come by then does not come
SHORT_SLACK: Final = 10.0  # a short run shares its cores with other tests: its times bound nothing but standstill
SQLITES: Final = "not run on PostgreSQL:"
MOST_FIGURE: Final = 600  # characters: what a program printed may be in it
T = TypeVar("T")


class RowFailed(Exception):
    """The fault did not come about, or the server did not stand it."""


class NotRun(Exception):
    """This machine or this version cannot have the fault; the text says why. Allowed where `ALLOWED` has the row."""


@dataclass
class Ground:
    """Where a row is played.

    Attributes:
        short: Whether this is the run in small.
        cluster: The servers' stores are in databases of this PostgreSQL; None: in their state directories.
        directory: For everything that the row makes; removed afterwards.
    """

    short: bool
    cluster: Cluster | None = None
    directory: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="chatserv-faults-")))
    _databases: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def pick(self, short: T, long: T) -> T:
        """One of two sizes."""
        return short if self.short else long

    def server(
        self, settings: dict[str, dict[str, Any]] | None = None, name: str = "server", **more: Any
    ) -> ServerProgram:
        """A server with a directory of its own below ours, not started; registration is open."""
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        if name not in self._databases:
            self._databases[name] = in_database(self.cluster)
        wanted = {
            "metrics": {"listen": f"unix:{metrics_of(directory)}"},
            **self._databases[name],
            **(settings or {}),
        }
        tables = {key: {**SETTINGS.get(key, {}), **wanted.get(key, {})} for key in SETTINGS | wanted}
        program = ServerProgram(directory, tables, **more)
        program.environment["COVERAGE_PROCESS_CONFIG"] = None  # it is timed, and does not count for what tests cover
        return program

    def database(self, server: ServerProgram) -> Database:
        """Where the store of one of our servers is."""
        named = self._databases[server.directory.name].get("store", {})
        return database_of(Store(**named), server.state / "chatserv.db")

    def within(self, seconds: float, limit: float, what: str) -> None:
        """Holds a time to its limit; in a short run to ten times that."""
        most = limit * (SHORT_SLACK if self.short else 1)
        check(seconds <= most, f"{what}: {seconds:.2f} s, {most:g} s are allowed")

    def clear(self) -> None:
        """Removes what was made."""
        shutil.rmtree(self.directory, ignore_errors=True)


def metrics_of(directory: Path) -> Path:
    """Where the server of a directory is asked for its metrics; not in the state directory, which a row may take away."""
    return directory / "metrics"


Play = Callable[[Ground], str]


@dataclass(frozen=True)
class Row:
    """One fault."""

    number: int
    title: str
    play: Play
    sqlite: str = ""  # why this is a fault of SQLite's file alone; empty: it is one of any store


@dataclass(frozen=True)
class Outcome:
    """What came of a row: ``pass``, ``fail``, ``not run`` or `SQLITES`, and the figure or reason."""

    row: Row
    word: str
    figure: str
    seconds: float

    @property
    def good(self) -> bool:
        """Whether it may be so."""
        return self.word in {"pass", SQLITES} or (self.word == "not run" and self.row.number in allowed_not_to_run())

    def __str__(self) -> str:
        return f"row {self.row.number:02} {self.word} {self.figure}"


ROWS: Final[dict[int, Row]] = {}


def row(number: int, title: str, sqlite: str = "") -> Callable[[Play], Play]:
    """Puts a function into the table. It returns its figure, and raises `RowFailed`, `NotRun` or an AssertionError."""

    def put(play: Play) -> Play:
        if number in ROWS:
            raise AssertionError(f"row {number} is there twice")
        ROWS[number] = Row(number, title, play, sqlite)
        return play

    return put


def check(good: object, what: str) -> None:
    """Fails the row where that is not so."""
    if not good:
        raise RowFailed(what)


def wait_for(condition: Callable[[], T], what: str, seconds: float = HANGS_SECONDS) -> T:
    """Waits until that is true, and gives it; fails the row where it does not come to be."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        check(time.monotonic() < deadline, f"{what}: not within {seconds:g} s")
        time.sleep(0.02)
    return found


def allowed_not_to_run() -> dict[int, str]:
    """The rows that need not be run everywhere, with the reason: lines of ``NN reason``."""
    lines = [line for line in ALLOWED.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    found = [re.fullmatch(r"(\d+) (.+)", line) for line in lines]
    return {int(each[1]): each[2] for each in found if each is not None}


def play(each: Row, *, short: bool, cluster: Cluster | None = None) -> Outcome:
    """Runs a row to its end, whatever comes of it; servers have their stores in the cluster, where there is one."""
    if cluster and each.sqlite:
        return Outcome(each, SQLITES, each.sqlite, 0.0)
    if cluster:
        cluster.directory.chmod(0o711)  # its socket is there, and some servers run as another user
    ground, began = Ground(short, cluster), time.monotonic()
    try:
        word, figure = "pass", each.play(ground)
    except NotRun as reason:
        word, figure = "not run", str(reason)
    except Exception as error:  # noqa: BLE001 - a row that breaks is a row that fails
        word, figure = "fail", f"{type(error).__name__}: {error}"
    finally:
        ground.clear()
    figure = " ".join(figure.split())
    if len(figure) > MOST_FIGURE:
        figure = f"{figure[: MOST_FIGURE // 2]} … {figure[-MOST_FIGURE // 2 :]}"
    return Outcome(each, word, figure, time.monotonic() - began)
