"""The operations on copies of a server, as the command reaches them."""

import json
import os
import pwd
import re
import shutil
import sqlite3
import tempfile
from contextlib import closing
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest import SkipTest

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.trial.unittest import TestCase

from chatserv.backup.refusals import BackupError, Pace, Stopped
from chatserv.blob_directory import BlobDirectory
from chatserv.bootstrap import prepare
from chatserv.config import Blobs, Config
from chatserv.crypto.suite import sha256
from chatserv.errors import Busy, ChatError, Forbidden
from chatserv.local_errors import LocalFileError, NotDone, SettingsError, StateDirectoryError
from chatserv.operations import backups
from chatserv.operations.performing import perform
from chatserv.operations.registry import Way
from chatserv.operations.table import OPERATIONS
from chatserv.operations.world import RunningServer, World
from chatserv.private_files import PrivateFileError, write_private
from chatserv.state_directory import StateDirectory, StatePaths
from chatserv.store.database import DatabaseRefused
from tests.cli.test_main import CommandCase
from tests.support.server import WireServer


class StoppedTests(CommandCase):
    """While no server runs."""

    def setUp(self) -> None:
        """A directory where a server has run, once."""
        super().setUp()
        prepared = prepare(Config(), self.directory, 1_795_000_000_000)
        prepared.state.release()

    def made(self) -> str:
        """A backup in its usual place."""
        return str(self.json_of("backup")["file"])

    def test_backup(self) -> None:
        """It comes to be below the state directory, or where one says; people read what is in it."""
        code, out, _err = self.run_command("backup")
        self.assertEqual(code, 0)
        self.assertIn("bytes, made and verified", out)
        self.assertIn("0 accounts, 0 rooms, 0 events, 0 entries of the log", out)
        self.assertIn("it holds the server's identity key", out)
        self.assertEqual(len(list((self.directory / "backups").iterdir())), 1)
        target = self.mktemp()
        self.assertEqual(self.json_of("backup", target, "--without-identity")["identity"], False)
        self.assertTrue(os.path.exists(target))
        code, _out, err = self.run_command("backup", target)
        self.assertEqual(err, f"chatserv: {os.path.abspath(target)}: exists: name another file, or remove it first\n")
        self.assertEqual(code, 1)
        noted = (self.directory / "logs" / "audit.log").read_text()
        self.assertEqual(noted.count('"event":"backup"'), 2)
        self.assertIn(f'"who":"uid {os.getuid()}"', noted)

    def test_root(self) -> None:
        """As root it leaves nothing of root's there, which would keep the server's own user out."""
        if os.geteuid() != 0:
            raise SkipTest("takes root")
        with tempfile.TemporaryDirectory(dir="/tmp") as place:
            os.chmod(place, 0o755)  # noqa: S103
            self.directory = Path(shutil.move(self.directory, Path(place) / "state"))
            nobody = pwd.getpwnam("nobody")
            for path in (self.directory, *self.directory.rglob("*")):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
            file = self.made()
            for line in (("export", f"{self.directory}/lines"), ("downgrade", "0.1.0"), ("restore", file, "--replace")):
                self.assertEqual((0, ""), self.run_command(*line)[::2], line)
            owners = {path.stat().st_uid for path in (self.directory, *self.directory.rglob("*"))}
            self.assertEqual({nobody.pw_uid}, owners)
        self.assertEqual(0, os.geteuid())

    def test_verify(self) -> None:
        """The backup, or the store; what is not whole ends with 1."""
        file = self.made()
        self.assertIn(f"{file}: whole", self.run_command("verify", file)[1])
        self.assertIn("chatserv.db: whole", self.run_command("verify")[1])
        data = Path(file).read_bytes()
        Path(file).write_bytes(data[:-4096])
        code, out, err = self.run_command("verify", file)
        self.assertEqual((code, out), (1, ""))
        self.assertIn("cut off", err)
        self.assertEqual(self.json_of("verify", file)["error"]["code"], "backup")

    def test_verify_files(self) -> None:
        """A file that is missing is named, and ends with 1, of a backup and of the store."""
        with closing(sqlite3.connect(self.directory / "chatserv.db")) as database, database:
            database.execute("INSERT INTO account VALUES (1, X'01', 'ann', 'ann', 1, X'', 1, 0, 0, NULL)")
            database.execute("INSERT INTO room VALUES (1, X'02', 0, NULL, NULL, NULL, 0, 0, X'', 0, X'', 0)")
            values = (bytes(16), sha256(b"whole"))
            database.execute("INSERT INTO blob VALUES (1, ?, 1, 1, 5, ?, 5, 1, 1, 9)", values)
            database.execute("INSERT INTO blob_total VALUES (0, 65536)")
        files = BlobDirectory(self.directory / "blobs")
        files.make()
        files.write(bytes(16), 0, b"whole")
        file = self.made()
        for words in (("verify", file), ("verify",)):
            self.assertIn("1 files that people have sent: whole, 5 bytes", self.run_command(*words)[1])
        files.remove([bytes(16)])
        code, out, _err = self.run_command("verify")
        self.assertEqual(1, code)
        self.assertIn("0 whole, 1 missing, 0 wrong, 0 that nothing knows of", out)
        self.assertIn(f"file {bytes(16).hex()}: missing", out)
        said = "1 files that people have sent are left out: their bytes are not there"
        self.assertIn(said, self.run_command("backup", self.mktemp())[1])
        self.assertEqual(0, self.run_command("verify", file)[0])
        shutil.rmtree(f"{file}.blobs")
        self.assertEqual(1, self.run_command("verify", file)[0])

    def test_restore(self) -> None:
        """Into another directory, or in the place of this one; the log notes who did it."""
        file = self.made()
        code, _out, err = self.run_command("restore", file)
        self.assertEqual(code, 1)
        self.assertIn("--replace", err)
        code, out, err = self.run_command("restore", file, "--replace")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("what was there before lies in", out)
        self.assertIn("Start the server now", out)
        line = json.loads((self.directory / "logs" / "audit.log").read_text().splitlines()[-1])
        self.assertEqual((line["event"], line["who"], line["way"]), ("restore", f"uid {os.getuid()}", "alone"))
        self.assertEqual(line["fields"]["file"], str(file))
        self.directory = Path(self.mktemp())
        done = self.json_of("restore", file)
        self.assertEqual((done["state"], done["old"]), (str(self.directory.absolute()), ""))
        self.assertIn("name the backup", self.run_command("restore")[2])
        self.assertIn("for the running server", self.run_command("restore", "--finish")[2])

    def test_nightly(self) -> None:
        """What a timer deletes are its own: neither what the operator has made or put there, nor what came from the chat."""
        unit = (Path(__file__).parents[2] / "deploy" / "chatserv-backup.service").read_text()
        (deleted,) = re.findall(r"(?m)^ExecStartPost=\S+/find \S+ -name (\S+) -mtime", unit)
        by_hand, apart = Path(self.made()), self.directory / "here.backup"
        nightly = Path(self.json_of("backup", "--nightly")["file"])
        self.assertTrue(fnmatch(nightly.name, deleted))
        self.assertIn("backup --nightly\n", unit)
        for kept in (by_hand.name, f"{by_hand.stem}{backups.FROM_CHAT}", "keep.backup"):
            self.assertFalse(fnmatch(kept, deleted), kept)
        self.assertEqual(str(apart.absolute()), self.json_of("backup", "--nightly", str(apart))["file"])

    def test_lines(self) -> None:
        """There and back by the command; a bad line is named."""
        first, again = (Path(self.mktemp()) for _ in range(2))
        self.assertIn("1 rows; without the server's keys", self.run_command("export", str(first))[1])
        key = (self.directory / "identity.pem").read_bytes()
        self.directory = Path(self.mktemp())
        self.assertIn("identity.pem", self.run_command("import", str(first))[2])
        write_private(self.directory / "identity.pem", key)
        self.assertIn("1 rows read, 1 of them new", self.run_command("import", str(first))[1])
        self.assertIn("1 rows read, 0 of them new", self.run_command("import", str(first))[1])
        self.run_command("export", str(again))
        self.assertEqual(again.read_bytes(), first.read_bytes())
        again.write_bytes(first.read_bytes().replace(b'"token_hash"', b'"token"'))
        self.assertIn(f"{again.absolute()}:2: not a line of an export", self.run_command("import", str(again))[2])

    def test_nothing_there(self) -> None:
        """Where no server has run there is nothing to back up, and nothing is made."""
        self.directory = Path(self.mktemp())
        for command in ("backup", "verify"):
            self.assertIn("no server has run there", self.run_command(command)[2])
        self.assertFalse(self.directory.exists())

    def test_held(self) -> None:
        """A process that holds the directory without a socket is not disturbed."""
        file = self.made()
        state = StateDirectory(self.directory)
        for command in (("backup",), ("verify",), ("restore", file, "--replace")):
            code, _out, err = self.run_command(*command)
            self.assertEqual(code, 1)
            self.assertIn(f"in use by another chatserv, pid {os.getpid()}", err)
        state.release()


