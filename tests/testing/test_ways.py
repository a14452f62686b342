"""Ways that stop, and go on."""

import socket
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.processes import free_port
from chatserv.testing.ways import Way

SECONDS = 60.0
BRIEF_SECONDS = 0.3


class WayTests(SynchronousTestCase):
    """A way to a UNIX socket."""

    def setUp(self) -> None:
        """Somebody listens there."""
        directory = tempfile.TemporaryDirectory(dir="/tmp")
        self.addCleanup(directory.cleanup)
        path = Path(directory.name, "s")
        self.listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.listener.close)
        self.listener.bind(str(path))
        self.listener.listen()
        self.listener.settimeout(SECONDS)
        self.way = Way("127.0.0.1", free_port(), path)
        self.addCleanup(self.way.kill)

    def test_frozen_and_thawed(self) -> None:
        """Nothing goes through a frozen way, no connection ends, and all of it comes once it has thawed."""
        near = socket.create_connection(("127.0.0.1", self.way.port), SECONDS)
        self.addCleanup(near.close)
        far, _ = self.listener.accept()
        self.addCleanup(far.close)
        far.settimeout(SECONDS)
        near.sendall(b"before")
        self.assertEqual(far.recv(100), b"before")
        self.way.freeze()
        far.settimeout(BRIEF_SECONDS)
        with self.assertRaises(TimeoutError):  # it looks now and then whether it is frozen: what is sent later is kept
            while True:
                near.sendall(b"x")
                far.recv(100)
        near.sendall(b"after")
        self.way.thaw()
        far.settimeout(SECONDS)
        came = b""
        while not came.endswith(b"after"):
            came += far.recv(100)
        self.assertEqual(came.strip(b"x"), b"after")
