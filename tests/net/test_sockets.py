"""The options of accepted sockets."""

import contextlib
import socket
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from chatserv.net.sockets import UNSENT_BYTES, USER_TIMEOUT_MS, tune_socket


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
