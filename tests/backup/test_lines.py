"""Export and import: the same bytes again, what is there once only, and each bad line by its number."""

import json
import os
import shutil
import stat
import tracemalloc
from pathlib import Path
from typing import Any

from chatserv.backup import exporting
from chatserv.backup.exporting import Exported, export_store
from chatserv.backup.importing import Imported, import_store
from chatserv.backup.lines import MAX_LINE_BYTES, OF_ONE_STORE, TABLES
from chatserv.backup.refusals import BackupError, Pace
from chatserv.backup.verifying import verify_store
from chatserv.bootstrap import prepare
from chatserv.config import Config
from chatserv.domain.roles import Role
from chatserv.state_directory import StateDirectory
from chatserv.store import statements
from chatserv.store.database import reading_engine
from chatserv.store.schema import metadata
from tests.backup.cases import CANARY, NOW_MS, BackupCase


class LinesCase(BackupCase):
    """An export of a server, and an empty directory with its key."""

    def setUp(self) -> None:
        """Everything that a table can hold is in one."""
        super().setUp()
        self.fill()
        self.file = self.here / "all.jsonl"
        self.first = self.export(self.state, self.file)
        self.other = self.other_state()
        shutil.copy(self.state.identity_key, self.other.identity_key)

    def fill(self) -> None:
        """A row in each table that has none, with what a row may hold; NULL among it."""
        self.change(f"UPDATE account SET role = {int(Role.ADMIN)}")  # noqa: S608
        rows = {
            "ban": "(1, 'eve', 'account', 'alice', 5)",
            "backup": "(1, 3, 4, x'00ff', x'')",
            "prekey": "(1, 1, 7, x'01')",
            "login_network": "(1, x'0102', 5)",
            "waiting_leave": "(1, 'bob', x'03')",
            "read_mark": "(1, 1, 2)",
        }
        self.change(*(f"INSERT OR IGNORE INTO {table} VALUES {values}" for table, values in rows.items()))  # noqa: S608

    def export(self, state: Any, file: Path) -> Exported:
        """An export."""
        return export_store(state, file, Pace())

    def load(self, state: StateDirectory | None = None, file: Path | None = None) -> Imported:
        """An import."""
        return import_store(file or self.file, state or self.other, NOW_MS + 9000, Pace())

    def incarnation(self, state: StateDirectory) -> Any:
        """Of a store, and whether it is being mended."""
        engine = reading_engine(state.database)
        with engine.connect() as connection:
            found = statements.incarnation(connection), statements.mending(connection)
        engine.dispose()
        return found


class RoundTripTests(LinesCase):
    """There and back."""

    def test_same_bytes(self) -> None:
        """Exported, imported where nothing is, exported again: the same; and again after a start."""
        done = self.load()
        self.assertEqual((done.rows, done.new, done.old), (self.first.rows, self.first.rows, ""))
        again = self.here / "again.jsonl"
        self.export(self.other, again)
        self.assertEqual(again.read_bytes(), self.file.read_bytes())
        self.other.release()
        prepared = prepare(Config(), self.other.path, NOW_MS)
        self.other._lock = prepared.state._lock
        self.assertEqual(len(prepared.stored.log), done.log_entries)
        self.assertEqual(len(prepared.stored.rooms), 2)
        again.unlink()
        self.export(self.other, again)
        self.assertEqual(again.read_bytes(), self.file.read_bytes())

    def test_every_table(self) -> None:
        """All tables that make a server are in it, each with a row here."""
        found = {json.loads(line)["table"] for line in self.file.read_bytes().splitlines()}
        named = {table.name for table in TABLES}
        empty = {name for name, count in self.first.counts.items() if not count}
        self.assertEqual(found, {"export", "end"} | named - empty)
        self.assertEqual(empty, {"meta", "gone_message"})
        left = {name for name in metadata.tables if name.startswith(("mending", "retention", "prekey"))}
        self.assertEqual(left | {"log_head", "control", "blob", "blob_total"}, set(metadata.tables) - named)

    def test_new_life(self) -> None:
        """What was imported has an incarnation of its own and is being mended; the second import changes nothing."""
        self.load()
        first, mending = self.incarnation(self.other)
        self.assertTrue(mending)
        self.assertNotEqual(first, self.incarnation(self.state)[0])
        files = self.files(self.other.path)
        again = self.load()
        self.assertEqual((again.rows, again.new), (self.first.rows, 0))
        self.assertEqual((self.incarnation(self.other)[0], self.files(self.other.path)), (first, files))

    def test_added_to(self) -> None:
        """What an earlier import had not is added; the store of before lies beside."""
        self.load()
        self.alice.say("one more")
        self.server.wait(self.server.memory.close())
        more = self.here / "more.jsonl"
        lines = self.file.read_bytes().splitlines()
        ban = {"table": "ban", "pk": 2, "subject": "mallory", "kind": "account", "by": "alice", "at_ms": 6}
        at = next(n for n, line in enumerate(lines) if json.loads(line)["table"] == "ban") + 1
        end = {"table": "end", "rows": self.first.rows + 1}
        more.write_bytes(
            b"\n".join([*lines[:at], json.dumps(ban).encode(), *lines[at:-1], json.dumps(end).encode(), b""])
        )
        done = self.load(file=more)
        self.assertEqual(done.new, 1)
        self.assertTrue(Path(done.old).is_dir())

    def test_file(self) -> None:
        """Of mode 0600, never over another, without what was deleted and without the keys."""
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        self.assertRaises(BackupError, self.export, self.state, self.file)
        self.assertNotIn(CANARY.encode(), self.file.read_bytes())
        self.assertEqual(self.files(), ["all.jsonl", "other", "state"])

    def test_bounded_memory(self) -> None:
        """A store that is large takes no more memory than a small one, both ways."""
        self.change(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n WHERE i < 4000) INSERT INTO event SELECT NULL, 1, "
            "(SELECT head FROM room WHERE pk = 1) + i, CAST(i AS BLOB), x'01', 1, 'ann', 0, zeroblob(3000) FROM n",
            "UPDATE room SET head = (SELECT max(seq) FROM event WHERE room = 1) WHERE pk = 1",
        )
        file = self.here / "large.jsonl"
        self.patch(exporting, "BATCH", 50)
        tracemalloc.start()
        self.export(self.state, file)
        self.load(file=file)
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        self.assertGreater(file.stat().st_size, 16_000_000)
        self.assertLess(peak, 6_000_000)


