"""The last place beside the store: a write-ahead log that lacks what was acknowledged is not taken for a crash."""

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred

from chatserv.backup import last_place
from chatserv.backup.exporting import export_store
from chatserv.backup.importing import import_store
from chatserv.backup.last_place import LastPlace
from chatserv.backup.making import make_backup
from chatserv.backup.refusals import Pace
from chatserv.backup.verifying import verify_store
from chatserv.bootstrap import prepare
from chatserv.config import Config
from chatserv.models import Event, EventKind
from chatserv.operations.going_back import downgrade
from chatserv.operations.registry import Way
from chatserv.operations.world import World
from chatserv.own_identity import rotate_identity
from chatserv.state_directory import StateDirectory, StatePaths
from chatserv.store.database import DatabaseRefused, writing_engine
from chatserv.store.schema import room
from tests.backup.test_highest_head import NOW_MS, HeadCase

ROOM = b"r" * 16
HEADER_BYTES, FRAME_BYTES = 32, 24 + 4096  # https://sqlite.org/fileformat.html, 4.1 and 4.2


def event_at(seq: int) -> Event:
    """A message."""
    return Event(ROOM, seq, NOW_MS, "ann", EventKind.MESSAGE, b"")


class LastPlaceCase(HeadCase):
    """A server that is killed after it has acknowledged three messages, each with a commit of its own."""

    def setUp(self) -> None:
        """The state directory as the dead server has left it."""
        super().setUp()
        running = Path(self.mktemp())
        prepared = prepare(Config(), running, NOW_MS)
        engine = writing_engine(prepared.state.database)
        with engine.connect() as connection:
            for seq in range(4):
                with connection.begin():
                    values = {"closed": False, "epoch": 0, "head": seq, "commit_hash": b"", "kt_size": 0, "state": b""}
                    if seq:
                        connection.execute(room.update().values(head=seq))
                        prepared.last_place.keep([event_at(seq)])
                    else:
                        connection.execute(room.insert().values(room_id=ROOM, **values))
            shutil.copytree(running, self.directory)
        engine.dispose()
        prepared.state.release()

    @property
    def log(self) -> Path:
        """The write-ahead log."""
        return self.directory / "chatserv.db-wal"

    def head(self) -> int:
        """How far the room goes after a start."""
        return self.prepare().stored.rooms[0].head


class LostTests(LastPlaceCase):
    """What is missing is noticed."""

    def test_whole(self) -> None:
        """With all that was there, the start is as any other; and again."""
        self.assertEqual((self.head(), self.head()), (3, 3))

    def test_closed_room(self) -> None:
        """A room that ended after its last message, by the operator or as all have left it, stands in no start's way."""
        engine = writing_engine(self.directory / "chatserv.db")
        with engine.begin() as connection:
            connection.execute(room.update().values(closed=True, head=0))
        engine.dispose()
        self.assertEqual((), self.prepare().stored.rooms)

    def test_damages(self) -> None:
        """A log that lacks anything is refused, in words, and left as it is, for whoever can repair it."""
        whole = self.log.read_bytes()
        frame = HEADER_BYTES + (len(whole) - HEADER_BYTES) // FRAME_BYTES // 2 * FRAME_BYTES
        last = len(whole) - FRAME_BYTES
        for name, data in {
            "empty": b"",
            "cut off within its head": whole[:20],
            "nothing but its head": whole[:HEADER_BYTES],
            "a damaged head": bytes(8) + whole[8:],
            "cut off at a frame's end": whole[:frame],
            "cut off within a frame": whole[: frame + 100],
            "a flipped bit": whole[: frame + 99] + bytes([whole[frame + 99] ^ 1]) + whole[frame + 100 :],
            "the last frame is missing": whole[:last],
            "a flipped bit in the last frame": whole[:-1] + bytes([whole[-1] ^ 1]),
            "other salt": whole[: frame + 8] + bytes(8) + whole[frame + 16 :],
        }.items():
            self.log.write_bytes(data)
            self.assertIn("the newest messages are missing: a room had 3 events", self.refused(), name)
            self.assertEqual(self.log.read_bytes(), data, name)
        self.log.write_bytes(whole)
        self.assertEqual(self.head(), 3)

    def test_removed(self) -> None:
        """Nor is a log taken for one that was never there."""
        self.log.unlink()
        self.assertIn("chatserv.db-wal was cut off, damaged or removed", self.refused())


