"""The audit log: a chain of lines, which shows where somebody was at it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from chatserv.audit_log import FIELD_CHARS, MOST_PROBLEMS, Audit, audit_files, verify_audit
from chatserv.config import Logging
from chatserv.domain.roles import Role
from chatserv.logs import LogFiles
from chatserv.net.effects import note_audit


class AuditCase(SynchronousTestCase):
    """A server's log files."""

    def setUp(self) -> None:
        """A directory."""
        self.state = Path(self.mktemp()).absolute()
        self.state.mkdir()
        self.path = self.state / "logs" / "audit.log"
        self.files = self.open()

    def open(self, **settings: Any) -> LogFiles:
        """The files of a server that starts."""
        return LogFiles(Logging(**settings), self.state, now=lambda: 1_795_000_000.0)

    def note(self, event: str, **fields: object) -> None:
        """Somebody did something."""
        note_audit(Logger("chatserv.audit", observer=self.files.observer), event, **fields)

    def notes(self, count: int) -> None:
        """So many."""
        for number in range(count):
            self.note("SetBan", who="alice", way="chat", result="ok", subject=f"192.0.2.{number}")

    def lines(self) -> list[bytes]:
        """What the file has."""
        return self.path.read_bytes().splitlines(keepends=True)

    def verified(self) -> Audit:
        """What a check of all files says."""
        return verify_audit(audit_files(self.path))


class WritingTests(AuditCase):
    """What is written."""

    def test_line(self) -> None:
        """A line is JSON: number, time, event, who, which way, what came of it, the rest; and the hash of the one before."""
        self.notes(1)
        self.note(
            "user\nrole", who="uid 0", way="socket", result="ok", role=Role.ADMIN, device=b"\x01\xff", n=2, x=None
        )
        first, second = map(json.loads, self.lines())
        self.assertEqual(first["before"], "0" * 64)
        self.assertEqual(len(second.pop("before")), 64)
        expected = {
            "n": 2,
            "time": datetime.fromtimestamp(1_795_000_000, UTC).isoformat(timespec="milliseconds"),
            "event": "user\nrole",
            "who": "uid 0",
            "way": "socket",
            "result": "ok",
            "fields": {"role": "admin", "device": "01ff", "n": 2, "x": None},
        }
        self.assertEqual(second, expected)
        self.assertFalse((self.state / "logs" / "server.log").exists())

    def test_bound(self) -> None:
        """A field is cut where it is too long."""
        self.note("Announce", who="alice", way="chat", result="ok", text="x" * (FIELD_CHARS + 1))
        self.assertEqual(json.loads(self.lines()[0])["fields"]["text"], "x" * FIELD_CHARS)

    def test_level(self) -> None:
        """It is written whatever level of logging is set."""
        self.files = self.open(level="CRITICAL")
        self.notes(1)
        self.assertEqual(self.verified().lines, 1)

    def test_restart(self) -> None:
        """A server that starts again, and one beside it as the operator's command is, go on with the chain."""
        other = self.open()
        for files in (self.files, other, self.files, self.open()):
            note_audit(Logger("chatserv.audit", observer=files.observer), "user list", who="uid 0")
        self.assertEqual(self.verified(), Audit(4, 1, 4, self.verified().head, []))

    def test_rotation(self) -> None:
        """The chain goes on in the next file, whoever turned it over, and whatever was deleted by age."""
        self.files = self.open(max_size=1024, keep_files=2)
        self.notes(20)
        self.assertEqual(len(audit_files(self.path)), 3)
        found = self.verified()
        self.assertEqual((found.problems, found.last), ([], 20))
        self.assertGreater(found.first, 1)
        self.path.rename(self.path.with_name("audit.log.20261129"))  # as logrotate may do it
        self.files.reopen()
        self.notes(1)
        self.assertEqual(json.loads(self.lines()[0])["n"], 21)

    def test_crash(self) -> None:
        """A line that a crash cut short is taken out, which the log says; the chain is whole."""
        self.notes(2)
        whole = self.path.read_bytes()
        self.path.write_bytes(whole[:-20])
        self.assertEqual(len(self.verified().problems), 1)
        self.files = self.open()
        self.notes(1)
        found = self.verified()
        self.assertEqual((found.problems, found.lines), ([], 3))
        healed = json.loads(self.lines()[1])
        self.assertEqual((healed["event"], healed["fields"]["bytes"]), ("Healed", len(whole.splitlines()[1]) - 19))

    def test_full_disk(self) -> None:
        """What could not be written is not in the chain: what comes after it follows from what is there."""
        self.notes(1)
        sink = self.files._audit
        opened = sink._open_file

        def refuse(*_: object) -> Any:
            raise OSError(28, "No space left on device")

        sink.close()
        sink._open_file = refuse
        self.notes(1)
        self.assertEqual(self.files.lost, 1)
        sink._open_file = opened
        self.files.reopen()
        self.notes(1)
        self.assertEqual((self.verified().problems, self.verified().lines), ([], 2))


class CheckingTests(AuditCase):
    """What is found."""

    def test_nothing(self) -> None:
        """Where nobody did anything, nothing is wrong."""
        self.assertEqual(self.verified(), Audit())

    def test_tampering(self) -> None:
        """A line that is changed, missing, moved, doubled, put in or broken is found, with its place."""
        self.notes(6)
        good = self.lines()
        foreign = good[2].replace(b"192.0.2.2", b"192.0.2.9")
        for bad, place in (
            ([*good[:2], foreign, *good[3:]], 4),
            ([*good[:2], *good[3:]], 3),
            ([*good[:2], good[3], good[2], *good[4:]], 3),
            ([*good[:3], *good[2:]], 4),
            ([*good[:2], foreign, *good[2:]], 4),
            ([*good[:2], b"{}\n", *good[3:]], 3),
            ([*good[:2], b"\xff\n", *good[3:]], 3),
            ([*good[:2], b"[" * 60_000 + b"\n", *good[3:]], 3),
        ):
            self.path.write_bytes(b"".join(bad))
            found = self.verified().problems
            self.assertTrue(found[0].startswith(f"audit.log:{place}: "), (place, found))

    def test_missing_file(self) -> None:
        """A file of the middle that is gone is found."""
        self.files = self.open(max_size=1024, keep_files=9)
        self.notes(20)
        self.path.with_name("audit.log.2").unlink()
        self.assertEqual(len(self.verified().problems), 1)

    def test_bound(self) -> None:
        """The list of what is wrong has an end."""
        self.path.parent.mkdir()
        self.path.write_bytes(b"x\n" * (MOST_PROBLEMS + 1))
        self.assertEqual(len(self.verified().problems), MOST_PROBLEMS)
