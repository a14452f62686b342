"""The proxy that writes everything down."""

import socket
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.blindness.recording import HOST, RecordingProxy
from chatserv.testing.processes import free_port

SECONDS = 10.0


class EchoingServer:
    """Answers each connection with what it got in capitals, once the other side has said everything."""

    def __init__(self) -> None:
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                got = b""
                while data := connection.recv(4096):
                    got += data
                connection.sendall(got.upper())

    def close(self) -> None:
        """Ends it."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(SECONDS)
        self._listener.close()


def ask(port: int, data: bytes) -> bytes:
    """Sends data and an end, and gives all that comes back."""
    with socket.create_connection((HOST, port), SECONDS) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    return answer


class ProxyTests(SynchronousTestCase):
    """What passes through, and what is on paper afterwards."""

    def test_both_ways(self) -> None:
        """Each connection is carried to its end, and has a file for each direction."""
        directory, server = Path(self.mktemp()), EchoingServer()
        self.addCleanup(server.close)
        with RecordingProxy(directory, server.port) as proxy:
            self.assertEqual(ask(proxy.port, b"hello"), b"HELLO")
            self.assertEqual(ask(proxy.port, b"more" * 50_000), b"MORE" * 50_000)
        recorded = {file.name: file.read_bytes() for file in proxy.recordings()}
        wanted = {"1-up": b"hello", "1-down": b"HELLO", "2-up": b"more" * 50_000, "2-down": b"MORE" * 50_000}
        self.assertEqual(recorded, wanted)

    def test_nobody_there(self) -> None:
        """Without a server the connection ends, and the proxy goes on."""
        with RecordingProxy(Path(self.mktemp()), free_port()) as proxy:
            for _ in range(2):
                with socket.create_connection((HOST, proxy.port), SECONDS) as connection:
                    self.assertEqual(connection.recv(1), b"")
            self.assertEqual(proxy.recordings(), [])

    def test_end(self) -> None:
        """The end of the proxy ends the connections that are open, and nobody can connect any more."""
        server = EchoingServer()
        self.addCleanup(server.close)
        with RecordingProxy(Path(self.mktemp()), server.port) as proxy:
            connection = socket.create_connection((HOST, proxy.port), SECONDS)
            self.addCleanup(connection.close)
            connection.sendall(b"x")
            while not proxy.recordings() or not proxy.recordings()[-1].read_bytes():
                pass
        connection.settimeout(SECONDS)
        with self.assertRaises(OSError):
            socket.create_connection((HOST, proxy.port), SECONDS)
        while connection.recv(4096):
            pass
