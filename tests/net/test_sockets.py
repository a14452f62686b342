"""How many sockets are accepted in a turn, and their options."""

import contextlib
import socket
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor  # noqa: TID251 - real connections wait to be accepted
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatserv.net.sockets import ACCEPTED, UNSENT_BYTES, USER_TIMEOUT_MS, FewAtOnce, tune_socket


class TuneTests(SynchronousTestCase):
    """What the kernel is told."""

    def test_tcp(self) -> None:
        """A TCP socket, bare or under TLS, sends without delay and notices a dead peer."""
        for wrap in (lambda inner: inner, lambda inner: SimpleNamespace(transport=inner)):
            with socket.socket() as plain:
                tune_socket(wrap(SimpleNamespace(socket=plain)))
                self.assertNotEqual(plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), 0)
                self.assertNotEqual(plain.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 0)
                self.assertEqual(plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), USER_TIMEOUT_MS)

    def test_peer_that_reads_nothing(self) -> None:
        """The kernel takes a bounded part for it, and not megabytes; the rest waits where it is counted."""
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UNSENT_BYTES)
            deaf.connect(server.getsockname())
            ours, _ = server.accept()
            with ours:
                ours.setblocking(False)
                tune_socket(SimpleNamespace(socket=ours))
                taken = 0
                with contextlib.suppress(BlockingIOError):
                    while taken < 4 << 20:
                        taken += ours.send(bytes(16_384))
        self.assertLess(taken, 1 << 20)

    def test_others(self) -> None:
        """A UNIX socket, and a transport without any, are left alone."""
        with socket.socket(socket.AF_UNIX) as local:
            tune_socket(SimpleNamespace(socket=local))
            self.assertEqual(local.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 0)
        asked: list[object] = []
        tune_socket(SimpleNamespace(socket=SimpleNamespace(family=socket.AF_INET, setsockopt=asked.append)))
        tune_socket(SimpleNamespace())
        self.assertEqual(asked, [])


class FewAtOnceTests(TestCase):
    """A crowd at the door."""

    async def test_crowd(self) -> None:
        """However many wait, a turn takes a bounded number of them in, and all come in."""
        came: list[float] = []
        turns = 0

        class Guest(Protocol):
            """Somebody who came."""

            def connectionMade(self) -> None:
                """Notes in which turn."""
                came.append(turns)

        port: Any = await FewAtOnce(TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")).listen(
            Factory.forProtocol(Guest)
        )
        self.addCleanup(port.stopListening)
        crowd = [socket.create_connection(("127.0.0.1", port.getHost().port)) for _ in range(5 * ACCEPTED + 1)]
        for each in crowd:
            self.addCleanup(each.close)
        while len(came) < len(crowd) and turns < 1000:
            turns += 1
            await deferLater(reactor, 0)
        self.assertEqual(len(crowd), len(came))
        self.assertEqual(ACCEPTED, max(came.count(turn) for turn in came))

    async def test_other_ports(self) -> None:
        """What listens otherwise is left as it is."""
        port = SimpleNamespace()
        endpoint: Any = SimpleNamespace(listen=lambda _factory: deferLater(reactor, 0, lambda: port))
        self.assertIs(port, await FewAtOnce(endpoint).listen(Factory()))
        self.assertEqual({}, vars(port))
