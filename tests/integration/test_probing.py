"""Whether one can listen somewhere, tried on real sockets."""

import os
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from chatserv import probing
from chatserv.listening import Listener
from chatserv.net.keys import handed_over
from chatserv.probing import UNIX_PATH_BYTES, listen_problem
from chatserv.testing.processes import free_port, listens


class TcpTests(SynchronousTestCase):
    """Ports."""

    def setUp(self) -> None:
        """A port that somebody listens on, and one that nobody does."""
        self.busy = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.busy.close)
        self.taken, self.free = self.busy.getsockname()[1], free_port()

    def test_free(self) -> None:
        """A free port is no problem, and is free again afterwards; what systemd hands over is not tried."""
        for _ in range(2):
            listeners = [
                Listener("tcp", "127.0.0.1", self.free),
                Listener("tcp", "::1", self.free),
                Listener("systemd"),
            ]
            self.assertIsNone(listen_problem(listeners))

    def test_taken(self) -> None:
        """A port in use is named with the reason, whichever of the listeners it is."""
        listeners = [Listener("tcp", "127.0.0.1", self.free), Listener("tcp", "127.0.0.1", self.taken)]
        self.assertEqual(f"127.0.0.1:{self.taken}: Address already in use", listen_problem(listeners))

    def test_in_each_others_way(self) -> None:
        """Two listeners for one port are a problem before the server runs."""
        said = listen_problem([Listener("tcp", "127.0.0.1", self.free), Listener("tcp", "", self.free)])
        self.assertEqual(f"0.0.0.0:{self.free}: Address already in use", said)

    def test_beside_each_other(self) -> None:
        """The same port of several addresses is no problem."""
        hosts = ("127.0.0.1", "127.0.0.2", "::1")
        self.assertIsNone(listen_problem(Listener("tcp", host, self.free) for host in hosts))

    def test_nobody_is_taken(self) -> None:
        """Who comes while it is tried is refused, as before: a connection would end with the attempt."""
        came: list[bool] = []
        self.patch(probing, "_free_socket", lambda *_: came.append(listens(self.free)))
        listeners = [Listener("tcp", "127.0.0.1", self.free), Listener("tcp", "127.0.0.2", self.free)]
        self.assertIsNone(listen_problem([*listeners, Listener("unix", path="socket")]))
        self.assertEqual([False], came)

    def test_elsewhere(self) -> None:
        """An address of another machine, and a name that is none, are problems in words."""
        self.assertIn("Cannot assign", listen_problem([Listener("tcp", "192.0.2.1", self.free)]) or "")
        self.assertIn("nowhere.invalid:1: ", listen_problem([Listener("tcp", "nowhere.invalid", 1)]) or "")

    def test_handed_over(self) -> None:
        """Where a socket that systemd hands over listens is known; what is none has no port."""
        start = self.busy.fileno()
        handed_over.cache_clear()
        self.addCleanup(handed_over.cache_clear)
        self.patch(__import__("chatserv.net.keys", fromlist=[""]), "LISTEN_FDS_START", start)
        self.assertEqual(("127.0.0.1", self.taken), handed_over(0))
        self.assertEqual(("", 0), handed_over(10_000))
        self.busy.close()  # as Twisted does, once it listens there itself
        self.assertEqual(("127.0.0.1", self.taken), handed_over(0))


class UnixTests(SynchronousTestCase):
    """Sockets with a path."""

    def setUp(self) -> None:
        """A directory whose path is short."""
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name) / "a b[1]"
        self.lock = self.path.with_name(f"{self.path.name}.lock")
        self.listener = Listener("unix", path=str(self.path), locked=True)

    def bound(self) -> socket.socket:
        """A socket there."""
        one = socket.socket(socket.AF_UNIX)
        one.bind(str(self.path))
        self.addCleanup(one.close)
        return one

    def test_leftovers(self) -> None:
        """The socket and lock of a server that is gone are removed, whatever the lock says."""
        for says in ("1", str(os.getpid()), "garbage"):
            self.bound().close()
            self.lock.symlink_to(says)
            self.assertIsNone(listen_problem([self.listener]))
            self.assertFalse(self.path.exists() or self.lock.is_symlink(), says)
        self.lock.symlink_to("1")
        self.assertIsNone(listen_problem([self.listener]))
        self.assertFalse(self.lock.is_symlink())

    def test_in_use(self) -> None:
        """The socket of a server that runs stays, with its lock."""
        self.bound().listen(0)
        self.lock.symlink_to("1")
        self.assertEqual(f"unix:{self.path}: Address already in use", listen_problem([self.listener]))
        self.assertTrue(self.path.exists() and self.lock.is_symlink())

    def test_no_socket(self) -> None:
        """What is no socket, or no lock, is left alone and told."""
        self.path.write_text("letters")
        self.assertIn("no socket", listen_problem([self.listener]) or "")
        self.path.unlink()
        self.lock.write_text("letters")
        self.assertIn("no lock", listen_problem([self.listener]) or "")
        self.assertTrue(self.lock.exists())

    def test_impossible(self) -> None:
        """A path that is too long by a byte, and one without a directory, are told in words."""
        room = UNIX_PATH_BYTES - len(os.fsencode(self.path.parent)) - 1
        for length, problem in ((room, None), (room + 1, "longer than the 107 bytes")):
            path = self.path.with_name("x" * length)
            said = listen_problem([Listener("unix", path=str(path), locked=True)])
            self.assertEqual(problem is None, said is None)
            self.assertIn(problem or "", said or "")
        gone = Listener("unix", path=str(self.path / "x"), locked=True)
        self.assertIn("no directory", listen_problem([gone]) or "")
