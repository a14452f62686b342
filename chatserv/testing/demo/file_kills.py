"""``make file-kills``: files go from one person to another while the server, the sender and the receiver are killed.

The programs are real, and so is SIGKILL. Each client notes every piece that it sends or gets (``carrier``), so what travels
again after a kill is counted, and not guessed. What is saved is compared with what was sent; and in the end the server's
table, in a file or in PostgreSQL, and its directory are compared: each file has to have its row, and each row its file.
"""

import argparse
import hashlib
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from sqlalchemy import select

from chatserv.config import Blobs, Store
from chatserv.state_directory import StatePaths
from chatserv.store.databases import database_of
from chatserv.store.schema import blob
from chatserv.testing.demo.carriage import PATIENCE_SECONDS, Carriage, again
from chatserv.testing.demo.talking import say
from chatserv.testing.processes import ProgramError, ServerProgram, register_two
from chatserv.testing.stores import add_option, cluster_for, in_database
from chatserv.testing.unlimited import unlimited

SENDER, RECEIVER, SERVER = "alice", "bob", "server"
FILE_BYTES: Final = 6_000_000
KILLS_A_WAY: Final = 2  # of a file, on its way up and on its way down
MOST_AGAIN: Final = 1 << 20
"""Bytes that may travel again: what is not synced yet, and the pieces under way."""
LOOK_SECONDS: Final = 0.002
LATER_SECONDS: Final = 0.02  # at most, from the piece that is waited for to the kill
SETTLE_SECONDS: Final = 5.0
_STRAY: Final = "ff" * 16  # the last one that a sweep comes to
_RATES: Final = {"blob_burst_bytes": 2**30, "blob_bytes_per_second": 2**30, "blob_account_bytes": 2**40}
_ROOM_FOR_ALL: Final = {"blob_server_bytes": 2**40, "blob_open": 1000}


@dataclass
class Verdict:
    """What came of it.

    Attributes:
        kills: By victim.
        between: Of them those that found the file already where it should be.
        again: Bytes that went once more, each time.
        files: How many were sent.
        wrong: Files that are not what was sent, byte for byte.
        halves: Rows without their file and files without their row, after a sweep.
        left: Rows and files after all messages were deleted, and another sweep.
        parts: Unfinished files in the directory that the receiver saves to.
    """

    kills: Counter[str] = field(default_factory=Counter)
    between: int = 0
    again: list[int] = field(default_factory=list)
    files: int = 0
    wrong: int = 0
    halves: int = 0
    left: int = 0
    parts: int = 0

    @property
    def good(self) -> bool:
        """Whether all of it is as it should be."""
        return not (self.wrong or self.halves or self.left or self.parts) and max(self.again, default=0) <= MOST_AGAIN

    def __str__(self) -> str:
        most, half = max(self.again, default=0) / 1024, median(self.again or [0]) / 1024
        return (
            f"{most:.0f} KiB again at most ({half:.0f} in the median), {self.wrong} files wrong, "
            f"{self.halves} halves after a sweep, {self.left} left after deletion, {self.parts} unfinished"
        )


