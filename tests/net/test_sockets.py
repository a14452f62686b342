"""The options of accepted sockets."""

import socket
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from chatserv.net.sockets import USER_TIMEOUT_MS, tune_socket


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

    def test_others(self) -> None:
        """A UNIX socket, and a transport without any, are left alone."""
        with socket.socket(socket.AF_UNIX) as local:
            tune_socket(SimpleNamespace(socket=local))
            self.assertEqual(local.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 0)
        asked: list[object] = []
        tune_socket(SimpleNamespace(socket=SimpleNamespace(family=socket.AF_INET, setsockopt=asked.append)))
        tune_socket(SimpleNamespace())
        self.assertEqual(asked, [])
