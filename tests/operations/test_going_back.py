"""Tests of `chatserv.operations.going_back`: forward, back, and forward again on the same database."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from sqlalchemy import Connection
from twisted.trial.unittest import SynchronousTestCase

from chatserv.operations.server_rows import OLDER
from chatserv.state_directory import StateDirectory
from chatserv.store.database import prepare, take_back, writing_engine
from chatserv.store.migrating import downgrade, steps, upgrade_to
from chatserv.testing.processes import START_SECONDS

RELEASE = Path(__file__).parents[1] / "data" / "0.1.0" / "state"
FORGOTTEN = {"backup", "consent", "login_network", "meta", "alembic_version"}


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables that every version has."""
    conn = sqlite3.connect(path)
    names = [row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {name: sorted(conn.execute(f"SELECT * FROM {name}"), key=repr) for name in names if name not in FORGOTTEN}  # noqa: S608
    conn.close()
    return found


def definitions(path: Path) -> set[tuple[str, ...]]:
    """Tables and indices, as they were defined."""
    conn = sqlite3.connect(path)
    found = set(conn.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))
    conn.close()
    return found


def change(path: Path, *lines: str) -> None:
    """Runs SQL."""
    conn = sqlite3.connect(path)
    for line in lines:
        conn.execute(line)
    conn.commit()
    conn.close()


class GoingBackTests(SynchronousTestCase):
    """The database of 0.1.0, which today's version has had meanwhile."""

    def setUp(self) -> None:
        """Copies what 0.1.0 left, and brings it up to date."""
        self.state = Path(self.mktemp()).absolute()
        self.state.mkdir(mode=0o700)
        self.path = self.state / "chatserv.db"
        shutil.copy(RELEASE / "chatserv.db", self.path)
        self.old = content(self.path)
        prepare(self.path)

    def go_back(self) -> tuple[int, str, str]:
        """Exit code and output of ``chatserv downgrade 0.1.0``."""
        command = [sys.executable, "-m", "chatserv", "downgrade", "0.1.0", "--json", "--state-dir", str(self.state)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_there_and_back(self) -> None:
        """What 0.1.0 had is there again, row by row, under its own definitions, and today's version takes it once more."""
        code, out, _ = self.go_back()
        self.assertEqual((0, {"version": "0.1.0", "schema": "0002", "before": steps()[-1]}), (code, json.loads(out)))
        self.assertEqual(self.old, content(self.path))
        line = json.loads((self.state / "logs" / "audit.log").read_text())
        self.assertEqual(("downgrade", f"uid {os.getuid()}", "alone"), (line["event"], line["who"], line["way"]))
        fresh = Path(self.mktemp())
        fresh.touch()
        with writing_engine(fresh).begin() as conn:
            upgrade_to(conn, OLDER["0.1.0"])
        self.assertEqual(definitions(fresh), definitions(self.path))
        prepare(self.path)
        newest = Path(self.mktemp())
        prepare(newest)
        self.assertEqual(definitions(newest), definitions(self.path))

    def test_what_it_does_not_know(self) -> None:
        """An account that is gone cannot log in with the older version, and a link that resets makes no account."""
        change(
            self.path,
            "UPDATE account SET gone_ms = 1 WHERE name = 'bob'",
            "INSERT INTO invite (token_hash, role, expires_ms, name, reset) VALUES (x'01', 0, 0, 'bob', 1)",
            "INSERT INTO invite (token_hash, role, expires_ms, name, reset) VALUES (x'02', 0, 0, 'eve', 0)",
        )
        take_back(self.path, OLDER["0.1.0"])
        conn = sqlite3.connect(self.path)
        found = dict(conn.execute("SELECT name, suspended FROM account"))
        invites = [row[0] for row in conn.execute("SELECT token_hash FROM invite WHERE used_by IS NULL")]
        conn.close()
        self.assertEqual({"alice": 0, "bob": 1}, found)
        self.assertIn(b"\x02", invites)
        self.assertNotIn(b"\x01", invites)

    def test_refused(self) -> None:
        """A server that runs keeps its database as it is; a directory without one is named."""
        held = StateDirectory(self.state)
        before = self.path.read_bytes()
        code, out, err = self.go_back()
        held.release()
        self.assertEqual((1, before), (code, self.path.read_bytes()))
        self.assertIn("in use", out + err)
        self.path.unlink()
        code, out, err = self.go_back()
        self.assertEqual(1, code)
        self.assertIn("no server has run there", out + err)

    def test_mending(self) -> None:
        """A store that is being mended is mended first."""
        change(self.path, "INSERT INTO meta VALUES ('mending', x'01')")
        code, out, err = self.go_back()
        self.assertEqual(1, code)
        self.assertIn("--finish", out + err)

    def test_all_or_nothing(self) -> None:
        """Where a step fails, the database is what it was."""
        change(self.path, "ALTER TABLE login_network RENAME TO elsewhere")
        before = definitions(self.path)
        with self.assertRaises(Exception):  # noqa: B017 - whatever it is
            take_back(self.path, OLDER["0.1.0"])
        self.assertEqual(before, definitions(self.path))

    def test_every_step(self) -> None:
        """Each step since the oldest of these goes back to exactly what was before it."""
        known = steps()
        for before, after in pairwise(known[1:]):
            with self.subTest(step=after):
                there, back = Path(self.mktemp()), Path(self.mktemp())
                for path in (there, back):
                    path.touch()
                with writing_engine(there).begin() as conn:
                    upgrade_to(conn, before)
                with writing_engine(back).begin() as conn:
                    self.step_and_back(conn, before, after)
                self.assertEqual(definitions(there), definitions(back))

    def step_and_back(self, conn: Connection, before: str, after: str) -> None:
        """One step forward, and the same back."""
        upgrade_to(conn, after)
        downgrade(conn, before)