class Campaign:
    """Files, one after the other, each killed on its way up and on its way down.

    Args:
        directory: Of the campaign.
        server: Runs.
    """

    def __init__(self, directory: Path, server: ServerProgram) -> None:
        self._directory, self._server = directory, server
        self._saved = directory / "saved"
        self._saved.mkdir()
        settings = server.tables
        self._database = database_of(Store(**settings.get("store", {})), StatePaths(server.state).database)
        self._blobs = Blobs(**settings.get("blobs", {})).path(server.state)
        self.verdict = Verdict()

    def carry(self, kills: int) -> int:
        """Sends one file and saves it, with so many kills at most. Returns how many there were."""
        number = self.verdict.files = self.verdict.files + 1
        source = self._directory / f"file-{number}.bin"
        source.write_bytes(secrets.token_bytes(FILE_BYTES))
        up, down = min(kills, KILLS_A_WAY), min(max(kills - KILLS_A_WAY, 0), KILLS_A_WAY)
        self._way(Carriage(self._directory, SENDER, f"{number}.up", "send", str(source)), SENDER, up)
        save = ("save", source.name, str(self._saved))
        self._way(Carriage(self._directory, RECEIVER, f"{number}.down", *save), RECEIVER, down)
        saved = self._saved / source.name
        self.verdict.wrong += _hash(saved) != _hash(source)
        saved.unlink()
        source.unlink()
        return up + down

    def _way(self, carriage: Carriage, person: str, kills: int) -> None:
        victims = [SERVER, person]
        secrets.SystemRandom().shuffle(victims)
        carriage.start()
        try:
            for number in range(kills):
                begin = FILE_BYTES * number // kills
                self._await(carriage, begin + secrets.randbelow(FILE_BYTES // kills))
                self._kill(carriage, victims[number], person)
            carriage.finish()
        finally:
            carriage.kill()
        self.verdict.again += again(carriage.pieces())

    def _await(self, carriage: Carriage, position: int) -> None:
        """Until it is beyond a place, or at its end; it moves at any rate."""
        before = len(carriage.pieces())

        def there() -> bool:
            pieces = carriage.pieces()
            return carriage.over or (len(pieces) > before and sum(pieces[-1]) > position)

        _wait_until(there, "a file does not move")
        time.sleep(LATER_SECONDS * secrets.randbelow(1000) / 1000)

    def _kill(self, carriage: Carriage, victim: str, person: str) -> None:
        if victim == SERVER:
            self._server.kill()
        else:
            carriage.kill()
        self.verdict.kills[victim] += 1
        self.verdict.between += carriage.done
        if victim == SERVER:
            self._server.start()
        if victim == person:
            carriage.start()

    def judge(self) -> Verdict:
        """Looks at the server's table and directory, after a sweep; and once more when everything was deleted."""
        self.verdict.halves = self._after_sweep(
            lambda rows, files: len(rows ^ files) + abs(len(rows) - self.verdict.files)
        )
        self.verdict.parts = sum(each.suffix == ".part" for each in self._saved.iterdir())
        deleting = Carriage(self._directory, SENDER, "deleting", "delete")
        deleting.start()
        try:
            deleting.finish()
        finally:
            deleting.kill()
        self.verdict.left = self._after_sweep(lambda rows, files: len(rows) + len(files))
        return self.verdict

    def _after_sweep(self, count: Callable[[set[str], set[str]], int]) -> int:
        """What is counted once a sweep is over, or, where it never becomes nothing, after a while.

        The server starts anew, and sweeps. That it does is known by a file of nobody's, which goes.
        """
        self._server.stop()
        stray = self._blobs / _STRAY[:2] / _STRAY
        stray.parent.mkdir(mode=0o700, exist_ok=True)
        stray.touch(0o600)
        self._server.start()
        _wait_until(lambda: not stray.exists(), "the server does not sweep")
        deadline = time.monotonic() + SETTLE_SECONDS
        while (found := count(self._rows(), self._files())) and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
        return found

    def _rows(self) -> set[str]:
        """Files that are whole by the server's table; others under a name that no file has."""
        engine = self._database.reader()
        with engine.connect() as connection:
            found = connection.execute(select(blob.c.blob_id, blob.c.size, blob.c.received)).all()
        engine.dispose()
        return {
            f"{name.hex()} {size}" if size == received else f"{name.hex()} {received} of {size}"
            for name, size, received in found
        }

    def _files(self) -> set[str]:
        return {f"{path.name} {path.stat().st_size}" for path in self._blobs.glob("*/*")}


def _hash(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def _wait_until(holds: Callable[[], bool], trouble: str) -> None:
    """Raises `ProgramError` where it never holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise ProgramError(trouble)
        time.sleep(LOOK_SECONDS)


def campaign(directory: Path, store: str, kills: int) -> Verdict:
    """Carries files until there were so many kills. Raises `ProgramError` where a program does not do what it should."""
    limits = unlimited(**_RATES, **_ROOM_FOR_ALL)
    with (
        cluster_for(store) as cluster,
        ServerProgram(directory, {"limits": limits, **in_database(cluster)}) as server,
    ):
        register_two(server, SENDER, RECEIVER)
        whole = Campaign(directory, server)
        done = 0
        while done < kills:
            done += whole.carry(kills - done)
        return whole.judge()


def main() -> int:
    """Prints the verdict. Returns 0 only if all of it is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, metavar="N", help="how often somebody is killed (200)")
    add_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chatserv-file-kills-") as name:
        try:
            verdict = campaign(Path(name), options.store, options.kills)
        except ProgramError as error:
            print(error, file=sys.stderr)
            return 1
    kills = ", ".join(f"{verdict.kills[who]} of {who}" for who in (SERVER, SENDER, RECEIVER))
    say(
        f"{verdict.files} files of {FILE_BYTES} bytes, kills: {kills}; {verdict.between} when the file was there already"
    )
    print(verdict)
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
