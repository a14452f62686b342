"""The log files: which event goes where, as which line, and what a broken disk may cost."""

import io
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO, cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, Logger, LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from chatserv.config import Logging
from chatserv.log_file import RotatingFile, open_rotating
from chatserv.logs import LogFiles, format_line
from chatserv.streams import escape

NOON = 1_795_000_000.0


class _Disk:
    """Opens log files, and can be full."""

    def __init__(self) -> None:
        self.full = False
        self.opened = 0

    def open(self, path: Path, settings: Logging) -> RotatingFile:
        """Opens a file that obeys this disk."""
        self.opened += 1
        file = open_rotating(path, settings)
        raw, disk = file._file, self

        class Raw:
            """A file of which only half a write fits when the disk is full."""

            def __getattr__(self, name: str) -> Any:
                return getattr(raw, name)

            def write(self, data: bytes) -> Any:
                return raw.write(data[: len(data) // 2] if disk.full else data)

        file._file = cast(BinaryIO, Raw())
        return file


class LogsCase(SynchronousTestCase):
    """Log files in a fresh directory."""

    def setUp(self) -> None:
        """Makes a state directory."""
        self.state = Path(self.mktemp()).absolute()
        self.state.mkdir(parents=True)
        self.directory = self.state / "logs"
        self.clock = Clock()
        self.terminal, self.stderr, self.disk = io.StringIO(), io.StringIO(), _Disk()

    def files(self, **settings: Any) -> LogFiles:
        """Log files with these settings."""
        files = LogFiles(
            Logging(**settings),
            self.state,
            self.terminal,
            now=lambda: NOON,
            monotonic=self.clock.seconds,
            stderr=self.stderr,
            open_file=self.disk.open,
        )
        self.addCleanup(files.close)
        return files

    def log(self, files: LogFiles, namespace: str = "chatserv.service") -> Logger:
        """A logger that writes into these files."""
        return Logger(namespace, observer=files.observer)

    def read(self, name: str = "server.log") -> str:
        """What a log file holds; a missing one holds nothing."""
        path = self.directory / name
        return path.read_text() if path.exists() else ""


class RoutingTests(LogsCase):
    """Which event goes where."""

    def test_observer(self) -> None:
        """The files are an observer for twistd, and touch no disk before the first event."""
        verifyObject(ILogObserver, self.files().observer)
        self.assertFalse(self.directory.exists())

    def test_namespaces(self) -> None:
        """Connections and the monitor have files of their own, everything else goes to server.log."""
        files = self.files()
        for namespace in ("chatserv.net.connections", "chatserv.monitor.process", "chatserv.monitors", "twisted.web"):
            self.log(files, namespace).info("from {log_namespace}")
        self.assertIn("from chatserv.net.connections", self.read("connections.log"))
        self.assertIn("from chatserv.monitor.process", self.read("monitor.log"))
        self.assertIn("from chatserv.monitors", self.read())
        self.assertIn("from twisted.web", self.read())
        self.assertEqual(2, len(self.read().splitlines()))

    def test_level(self) -> None:
        """Events under the level of the settings leave no line."""
        for level, lines in (("DEBUG", 5), ("INFO", 4), ("WARN", 3), ("WARNING", 3), ("ERROR", 2), ("CRITICAL", 1)):
            files = self.files(level=level, file=f"logs/{level}")
            for name in ("debug", "info", "warn", "error", "critical"):
                self.log(files).emit(LogLevel.lookupByName(name), "text")
            self.assertEqual(lines, len(self.read(level).splitlines()))

    def test_other_settings(self) -> None:
        """Other settings hold from the next line on: its level, its file, its size; what was lost stays counted."""
        files = self.files(level="ERROR")
        self.log(files).error("by the old ones")
        files.follow(Logging(level="DEBUG", file="logs/other.log", max_size=1024, keep_files=1))
        for number in range(40):
            self.log(files).debug("by the new ones {number}", number=number)
        self.assertEqual(1, len(self.read().splitlines()))
        self.assertIn("new ones 39", self.read("other.log"))
        self.assertEqual({"server.log", "other.log", "other.log.1"}, {each.name for each in self.directory.iterdir()})

    def test_lost_before(self) -> None:
        """Lines that the old files have lost stay counted, and the same settings again change nothing."""
        files = self.files()
        self.disk.full = True
        self.log(files).info("lost")
        files.follow(Logging())
        self.assertEqual(1, files.lost)
        files.follow(Logging(level="DEBUG"))
        self.assertEqual(1, files.lost)

    def test_terminal(self) -> None:
        """The terminal has server events from INFO on, and those of connections and monitor at any logged level."""
        files = self.files(level="DEBUG")
        self.log(files).debug("hidden")
        self.log(files).info("shown")
        self.log(files, "chatserv.monitor").debug("also shown")
        self.assertEqual(
            ["shown", "also shown"], [line.partition("] ")[2] for line in self.terminal.getvalue().splitlines()]
        )

    def test_terminal_trouble(self) -> None:
        """A closed terminal, or one that lacks the characters, disturbs nothing."""
        raw = io.BytesIO()
        self.terminal = io.TextIOWrapper(raw, "ascii")  # type: ignore[assignment]
        files = self.files()
        self.log(files).info("grün")
        self.assertIn(b"gr\\xfcn", raw.getvalue())
        self.terminal.close()
        self.log(files).info("on it goes")
        self.assertIn("on it goes", self.read())

    def test_absolute_file(self) -> None:
        """An absolute path is taken as it is, and the other files stand beside it."""
        self.directory = self.state / "elsewhere"
        files = self.files(file=str(self.directory / "chat.log"))
        self.log(files).info("one")
        self.log(files, "chatserv.monitor").info("two")
        self.assertEqual({"chat.log", "monitor.log"}, {path.name for path in self.directory.iterdir()})

    def test_header(self) -> None:
        """Each start leaves a line in server.log, even where only errors are logged."""
        files = self.files(level="CRITICAL")
        files.write_header()
        self.assertRegex(self.read(), rf"^==== chatserv \S+ started 2026-\S+ pid {os.getpid()} ====\n$")

    def test_private(self) -> None:
        """The directory is open to its owner alone, as are the files."""
        self.log(self.files()).info("text")
        self.assertEqual(0o700, stat.S_IMODE(self.directory.stat().st_mode))
        self.assertEqual(0o600, stat.S_IMODE((self.directory / "server.log").stat().st_mode))


class FormatTests(LogsCase):
    """What a line looks like."""

    def test_line(self) -> None:
        """A line is time with offset, level and text."""
        self.assertRegex(
            format_line({"log_format": "{a} is {b}", "a": 1, "b": "two", "log_level": LogLevel.warn}, NOON),
            r"^2026-11-1\dT\d\d:\d\d:\d\d[+-]\d{4} \[WARN\] 1 is two\n$",
        )
        self.assertEqual("", format_line({}, NOON))

    def test_no_forged_line(self) -> None:
        """Line ends and terminal controls in a field cannot make a second line or move a cursor."""
        files = self.files()
        evil = "x\r\n2026-11-23T20:00:00+0000 [INFO] admin logged in\x1b[2J\x9b1A\u202e\u2028\x85\x00\ud800"
        self.log(files).info("user {name}", name=evil)
        for text in (self.read(), self.terminal.getvalue()):
            (line,) = text.splitlines()
            self.assertTrue(line.isprintable())
            self.assertIn(
                r"x\r\n2026-11-23T20:00:00+0000 [INFO] admin logged in\x1b[2J\x9b1A\u202e\u2028\x85\x00\ud800", line
            )

    def test_traceback(self) -> None:
        """A failure's traceback follows its line, each line after a tab, and cannot forge one either."""
        files = self.files()
        try:
            raise ValueError("bad\n2026-11-23T20:00:00+0000 [INFO] forged\x1b")
        except ValueError:
            self.log(files).failure("it broke", Failure())
        first, *others = self.read().splitlines()
        self.assertIn("[CRITICAL] it broke", first)
        self.assertIn("ValueError: bad", self.read())
        self.assertGreater(len(others), 3)
        for line in others:
            self.assertTrue(line.startswith("\t"))
            self.assertTrue(line[1:].isprintable())

    def test_broken_events(self) -> None:
        """Events that cannot be formatted, or hold nonsense, leave a line and raise nothing."""

        class Unprintable:
            def __repr__(self) -> str:
                raise RuntimeError("no")

        files = self.files()
        self.log(files).info("{missing}")
        self.log(files).info("{it!r}", it=Unprintable())
        files.observer(
            {"log_format": "x", "log_level": "loud", "log_time": "late", "log_failure": 3, "log_namespace": 7}
        )
        self.assertGreaterEqual(len(self.read().splitlines()), 3)

    def test_bounded(self) -> None:
        """A text without end is cut."""
        self.log(self.files()).info("{text}", text="x" * 100_000)
        self.assertLess(len(self.read()), 10_000)

    @given(st.text(st.characters()))
    def test_escape(self, text: str) -> None:
        """Any text becomes printable, and can be encoded."""
        self.assertTrue(escape(text).isprintable())
        escape(text).encode()

    def test_escape_marks(self) -> None:
        """No letter of a line carries so many marks that they cover the lines around it; what is not drawn at all goes."""
        hills = "\u0301" * 9
        for text, expected in (
            (f"a{hills}", "a" + hills[:4]),
            (hills, "\u25cc" + hills[:4]),
            ("\u3164x\x1b", "x\\x1b"),
        ):
            self.assertEqual(expected, escape(text))


class RotationTests(LogsCase):
    """Files that grow, and files that others move."""

    def test_rotation(self) -> None:
        """A file rotates at its size, and no more old ones are kept than the settings say."""
        files = self.files(max_size=1024, keep_files=2)
        for number in range(100):
            self.log(files).info("line {number} {filler}", number=number, filler="x" * 100)
        names = {path.name for path in self.directory.iterdir()}
        self.assertEqual({"server.log", "server.log.1", "server.log.2"}, names)
        self.assertIn("line 99 ", self.read() + self.read("server.log.1"))
        for path in self.directory.iterdir():
            self.assertLess(path.stat().st_size, 1024 + 200)
            self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode))

    def test_directories_like_patterns(self) -> None:
        """Old files are found by their names, whatever their directory is called, and others' files are left alone."""
        for name in ("chat[1]", "chat*", "ch?t", "a b", "-x", "two\nlines", os.fsdecode(b"b\xff")):
            self.state = Path(self.mktemp()).absolute() / name
            self.directory = self.state / "logs"
            neighbour = self.state.with_name("chat1") / "logs"
            for directory in (self.directory, neighbour):
                directory.mkdir(parents=True, exist_ok=True)
            (neighbour / "server.log.7").touch()
            (self.directory / "server.log.20261129").touch()
            files = self.files(max_size=1024, keep_files=2)
            for number in range(40):
                self.log(files).info("line {number} {filler}", number=number, filler="x" * 100)
            kept = {"server.log", "server.log.1", "server.log.2", "server.log.20261129"}
            self.assertEqual(kept, {path.name for path in self.directory.iterdir()}, name)
            self.assertEqual((0, ["server.log.7"]), (files.lost, [path.name for path in neighbour.iterdir()]), name)

    def test_reopen(self) -> None:
        """After a rotation by others, reopen goes on in a file of the old name."""
        files = self.files()
        self.log(files).info("old")
        (self.directory / "server.log").rename(self.directory / "moved")
        files.reopen()
        self.log(files).info("new")
        self.assertIn("old", self.read("moved"))
        self.assertIn("new", self.read())
        self.assertNotIn("old", self.read())

    def test_moved_without_a_word(self) -> None:
        """A file that was moved, removed with its directory or emptied by others is noticed within a second."""
        files = self.files()
        self.log(files).info("old")
        (self.directory / "server.log").unlink()
        self.directory.rmdir()
        self.clock.advance(1)
        self.log(files).info("new")
        self.assertIn("new", self.read())
        os.truncate(self.directory / "server.log", 0)
        self.clock.advance(1)
        self.log(files).info("newest")
        self.assertRegex(self.read(), r"^2026\S+ \[INFO\] newest\n$|^2\S+ \[INFO\] newest\n$")
        self.assertEqual(0, files.lost)


