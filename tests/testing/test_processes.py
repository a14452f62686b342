"""What tests with real programs share."""

import socket

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.processes import free_port


class FreePortTests(SynchronousTestCase):
    """Ports for servers that are about to start."""

    def test_in_turns(self) -> None:
        """A port is nobody else's next, is free, and none that the system gives by itself."""
        ports = [free_port() for _ in range(100)]
        self.assertEqual(100, len(set(ports)))
        for port in ports:
            socket.create_server(("127.0.0.1", port)).close()
        with socket.create_server(("127.0.0.1", 0)) as given:
            self.assertGreater(given.getsockname()[1], max(ports))

    def test_taken(self) -> None:
        """A port that somebody listens on is passed over."""
        with socket.create_server(("127.0.0.1", free_port() + 1)) as taken:
            self.assertNotEqual(taken.getsockname()[1], free_port())