class BadLineTests(LinesCase):
    """Whatever stands in a line, its number is told, and nothing has changed."""

    def refused(self, data: bytes) -> str:
        """In which words these bytes are refused."""
        file = self.here / "bad.jsonl"
        file.write_bytes(data)
        error = self.assertRaises(BackupError, self.load, None, file)
        self.assertEqual(self.files(self.other.path), ["identity.pem", "lock"])
        return str(error).removeprefix(str(file))

    def test_lines(self) -> None:
        """Nonsense in the place of one line."""
        lines = self.file.read_bytes().splitlines()
        at = 3
        good = json.loads(lines[at])
        for bad in (
            b"",
            b"{",
            b"null",
            b"[]",
            b'"x"',
            b"\xff",
            b'{"table":"nothing"}',
            b'{"table":"sqlite_master","name":"x"}',
            b'{"pk":1}',
            b"[" * 100_000,
            b'{"table":"ban","pk":1e400}',
            b'{"table":"meta","key":"\\ud800","value":""}',
            json.dumps({**good, "pk": True}).encode(),
            json.dumps({**good, "pk": "1"}).encode(),
            json.dumps({**good, "pk": 2**70}).encode(),
            json.dumps({**good, "pk": None}).encode(),
            json.dumps({**good, "more": 1}).encode(),
            json.dumps({key: value for key, value in good.items() if key != "pk"}).encode(),
            lines[0],
            *(json.dumps({"table": "meta", "key": key, "value": ""}).encode() for key in OF_ONE_STORE),
        ):
            said = self.refused(b"\n".join([*lines[:at], bad, *lines[at + 1 :], b""]))
            self.assertTrue(said.startswith(f":{at + 1}: "), (bad[:80], said))

    def test_structure(self) -> None:
        """Cut off, put together, in another order, of other values."""
        whole = self.file.read_bytes()
        lines = whole.splitlines(keepends=True)
        event = next(n for n, line in enumerate(lines) if b'"table":"event"' in line)
        for data, said in (
            (b"", ":0: not the beginning"),
            (lines[1], ":1: not the beginning"),
            (whole[:-1], "cut off"),
            (b"".join(lines[:-1]), "cut off"),
            (whole + b"\n", "more than an export"),
            (whole + whole, f":{len(lines) + 1}: more than an export"),
            (b"".join(lines[:5] + lines[6:]), "rows, where"),
            (
                b"".join([lines[0], lines[event], *lines[1:event], *lines[event + 1 :]]),
                ":2: does not fit the rows before it",
            ),
            (b"".join([*lines[:2], lines[1], *lines[2:]]), "rows, where"),
            (whole.replace(b'"version":1', b'"version":2', 1), ":1: an export of version 2"),
            (whole.replace(b'"schema":"', b'"schema":"9', 1), ":1: an export of version 1, schema 9"),
            (whole.replace(b'"seq":7', b'"seq":70'), "events up to"),
            (b"x" * (MAX_LINE_BYTES + 5), ":1: the line is too long"),
        ):
            self.assertIn(said, self.refused(data))

    def test_other_server(self) -> None:
        """Of another server, or without a key."""
        lines = self.file.read_bytes().splitlines()
        header = json.loads(lines[0])
        header["server_id"] = header["log_root"]
        self.assertIn(
            ":1: an export of another server", self.refused(b"\n".join([json.dumps(header).encode(), *lines[1:], b""]))
        )
        self.other.identity_key.unlink()
        self.assertIn("does not hold it", str(self.assertRaises(BackupError, self.load)))

    def test_conflict(self) -> None:
        """A store that has gone on, or that is another one, is not written over."""
        self.load()
        before = self.other.database.read_bytes()
        file = self.here / "other.jsonl"
        file.write_bytes(self.file.read_bytes().replace(b'"subject":"eve"', b'"subject":"eva"'))
        error = str(self.assertRaises(BackupError, self.load, None, file))
        self.assertIn("the store has something else in its place", error)
        self.assertEqual(self.other.database.read_bytes(), before)

    def test_no_file(self) -> None:
        """A pipe, a device, a directory."""
        os.mkfifo(self.here / "pipe")
        for path in (self.here / "pipe", Path("/dev/zero"), self.here, self.here / "no"):
            self.assertRaises(BackupError, self.load, None, path)

    def test_verified(self) -> None:
        """What was imported is whole."""
        self.load()
        self.assertEqual(verify_store(self.other, Pace()).counts["event"], self.first.counts["event"])
