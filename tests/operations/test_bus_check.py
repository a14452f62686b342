"""What is looked at of the bus before a start."""

import socket
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.cluster_settings import Cluster
from chatserv.config import Config, Store
from chatserv.errors import ChatError
from chatserv.operations.checking import Check, bus
from chatserv.state_directory import StatePaths
from chatserv.testing.processes import free_port
from tests.support.authority import Authority


class BusCheckTests(SynchronousTestCase):
    """`chatserv.operations.checking.bus`."""

    def setUp(self) -> None:
        """A state directory."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def check(self, *servers: str, authority: str = "") -> list[Check]:
        """What is found."""
        config = Config(store=Store("postgresql://a/b"), cluster=Cluster(bus=servers, authority=authority))
        return list(bus(config, StatePaths(self.directory)))

    def server(self, greeting: bytes) -> int:
        """Somebody who greets whoever comes. Gives the port."""
        listener = socket.create_server(("127.0.0.1", 0))

        def greet() -> None:
            connection, _ = listener.accept()
            connection.sendall(greeting)
            connection.close()
            listener.close()

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 60)
        return int(listener.getsockname()[1])

    def test_answers(self) -> None:
        """One that answers is good; who is not there, or is another program, is named, and no password with it."""
        good, other, nobody = self.server(b'INFO {"server_id":"a"}\r\n'), self.server(b"220 mail\r\n"), free_port()
        found = self.check(
            f"nats://me:geheim@127.0.0.1:{good}", f"tls://127.0.0.1:{other}", f"nats://127.0.0.1:{nobody}"
        )
        self.assertEqual(["ok", "warning", "warning"], [each.level for each in found])
        self.assertEqual(f"nats://***@127.0.0.1:{good}: answers", found[0].text)
        self.assertIn("something else is there", found[1].text)
        self.assertIn("Connection refused", found[2].text)

    def test_authority(self) -> None:
        """A file that is missing, or holds no certificates, is refused as by a start."""
        authority = Authority(self.directory / "authority")
        authority.issue()
        good = authority.chain.read_bytes()
        for name, data in (("good.pem", good), ("bad.pem", b"nothing"), ("key.pem", b"-----BEGIN PRIVATE KEY-----")):
            (self.directory / name).write_bytes(data)
        self.assertEqual([], self.check(authority="good.pem"))
        for name in ("bad.pem", "key.pem"):
            error = self.assertRaises(ChatError, self.check, authority=name)
            self.assertIn("holds no certificates", str(error))
        self.assertRaises(FileNotFoundError, self.check, authority="none.pem")

    def test_alone(self) -> None:
        """Who has no bus needs none."""
        self.assertEqual([], self.check())