class Running:
    """A server that runs."""

    running = 1

    def status(self) -> dict[str, Any]:
        """Nothing."""
        return {}


class RunningTests(TestCase):
    """Beside a server that runs."""

    def world(self, way: Way) -> World:
        """A world without a store."""
        self.server = Running()
        return World(way, "test", StatePaths(Path(self.mktemp())), server=cast(RunningServer, self.server))

    async def test_one_at_a_time(self) -> None:
        """A second one is refused while the first is under way; the first ends as soon as the server stops."""
        world, seen = self.world(Way.SOCKET), []

        def work(_paths: StatePaths, pace: Pace) -> None:
            seen.append(1)
            while True:
                pace.step()

        first = Deferred.fromCoroutine(backups.beside(world, work))
        await self.assertFailure(Deferred.fromCoroutine(backups.beside(world, work)), Busy)
        self.server.running = 0
        await self.assertFailure(first, Stopped)
        await self.assertFailure(Deferred.fromCoroutine(backups.beside(world, work)), Stopped)
        self.assertEqual(len(seen), 2)

    async def test_no_thread(self) -> None:
        """Where the system starts no thread that is said, may be tried again, and then works."""
        world = self.world(Way.SOCKET)

        def refused(*_: object) -> None:
            raise RuntimeError("can't start new thread")

        patch = self.patch(backups, "deferToThread", refused)
        told: Any = await self.assertFailure(Deferred.fromCoroutine(backups.beside(world, lambda *_: 7)), Busy)
        self.assertIn("no thread can be started", told.detail)
        patch.restore()
        self.assertEqual(await backups.beside(world, lambda *_: 7), 7)

    async def test_finish(self) -> None:
        """A mending is ended by the running server; where there is none, it is said."""
        server = WireServer()
        world = replace(self.world(Way.SOCKET), _context=server.context)
        for given in ({"finish": True}, {"finish": True, "file": "/x"}):
            await self.assertFailure(Deferred.fromCoroutine(perform(world, "restore", given)), NotDone)
        missing = {
            "room": "00ff",
            "name": "lobby",
            "first": 5,
            "last": 9,
            "missing": [[6, 7], [9, 9]],
            "problems": ["6: x"],
        }
        server.context.mending.active = True

        async def work() -> dict[str, Any]:
            return {"log": {"leaves": 9}, "rooms": [missing]}

        server.context.mending.work = work
        result = await perform(world, "restore", {"finish": True})
        lines = OPERATIONS["restore"].show(result.data)
        self.assertIn("room lobby (00ff): missing of 5-9: 6-7, 9-9", lines)
        self.assertIn(
            "nothing is missing of what clients have told of", OPERATIONS["restore"].show({**result.data, "rooms": []})
        )

    async def test_from_the_chat(self) -> None:
        """As many as the limit lie there, one more is refused in words; the operator's do not count, nor do removed ones."""
        server = WireServer(chat_backups=2)
        world = replace(self.world(Way.CHAT), _context=server.context)
        prepare(Config(), world.paths.path, 1_795_000_000_000).state.release()
        self.patch(backups, "now_ms", iter(range(1_795_000_000_000, 1_796_000_000_000, 1000)).__next__)
        await perform(replace(world, way=Way.SOCKET), "backup", {})
        made = [(await perform(world, "backup", {})).data["file"] for _ in range(2)]
        self.assertEqual([True, True], [file.endswith(".chat.backup") and "/" not in file for file in made])
        refused = await self.assertFailure(Deferred.fromCoroutine(perform(world, "backup", {})), NotDone)
        self.assertIn("2 backups that were made from the chat", str(refused))
        (world.paths.path / "backups" / made[0]).unlink()
        await perform(world, "backup", {})
        await perform(replace(world, way=Way.SOCKET), "backup", {})
        self.assertEqual(4, len(list((world.paths.path / "backups").iterdir())))

    async def test_no_room_for_the_chats(self) -> None:
        """Nobody fills the disk from the chat: the server needs it itself."""
        server = WireServer()
        world = replace(self.world(Way.CHAT), _context=server.context)
        prepare(Config(), world.paths.path, 1_795_000_000_000).state.release()
        little = backups.LITTLE_BYTES + 2 * world.paths.database.stat().st_size
        self.patch(shutil, "disk_usage", lambda _: SimpleNamespace(free=little - 1))
        await self.assertFailure(Deferred.fromCoroutine(perform(world, "backup", {})), NotDone)
        self.patch(shutil, "disk_usage", lambda _: SimpleNamespace(free=little))
        await perform(world, "backup", {})

    async def test_files_on_another_disk(self) -> None:
        """Where files are copied beside a backup, as from another disk, there has to be room for those too."""
        elsewhere = Path("/dev/shm")
        if not elsewhere.is_dir() or elsewhere.stat().st_dev == Path.cwd().stat().st_dev:
            raise SkipTest("takes two disks")
        server = WireServer()
        world = replace(self.world(Way.CHAT), _context=server.context)
        prepare(Config(), world.paths.path, 1_795_000_000_000).state.release()
        little = backups.LITTLE_BYTES + 2 * world.paths.database.stat().st_size
        self.patch(shutil, "disk_usage", lambda _: SimpleNamespace(free=little + 99))
        server.uploads.used_bytes = 100
        self.patch(Blobs, "path", lambda *_: elsewhere)
        await self.assertFailure(Deferred.fromCoroutine(perform(world, "backup", {})), NotDone)
        self.patch(Blobs, "path", lambda *_: world.paths.path)
        await perform(world, "backup", {})

    async def test_what_the_chat_reads_of_the_machine(self) -> None:
        """Neither path nor owner nor what to do as root: the operator's log and socket have that."""
        world = replace(self.world(Way.CHAT), _context=WireServer().context)
        prepare(Config(), world.paths.path, 1_795_000_000_000).state.release()
        place, paths = "/srv/secret/place", world.paths
        said: list[str] = []
        self.patch(Logger, "error", lambda _self, text, **values: said.append(text.format(**values)))
        for error in (
            PermissionError(13, "Permission denied", place),
            OSError(5, "Input/output error", place),
            BackupError(place, f"Permission denied: {place} belongs to root: do this as root"),
            PrivateFileError(f"{place}: others may read it", file=place),
            StateDirectoryError(f"{place}: in use"),
            DatabaseRefused(place, "damaged", "restore a backup"),
        ):

            def fail(*_: object, error: Exception = error, **__: object) -> None:
                raise error

            self.patch(backups, "make_backup", fail)
            refused = await self.assertFailure(Deferred.fromCoroutine(perform(world, "backup", {})), LocalFileError)
            for word in ("secret", "root", str(paths.path)):
                self.assertNotIn(word, str(refused))
            self.assertIn(place, said.pop())
            asked: Deferred[Any] = Deferred.fromCoroutine(perform(replace(world, way=Way.SOCKET), "backup", {}))
            self.assertIn(place, str(await self.assertFailure(asked, ChatError)))
        for lost in (TimeoutError(), ConnectionRefusedError(111, "Connection refused")):
            self.patch(backups, "make_backup", partial(fail, error=lost))
            await self.assertFailure(Deferred.fromCoroutine(perform(world, "backup", {})), NotDone)

    async def test_what_a_reload_tells_the_chat(self) -> None:
        """Nothing of where the machine's files are, whether it went well or not; the operator is told all of it."""
        place = "/srv/secret/place"
        told = {
            "applied": [],
            "waits_for_restart": [],
            "certificate": f"{place}/tls.pem",
            "warnings": [f"{place}: old"],
        }
        running = SimpleNamespace(reload=lambda: told)
        world = replace(self.world(Way.CHAT), _context=WireServer().context, server=running)
        inside = OPERATIONS["reload"].show((await perform(world, "reload", {})).data)
        self.assertEqual(
            ["tls.pem: a new certificate is shown from now on", "warnings in the server's log: 1"], inside[1:]
        )
        over_socket = replace(world, way=Way.SOCKET)
        self.assertEqual(
            2, str(OPERATIONS["reload"].show((await perform(over_socket, "reload", {})).data)).count(place)
        )

        def refuse() -> None:
            raise SettingsError(f"{place}/settings.toml:3", "server.port", "no number", "write one")

        running.reload = refuse
        self.patch(Logger, "error", lambda *_, **__: None)
        refused = await self.assertFailure(Deferred.fromCoroutine(perform(world, "reload", {})), NotDone)
        self.assertNotIn("secret", str(refused))
        asked: Deferred[Any] = Deferred.fromCoroutine(perform(over_socket, "reload", {}))
        self.assertIn(place, str(await self.assertFailure(asked, SettingsError)))

    async def test_who_says_where(self) -> None:
        """An administrator inside the chat does not name files of the server's machine."""
        for target in ("/tmp/x", "x"):
            asked = perform(self.world(Way.CHAT), "backup", {"target": target})
            await self.assertFailure(Deferred.fromCoroutine(asked), Forbidden)
        asked = perform(self.world(Way.SOCKET), "backup", {"target": "x"})
        await self.assertFailure(Deferred.fromCoroutine(asked), NotDone)
        asked = perform(self.world(Way.SOCKET), "restore", {"file": "/x"})
        await self.assertFailure(Deferred.fromCoroutine(asked), NotDone)