class WithoutStartTests(LastPlaceCase):
    """What works on the store while no server runs refuses what a start refuses, and leaves it as it is."""

    def world(self) -> World:
        """A command on it."""
        return World(Way.ALONE, "uid 0", StatePaths(self.directory))

    def ways(self) -> dict[str, Callable[[], object]]:
        """Each of them."""
        paths, here, lines = StatePaths(self.directory), Path(self.mktemp()), Path(self.mktemp())
        lines.touch()
        return {
            "rotate-key": lambda: rotate_identity(self.directory, NOW_MS),
            "verify": lambda: verify_store(paths, Pace()),
            "backup": lambda: make_backup(paths, here, NOW_MS, Pace()),
            "export": lambda: export_store(paths, here, Pace()),
            "import": lambda: self.imported(lines),
            "downgrade": self.taken_back,
        }

    def taken_back(self) -> None:
        """The schema goes back."""
        went = Deferred.fromCoroutine(downgrade(self.world(), {"version": "0.1.0"}))
        self.failureResultOf(went, DatabaseRefused).raiseException()

    def imported(self, lines: Path) -> None:
        """Reads nothing into it."""
        state = StateDirectory(self.directory)
        try:
            import_store(lines, state, NOW_MS, Pace())
        finally:
            state.release()

    def assert_all_refuse(self, words: str) -> None:
        """Each of them does, in these words, and the files stay."""
        kept = ("chatserv.db", "chatserv.db-wal", "identity.pem")
        before = {name: (self.directory / name).read_bytes() for name in kept if (self.directory / name).exists()}
        for name, call in self.ways().items():
            error = self.assertRaises(DatabaseRefused, call)
            self.assertIn(words, str(error), name)
            self.assertEqual(before, {name: (self.directory / name).read_bytes() for name in before}, name)

    def test_missing_messages(self) -> None:
        """The log is cut off: with its end put back, all is there, and works."""
        whole = self.log.read_bytes()
        self.log.write_bytes(whole[:-FRAME_BYTES])
        self.assert_all_refuse("the newest messages are missing: a room had 3 events")
        self.log.write_bytes(whole)
        self.assertEqual(self.head(), 3)

    def test_old_copy(self) -> None:
        """A server has started on a newer one: no new key comes into this one, and no copy of it is taken for good."""
        self.start()
        self.change(lambda connection: connection.exec_driver_sql("DELETE FROM room"))
        (self.directory / "last-place").unlink()
        shutil.copy(self.directory / "chatserv.db", self.directory / "copy.db")
        self.start()
        shutil.copy(self.directory / "copy.db", self.directory / "chatserv.db")
        ways = self.ways()
        for name in ("rotate-key", "verify", "backup", "export", "import"):
            self.assertIn(
                "a server has started on a newer one", str(self.assertRaises(DatabaseRefused, ways[name])), name
            )

    def test_line_that_is_being_written(self) -> None:
        """A server that runs there writes the line while it is read: what was read half is read again."""
        database, place, lines = self.directory / "chatserv.db", self.directory / "last-place", []
        whole = place.read_bytes()
        lines += [whole[:-2] + b"9\n", whole, whole]
        self.patch(last_place, "_line", lambda _path: lines.pop(0))
        last_place.check_last_place(database, place)
        self.assertEqual([], lines)

    def test_not_compared(self) -> None:
        """A database that cannot be asked is said in the log, and is for the start to refuse."""
        said: list[str] = []
        self.patch(last_place._log, "warn", lambda text, **values: said.append(text.format(**values)))
        (self.directory / "chatserv.db").write_bytes(b"no database" * 1000)
        last_place.check_last_place(self.directory / "chatserv.db", self.directory / "last-place")
        self.assertIn("chatserv.db: not compared with last-place", said[0])


class ProvesNothingTests(LastPlaceCase):
    """What is no reason to refuse a start."""

    def starts_with(self, change: Callable[[Path], object]) -> None:
        """Without the log, and with another file beside it, it starts."""
        self.log.unlink()
        change(self.directory / "last-place")
        self.prepare()

    def test_no_file(self) -> None:
        """A version of before has none; the next message makes it, for its owner alone."""
        self.starts_with(Path.unlink)
        file = self.directory / "last-place"
        LastPlace(file, bytes(16)).keep([event_at(1), event_at(2)])
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        self.assertEqual(file.read_bytes(), b"%s %s %020d\n" % (b"00" * 16, b"72" * 16, 2))

    def test_half_a_file(self) -> None:
        """The power failed while it was new."""
        self.starts_with(lambda file: file.write_bytes(file.read_bytes()[:40] + bytes(47)))

    def test_other_life(self) -> None:
        """A restore has put another store there."""
        self.starts_with(lambda file: LastPlace(file, bytes(16)).keep([event_at(9)]))

    def test_disk(self) -> None:
        """A file that cannot be written keeps nobody from talking, and what was there before stays true."""
        file = self.directory / "last-place"
        file.unlink()
        file.mkdir()
        LastPlace(file, bytes(16)).keep([event_at(9)])
        self.assertEqual(self.head(), 3)