class TroubleTests(LogsCase):
    """Disks that do not work."""

    def test_full_disk(self) -> None:
        """A full disk costs whole lines, never half ones, gives one warning, and is over when a write works."""
        files = self.files()
        self.log(files).info("before")
        self.disk.full = True
        for _ in range(10):
            self.log(files).info("lost")
        self.log(files, "chatserv.monitor").info("lost too")
        self.assertEqual(11, files.lost)
        self.assertEqual(1, len(self.stderr.getvalue().splitlines()))
        self.assertIn("server.log", self.stderr.getvalue())
        self.disk.full = False
        self.log(files).info("too early")
        self.clock.advance(1)
        self.log(files).info("after")
        self.assertEqual(["before", "after"], [line.partition("] ")[2] for line in self.read().splitlines()])
        self.assertEqual(12, files.lost)

    def test_retries_once_a_second(self) -> None:
        """A broken disk is tried once a second, not with each event."""
        files = self.files()
        self.disk.full = True
        for _ in range(100):
            self.log(files).info("lost")
            self.clock.advance(0.05)
        self.assertLessEqual(self.disk.opened, 6)
        self.assertEqual(100, files.lost)

    def test_reopen_recovers_at_once(self) -> None:
        """Reopen does not wait for the next try."""
        files = self.files()
        self.disk.full = True
        self.log(files).info("lost")
        self.disk.full = False
        files.reopen()
        self.log(files).info("after")
        self.assertIn("after", self.read())

    def test_warns_again(self) -> None:
        """A second outage after a good time has a warning of its own."""
        files = self.files()
        for full in (True, False, True):
            self.disk.full = full
            self.log(files).info("text")
            self.clock.advance(1)
        self.assertEqual(2, len(self.stderr.getvalue().splitlines()))

    def test_directory_that_cannot_be(self) -> None:
        """A directory that cannot be made loses lines, and nothing else; made possible, logging begins."""
        self.directory.write_text("in the way")
        files = self.files()
        files.write_header()
        self.log(files).info("lost")
        self.assertEqual(2, files.lost)
        self.directory.unlink()
        self.clock.advance(1)
        self.log(files).info("found")
        self.assertIn("found", self.read())

    def test_rotation_fails(self) -> None:
        """A rotation that cannot rename loses lines until it can."""
        files = self.files(max_size=1024, keep_files=1)
        obstacle = self.directory / "server.log.1" / "x"
        obstacle.mkdir(parents=True)
        for _ in range(30):
            self.log(files).info("x" * 100)
        self.assertGreater(files.lost, 0)
        obstacle.rmdir()
        obstacle.parent.rmdir()
        self.clock.advance(1)
        self.log(files).info("found")
        self.assertIn("found", self.read())

    def test_closed_stderr(self) -> None:
        """A warning that nobody can take is no error."""
        self.stderr.close()
        files = self.files()
        self.disk.full = True
        self.log(files).info("lost")
        self.assertEqual(1, files.lost)


