"""What twistd was told, and what of it is refused."""

import os
import pwd
import resource
from pathlib import Path
from typing import Any

import psutil
from twisted.trial.unittest import SynchronousTestCase

from chatserv.launch import (
    LEAST_FILES,
    PIDFILE_BYTES,
    CannotStart,
    Launch,
    Owner,
    free_pidfile,
    hold_pidfile,
    owner_of,
    read_launch,
)


class OptionTests(SynchronousTestCase):
    """What `read_launch` promises."""

    def refused(self, **given: Any) -> str:
        """The words."""
        return str(self.assertRaises(CannotStart, read_launch, given))

    def user(self, uid: int) -> None:
        """Who starts the server."""
        self.patch(os, "geteuid", lambda: uid)
        self.patch(os, "getegid", lambda: uid)

    def test_nothing(self) -> None:
        """Without options there is nothing to heed; a log on the terminal is what there is in front."""
        self.assertEqual(Launch(), read_launch({}))
        self.assertEqual(Launch(), read_launch({"logfile": "-", "nodaemon": 1}))

    def test_few_files(self) -> None:
        """Where fewer files may be open than a server takes, that is told; unlimited is no number."""
        for most, starts in ((LEAST_FILES - 1, False), (LEAST_FILES, True), (resource.RLIM_INFINITY, True)):
            self.patch(resource, "getrlimit", lambda _, most=most: (1, most))
            if starts:
                self.assertEqual(Launch(), read_launch({}))
            else:
                self.assertIn("only 31 files", self.refused())

    def test_logs(self) -> None:
        """Another log than the settings name is refused with the setting, instead of ignored."""
        for option, value in (("logfile", "x.log"), ("syslog", 1), ("logger", print)):
            said = self.refused(**{option: value})
            self.assertIn(f"--{option} ", said)
            self.assertIn("logging.file", said)
        self.assertIn("--nodaemon", self.refused(logfile="-"))

    def test_other_places(self) -> None:
        """Another root is refused, and a directory to run in has to be one."""
        self.assertIn("--chroot", self.refused(chroot="/srv"))
        self.assertIn("/nowhere: not a directory", self.refused(rundir="/nowhere"))

    def test_pidfile(self) -> None:
        """The pid file is known by its whole path."""
        self.assertEqual(Path("x.pid").absolute(), read_launch({"pidfile": "x.pid"}).pidfile)

    def test_owner(self) -> None:
        """Root may start the server as a user that the system knows, with that user's group or another."""
        self.user(0)
        nobody = pwd.getpwnam("nobody")
        for gid, expected in ((None, nobody.pw_gid), (7, 7)):
            found = read_launch({"uid": nobody.pw_uid, "gid": gid}).owner
            self.assertEqual(Owner(nobody.pw_uid, expected, "nobody"), found)

    def test_no_owner(self) -> None:
        """A user that nobody knows, a group alone, half a change, and a change by somebody else than root are refused."""
        self.user(0)
        self.assertIn("no user 4123456789", self.refused(uid=4_123_456_789))
        self.assertIn("--uid", self.refused(gid=7))
        self.assertIn("--euid", self.refused(uid=1, euid=1))
        self.user(1000)
        self.assertIn("only root", self.refused(uid=1))
        self.assertIn("only root", self.refused(gid=7))
        self.assertIsNone(read_launch({"uid": 1000, "gid": 1000}).owner)

    def test_acting(self) -> None:
        """Root acts as the owner and is root again afterwards, also after an error; others stay who they are."""
        done: list[tuple[Any, ...]] = []
        for name in ("initgroups", "setegid", "seteuid", "setgroups"):
            self.patch(os, name, lambda *args, name=name: done.append((name, *args)))
        self.patch(os, "getgroups", lambda: [3, 4])
        launch = Launch(Owner(8, 9, "chat"))
        self.user(1000)
        with launch.acting(), Launch().acting():
            self.assertEqual([], done)
        self.user(0)

        def fail() -> None:
            with launch.acting():
                done.append(("fails",))
                raise ValueError

        self.assertEqual(5, Launch().does(max, 3, 5))
        self.assertRaises(ValueError, fail)
        there = [("initgroups", "chat", 9), ("setegid", 9), ("seteuid", 8)]
        self.assertEqual([*there, ("fails",), ("seteuid", 0), ("setegid", 0), ("setgroups", [3, 4])], done)

    def test_not_root_enough(self) -> None:
        """A root that may not become somebody else, as in some containers, finds out before anything is made."""
        self.user(0)

        def refuse(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        for name in ("initgroups", "setegid", "seteuid", "setgroups"):
            self.patch(os, name, refuse)
        self.assertRaises(PermissionError, Launch(Owner(8, 9, "chat")).does, self.fail)

    def test_acting_nests(self) -> None:
        """Who acts as the owner already stays so inside."""
        self.user(8)
        with Launch(Owner(8, 9, "chat")).acting():
            self.assertEqual(3, Launch(Owner(8, 9, "chat")).does(len, "abc"))


class PidFileTests(SynchronousTestCase):
    """What `free_pidfile` and `hold_pidfile` promise."""

    def setUp(self) -> None:
        """A path."""
        self.path = Path(self.mktemp()).absolute()

    def commands(self, *words: str) -> None:
        """What every process runs."""
        self.patch(psutil.Process, "cmdline", lambda _: list(words))

    def test_leftovers(self) -> None:
        """An empty file, garbage, and the pid of whoever has it now do not matter."""
        for said in (b"", b"\n", b"\0" * 512, b"garbage", b"\xff", b"-1", b"9" * 400, b"1", b"%d" % os.getpid()):
            self.path.write_bytes(said)
            free_pidfile(self.path)
            self.assertFalse(self.path.exists(), said)
        free_pidfile(self.path)

    def test_held(self) -> None:
        """A file that a server holds refuses the start and stays, whatever it says."""
        self.path.write_text("1234")
        held = hold_pidfile(self.path)
        assert held is not None
        error = self.assertRaises(CannotStart, free_pidfile, self.path)
        self.assertIn("another server runs, pid 1234", error.detail)
        self.assertTrue(self.path.exists())
        os.close(held)
        free_pidfile(self.path)
        self.assertIsNone(hold_pidfile(self.path))

    def test_another_application(self) -> None:
        """The file of a twistd that runs something else is left to twistd, which refuses; ours would be held."""
        for words, stays in (
            (("python", "/usr/bin/twistd", "web"), True),
            (("/usr/bin/twistd", "-y", "x.tac"), True),
            (("python", "/usr/bin/twistd", "chatserv"), False),
            (("vim", "a", "twistd"), False),
        ):
            self.commands(*words)
            self.path.write_text(str(os.getpid()))
            free_pidfile(self.path)
            self.assertEqual(stays, self.path.exists(), words)

    def test_no_pid_file(self) -> None:
        """What is no pid file is neither read nor removed, and a place where none can be is told."""
        self.path.write_bytes(b"x" * (PIDFILE_BYTES + 1))
        for path, said in (
            (self.path, "not a pid file"),
            (self.path.parent, "not a pid file"),
            (Path("/dev/null"), "not a pid file"),
            (self.path.parent / "none" / "x.pid", "none: cannot be written to; --pidfile= is for none"),
        ):
            self.assertIn(said, self.assertRaises(CannotStart, free_pidfile, path).detail)
        self.assertTrue(self.path.exists())


class OwnerOfTests(SynchronousTestCase):
    """Whose a directory is."""

    def test_owner(self) -> None:
        """Its owner, also where the system knows the number alone; who asks, where there is none."""
        path = Path(self.mktemp())
        self.assertEqual(os.geteuid(), owner_of(path).uid)
        path.mkdir()
        self.assertEqual(path.stat().st_uid, owner_of(path).uid)
        if os.geteuid() == 0:
            os.chown(path, 61_234, 61_235)
            self.assertEqual(Owner(61_234, 61_235, ""), owner_of(path))
            with owner_of(path).acting():
                self.assertEqual((61_234, 61_235, [61_235]), (os.geteuid(), os.getegid(), os.getgroups()))
            self.assertEqual(0, os.geteuid())
