"""``doctor`` and ``prove-blind``: what they look at, and what they leave alone."""

import os
import shutil
import sqlite3
import sys
import tempfile
from collections import namedtuple
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import SkipTest

from chatserv.blob_directory import BlobDirectory
from chatserv.bootstrap import prepare
from chatserv.config import Config, Server
from chatserv.operations import blindness, doctor
from chatserv.operations.backups import LITTLE_BYTES
from chatserv.state_directory import StateDirectory
from tests.cli.test_main import CommandCase

Usage = namedtuple("Usage", "free")


FREE_PORT = ("--set", "server.host=127.0.0.1", "--set", "server.port=65322")


class DoctorTests(CommandCase):
    """``doctor``."""

    def checks(self) -> dict[str, str]:
        """What is found, by thing."""
        return {each["name"]: each["level"] for each in self.json_of(*FREE_PORT, "doctor")["checks"]}

    def make(self) -> None:
        """A server was here."""
        prepare(Config(server=Server(host="127.0.0.1")), self.directory, 1).state.release()

    def test_healthy(self) -> None:
        """Where all is well but that no server runs, that is told."""
        self.make()
        found = self.checks()
        self.assertEqual({"answer", "backup"}, {name for name, level in found.items() if level != "ok"})
        self.assertLessEqual({"settings", "identity", "versions", "disk", "open_files", "clock"}, set(found))

    def test_backup(self) -> None:
        """None, one by the key of now, and one by the key before are told apart; what a file of another kind says is not."""
        self.make()
        self.assertEqual("warning", self.checks()["backup"])
        self.json_of("backup", self.mktemp())
        self.assertEqual("ok", self.checks()["backup"])
        self.json_of("rotate-key")
        self.assertIn("a key that the server has given up since", self.run_command("doctor")[1])
        self.json_of("backup", self.mktemp())
        self.assertEqual("ok", self.checks()["backup"])
        (self.directory / "last-backup").write_text('{"file": "x", "made_ms": "soon"}')
        self.assertEqual("warning", self.checks()["backup"])

    def test_files(self) -> None:
        """A file that somebody has sent, and whose bytes are not all there, is told."""
        self.make()
        self.assertEqual("ok", self.checks()["files"])
        with closing(sqlite3.connect(self.directory / "chatserv.db")) as database, database:
            database.execute("INSERT INTO account VALUES (1, X'01', 'ann', 'ann', 1, X'', 1, 0, 0, NULL)")
            database.execute("INSERT INTO room VALUES (1, X'02', 0, NULL, NULL, NULL, 0, 0, X'', 0, X'', 0)")
            database.execute("INSERT INTO blob VALUES (1, ?, 1, 1, 9, X'', 9, 1, 1, 9)", (bytes(16),))
            database.execute("INSERT INTO blob_total VALUES (0, 65536)")
        self.assertEqual("warning", self.checks()["files"])
        files = BlobDirectory(self.directory / "blobs")
        files.make()
        files.write(bytes(16), 0, b"123456789")
        self.assertEqual("ok", self.checks()["files"])

    def test_miscounted(self) -> None:
        """It says where the sum over all files is not what their rows make, and what mends that."""
        self.make()
        with closing(sqlite3.connect(self.directory / "chatserv.db")) as database, database:
            database.execute("INSERT INTO blob_total VALUES (0, 7)")
        code, out, _ = self.run_command(*FREE_PORT, "doctor")
        self.assertIn(
            "warning  all files count for 0 bytes, and 7 are noted: the next sweep of a server puts that", out
        )
        self.assertIn("and 7 are noted", self.run_command("verify")[1])
        self.assertEqual(0, code)

    def test_directory_of_files(self) -> None:
        """The directory of files is for the server's user alone, who may write there, and its disk has room."""
        self.make()
        self.assertIn("blobs: not there yet", self.run_command("doctor")[1])
        place = self.directory.absolute() / "blobs"
        place.mkdir(0o700)
        code, out, _ = self.run_command(*FREE_PORT, "doctor")
        self.assertEqual((0, 1), (code, out.count(f"{place}: for files, ")))
        self.assertNotIn("mount", out)
        _code, out, _ = self.run_command("--set", "limits.blob_disk_share=0.01", "doctor")
        self.assertIn(f"warning  {place}: no file is taken, since more than limits.blob_disk_share (1%)", out)
        place.chmod(0o750)
        code, out, _ = self.run_command("doctor")
        self.assertEqual(1, code)
        self.assertIn(f"{place}: open to others (0750): chmod 700 ", out)
        place.chmod(0o700)
        self.patch(os, "access", lambda path, *_, **__: path != place)
        self.assertIn(f"wrong    {place}: the server cannot write there", self.run_command("doctor")[1])
        place.rmdir()
        place.touch(0o600)
        self.assertIn(f"wrong    {place}: not a directory", self.run_command("doctor")[1])
        place.unlink()
        place.symlink_to(self.directory)
        self.assertIn(f"wrong    {place}: a link, which is not followed", self.run_command("doctor")[1])

    def test_retention(self) -> None:
        """A rule for the size that what is never deleted stands in the way of is told."""
        self.make()
        self.assertNotIn("retention", self.checks())
        given = ("--set", "retention.bytes=16MB", "doctor")
        self.assertIn("retention.bytes is 16 MB", self.run_command(*given)[1])
        os.truncate(self.directory / "chatserv.db", 21 * 2**20)
        self.assertIn("allow more", self.run_command(*given)[1])

    def test_disk(self) -> None:
        """A disk that is nearly full is told, one that is full is wrong."""
        for free, level in ((doctor.FEW_BYTES - 1, "warning"), (LITTLE_BYTES - 1, "error")):
            self.patch(shutil, "disk_usage", lambda _, free=free: Usage(free))
            self.assertEqual(level, self.checks()["disk"])
            self.assertEqual(int(level == "error"), self.run_command(*FREE_PORT, "doctor")[0])

    def test_clock(self) -> None:
        """A clock that is behind what was written is told."""
        self.make()
        ahead = (self.directory / "chatserv.db").stat().st_mtime + 1000
        os.utime(self.directory / "chatserv.db", (ahead, ahead))
        self.assertEqual("warning", self.checks()["clock"])

    def test_log(self) -> None:
        """Errors of late are counted, and the last one is shown without what would disturb a terminal."""
        self.make()
        (self.directory / "logs").mkdir(mode=0o700, exist_ok=True)
        lines = ["2026-11-29T18:00:00+0000 [INFO] fine", "2026-11-29T18:00:01+0000 [ERROR] bad \x1b[2J"]
        (self.directory / "logs" / "server.log").write_text("\n".join(lines) + "\n")
        self.assertEqual("warning", self.checks()["log"])
        out = self.run_command("doctor")[1]
        self.assertIn("1 errors of late", out)
        self.assertNotIn("\x1b", out)

    def test_log_of_somebody_else(self) -> None:
        """Root does not show what the server's user cannot read, wherever a link in their directory leads."""
        if os.geteuid() != 0:
            raise SkipTest("only root can be led astray")
        place = tempfile.TemporaryDirectory(dir="/tmp")  # that anybody may enter
        self.addCleanup(place.cleanup)
        os.chmod(place.name, 0o755)  # noqa: S103
        self.directory, secret = Path(place.name) / "state", Path(place.name) / "secret"
        self.make()
        secret.write_text("2026-11-29T18:00:01+0000 [ERROR] of root alone\n")
        secret.chmod(0o600)
        logs = self.directory / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        (logs / "server.log").unlink(missing_ok=True)
        (logs / "server.log").symlink_to(secret)
        for each in (self.directory, *self.directory.rglob("*")):
            os.chown(each, 65_534, 65_534, follow_symlinks=False)
        self.assertNotIn("of root alone", self.run_command("doctor")[1])

    def test_no_answer(self) -> None:
        """A server that holds the directory and does not answer is wrong."""
        self.make()
        held = StateDirectory(self.directory)
        self.addCleanup(held.release)
        self.assertEqual("error", self.checks()["answer"])


