"""The disk that fails: SQLite's files go through it, and what was not synced is lost."""

import errno
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.faults.disk import Disk, library
from tests.faults.rows import NotRun

ROWS = 30
WRITE = """
import os, sqlite3, sys
base = sqlite3.connect(sys.argv[1], isolation_level=None)
for pragma in ("journal_mode=WAL", f"synchronous={sys.argv[2]}"):
    base.execute(f"PRAGMA {pragma}")
base.execute("CREATE TABLE line (text)")
for number in range(int(sys.argv[3])):
    base.execute("INSERT INTO line VALUES (?)", ["x" * 3000])
os._exit(0)
"""
REPLACE = """
import os, sys
from pathlib import Path
path = Path(sys.argv[1])
for text in ("old", "new"):
    with open(f"{path}.new", "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.new", path)
    if text == "old" and "synced" in sys.argv:
        os.fsync(os.open(path.parent, os.O_RDONLY))
"""


class DiskTests(SynchronousTestCase):
    """A program of our own on it."""

    def setUp(self) -> None:
        """A disk."""
        try:
            library()
        except NotRun as reason:
            raise SkipTest(str(reason)) from None
        directory = Path(tempfile.mkdtemp())
        self.root = directory / "root"
        self.root.mkdir()
        self.disk = Disk(self.root, directory / "disk")
        self.base = self.root / "base.db"

    def run_code(self, code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs code on the disk."""
        return subprocess.run(
            [sys.executable, "-c", code, str(self.base), *arguments],
            env={**os.environ, **self.disk.environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def rows(self) -> int:
        """How many lines the database has, which has to be whole."""
        base = sqlite3.connect(self.base)
        self.assertEqual(base.execute("PRAGMA integrity_check").fetchone(), ("ok",))
        count: int = base.execute("SELECT count(*) FROM line").fetchone()[0]
        base.close()
        return count

    def test_synced(self) -> None:
        """What SQLite has committed with synchronous=FULL is all there."""
        self.run_code(WRITE, "FULL", str(ROWS)).check_returncode()
        self.disk.lose_power()
        self.assertEqual(self.rows(), ROWS)

    def test_not_synced(self) -> None:
        """With synchronous=OFF it is not, so this disk would find a server out that does not sync."""
        self.run_code(WRITE, "OFF", str(ROWS)).check_returncode()
        self.assertGreater(sum(self.disk.lose_power().values()), 0)
        try:
            found = self.rows()
        except sqlite3.OperationalError:  # not even the table is there
            found = 0
        self.assertLess(found, ROWS)

    def test_name_not_synced(self) -> None:
        """A file that is synced in a directory that is not has no name; one that took another's place is the old one."""
        self.run_code(REPLACE, "synced").check_returncode()
        self.assertEqual(self.base.read_text(), "new")
        self.disk.lose_power()
        self.assertEqual(self.base.read_text(), "old")
        self.base = self.root / "another"
        self.run_code(REPLACE).check_returncode()
        self.disk.lose_power()
        self.assertFalse(self.base.exists())

    def test_errors(self) -> None:
        """Syncs, reads and writes fail as often as they are told to, for the paths that are named, and it is noted."""
        code = "import os, sys\nfile = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        code += "for call in (lambda: os.fsync(file), lambda: os.write(file, b'x'), lambda: os.pread(file, 1, 0)):\n"
        code += "    try: call(); print(0)\n    except OSError as error: print(error.errno)\n"
        for what, expected in (
            ("fsync", [errno.EIO, 0, 0]),
            ("full", [0, errno.ENOSPC, 0]),
            ("write", [0, errno.EIO, 0]),
            ("read", [0, 0, errno.EIO]),
        ):
            self.disk.fail(what, "base", 1)
            for result in (expected, [0, 0, 0]):
                self.assertEqual([int(word) for word in self.run_code(code).stdout.split()], result, what)
            self.assertEqual(self.disk.happened(what), [str(self.base)])
        self.disk.fail("fsync", "another")
        self.assertEqual(self.run_code(code).stdout.split(), ["0"] * 3)
