"""The private socket of a profile."""

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

from twisted.internet import reactor  # noqa: TID251 - a real socket
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatserv.client.account.failures import ProfileError
from chatserv.client.joining import door
from chatserv.client.joining.door import MAX_PATH_BYTES, SOCKET_NAME, bind, connect, remove, same_user
from chatserv.client.joining.session import Session
from chatserv.client.joining.unix_door import WELCOME_SECONDS, UnixDoor
from chatserv.clocks import steady_seconds


class DoorTests(SynchronousTestCase):
    """`chatserv.client.joining.door`."""

    def setUp(self) -> None:
        """A profile's directory, whose path is short wherever the tests run."""
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.path = self.directory / SOCKET_NAME

    def bound(self) -> socket.socket:
        """The socket, bound."""
        listening = bind(self.directory)
        self.addCleanup(listening.close)
        return listening

    def test_private(self) -> None:
        """It is its owner's alone, whatever the umask says, and both ends see whose the other one is."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        listening = self.bound()
        self.assertEqual(stat.S_IMODE(self.path.lstat().st_mode), 0o600)
        there = connect(self.directory, 5)
        assert there is not None
        here, _ = listening.accept()
        with there, here:
            self.assertTrue(same_user(there) and same_user(here))
            self.assertTrue(door.same_process(there) and door.same_process(here))

    def test_other_user(self) -> None:
        """The program at the other end is of another user: nothing is said to it."""
        listening = self.bound()
        self.patch(os, "geteuid", lambda: os.getuid() + 1)
        here = None
        with self.assertRaises(ProfileError) as caught:
            connect(self.directory, 5)
        self.assertIn("another user", str(caught.exception))
        here, _ = listening.accept()
        with here:
            self.assertFalse(same_user(here))
            self.assertEqual(here.recv(10), b"")

    def test_long_path(self) -> None:
        """A path that no address holds goes through a handle of its directory."""
        for length in (MAX_PATH_BYTES, MAX_PATH_BYTES + 1, 400):
            directory = self.directory
            while len(os.fsencode(directory / SOCKET_NAME)) < length:
                left = length - len(os.fsencode(directory / SOCKET_NAME)) - 1
                directory /= "d" * max(1, min(left, 200))
            directory.mkdir(mode=0o700, parents=True)
            with bind(directory) as listening:
                self.assertTrue(stat.S_ISSOCK((directory / SOCKET_NAME).lstat().st_mode))
                there = connect(directory, 5)
                assert there is not None
                there.close()
                listening.accept()[0].close()
            remove(directory)
            self.assertFalse((directory / SOCKET_NAME).exists())

    def test_nobody(self) -> None:
        """Where nobody listens, there is no connection: no socket, or one that a dead program has left."""
        self.assertIsNone(connect(self.directory, 5))
        bind(self.directory).close()
        self.assertTrue(self.path.exists())
        self.assertIsNone(connect(self.directory, 5))

    def test_left_over(self) -> None:
        """What a dead program has left is replaced."""
        bind(self.directory).close()
        self.bound()
        there = connect(self.directory, 5)
        assert there is not None
        there.close()

    def test_foreign(self) -> None:
        """A file, a directory, a link, also to a socket, and a socket of somebody else are left alone, and named."""
        elsewhere = self.directory / "elsewhere"
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(elsewhere))
        for make in (
            lambda: self.path.write_text("mine"),
            self.path.mkdir,
            lambda: self.path.symlink_to(elsewhere),
            lambda: self.path.symlink_to("nowhere"),
        ):
            make()
            with self.assertRaises(ProfileError) as caught:
                bind(self.directory)
            self.assertIn(f"{self.path}: something else", str(caught.exception))
            self.assertTrue(self.path.is_symlink() or self.path.exists())
            if self.path.is_dir() and not self.path.is_symlink():
                self.path.rmdir()
            else:
                self.path.unlink()
        bind(self.directory).close()
        self.patch(os, "geteuid", lambda: os.getuid() + 1)
        self.assertRaises(ProfileError, bind, self.directory)

    def test_directory_gone(self) -> None:
        """A directory that is not there is named."""
        with self.assertRaises(ProfileError) as caught:
            bind(self.directory / "gone")
        self.assertIn("gone", str(caught.exception))

    def test_another_user_in_truth(self) -> None:
        """A process of another user does not get in, though the socket were open to all."""
        if os.getuid() != 0:
            self.skipTest("needs a second user")
        short = Path("/tmp") / f"door{os.getpid()}"
        short.mkdir(mode=0o711)
        self.addCleanup(short.rmdir)
        self.addCleanup(remove, short)
        with bind(short) as listening:
            path = short / SOCKET_NAME
            program = (
                "import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
                "print(s.recv(1))"
            )
            refused = subprocess.run(
                [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60, check=False
            )
            self.assertIn("PermissionError", refused.stderr)
            path.chmod(0o666)
            with subprocess.Popen(
                [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True
            ) as getting_in:
                listening.settimeout(60)
                listening.setblocking(True)
                here, _ = listening.accept()
                with here:
                    self.assertFalse(door.same_user(here))
                self.assertEqual(getting_in.communicate(timeout=60)[0], "b''\n")


class UnixDoorTests(TestCase):
    """`UnixDoor`, on the reactor."""

    def test_ourselves(self) -> None:
        """A second client of one process does not join the first, who could not answer it: nobody waits for that."""
        directory = Path(self.mktemp()).absolute()
        directory.mkdir(mode=0o700)
        meeting = UnixDoor(directory, reactor)

        def open_session(_: object) -> Session:
            raise AssertionError

        served = meeting.serve(open_session)
        self.addCleanup(served.close)
        begun = steady_seconds()
        self.assertIsNone(meeting.join(b"", cast(Any, None)))
        self.assertLess(steady_seconds() - begun, WELCOME_SECONDS / 2)