class ProofTests(CommandCase):
    """``prove-blind``; what it runs is tried in ``tests.integration.test_blind``."""

    def proof(self, script: str, *arguments: str) -> tuple[int, Any, str]:
        """What is told of a proof that is this script."""
        module = self.directory / "proof.py"
        self.directory.mkdir(exist_ok=True)
        module.write_text(script)
        self.patch(blindness, "PROOF", "proof")
        path = os.pathsep.join((str(self.directory.absolute()), *sys.path))
        # What is compiled is known by size and second of its source, which the next script may share.
        self.patch(os, "environ", {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"})
        code, out, err = self.run_command("prove-blind", *arguments)
        return code, out, err

    def test_outcomes(self) -> None:
        """What the proof says is passed on as it comes, its last line is the result; a clean one is good."""
        for ends, arguments, code in ((0, (), 0), (1, (), 1), (2, (), 1), (1, ("--leak",), 0), (0, ("--leak",), 1)):
            said = self.proof(f"import sys\nprint('one')\nprint('two \\x1b')\nsys.exit({ends})", *arguments)
            self.assertEqual((code, "two \\x1b\n", "one\ntwo \\x1b\n"), said, ends)

    def test_broken(self) -> None:
        """A proof that does not come to its end proves nothing."""
        self.assertEqual(1, self.proof("raise SystemExit(9)")[0])
        self.assertEqual(1, self.proof("import os\nprint('x', flush=True)\nos.kill(os.getpid(), 9)")[0])

    def test_elsewhere(self) -> None:
        """It learns nothing of the operator's own server: no variable, and another directory."""
        self.patch(os, "environ", {**os.environ, "CHATSERV__SERVER__PORT": "1", "STATE_DIRECTORY": str(self.directory)})
        script = "import os\nprint(sorted(n for n in os.environ if 'CHATSERV' in n or 'STATE' in n), os.getcwd())"
        out = self.proof(script)[1]
        self.assertTrue(out.startswith("[] "), out)
        self.assertNotIn(os.getcwd(), out)