class JournalTests(LogsCase):
    """What goes to the journal, where the terminal is one."""

    def journal(self, **settings: Any) -> list[str]:
        """The lines there of an event of each file, one of them with a traceback."""
        found = Path(self.mktemp())
        with found.open("w+") as stream:
            status = os.fstat(stream.fileno())
            self.patch(os, "environ", {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
            observer = LogFiles(Logging(**settings), self.state, stream).observer
            for namespace in ("service", "net.connections", "monitor", "audit"):
                Logger(f"chatserv.{namespace}", observer=observer).info("said by {who}", who=namespace)
            Logger("chatserv.service", observer=observer).failure("broken", Failure(ZeroDivisionError("by\nzero")))
            return found.read_text().splitlines()

    def test_server(self) -> None:
        """An event is one line without a date, behind its priority; connections and samples are in their files alone."""
        first, second, third = self.journal()
        self.assertEqual((first, second), ("<6>said by service", "<6>said by audit"))
        self.assertTrue(third.startswith("<2>broken | Traceback") and "ZeroDivisionError: by | zero" in third, third)
        self.assertIn("said by monitor", (self.directory / "monitor.log").read_text())

    def test_all_and_none(self) -> None:
        """All of it, or none, where the settings say so; the files have it either way."""
        self.assertEqual(len(self.journal(journal="all")), 5)
        self.assertEqual(self.journal(journal="none"), [])
        self.assertIn("said by service", (self.directory / "server.log").read_text())
