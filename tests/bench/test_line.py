"""The slow line of the benchmark."""

import socket
import threading

from twisted.trial.unittest import SynchronousTestCase

from bench.line import PACKET_BYTES, Line, Way

DEADLINE_SECONDS = 30.0


class LineTests(SynchronousTestCase):
    """What a relay does to bytes."""

    def test_rate(self) -> None:
        """Packets are through one after the other, as the rate is."""
        way = Way(1000.0)
        first, second = way.take(100), way.take(PACKET_BYTES)
        self.assertAlmostEqual(second - first, PACKET_BYTES / 1000.0)
        self.assertEqual(way.passed, 100 + PACKET_BYTES)

    def test_both_ways(self) -> None:
        """All bytes come, whole and in order, and the end of them; they are counted."""
        data, server = bytes(range(256)) * 400, socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        server.settimeout(DEADLINE_SECONDS)
        with Line(server.getsockname()[1], 100) as line:
            near = socket.create_connection(("127.0.0.1", line.port), DEADLINE_SECONDS)
            self.addCleanup(near.close)
            far, _ = server.accept()
            self.addCleanup(far.close)
            far.settimeout(DEADLINE_SECONDS)
            for source, sink in ((near, far), (far, near)):
                self.assertEqual(_carried(source, sink, data), data)
            self.assertEqual(line.passed(), (len(data), len(data)))


def _carried(source: socket.socket, sink: socket.socket, data: bytes) -> bytes:
    def send() -> None:
        source.sendall(data)
        source.shutdown(socket.SHUT_WR)

    sending, came = threading.Thread(target=send), b""
    sending.start()
    while more := sink.recv(65_536):
        came += more
    sending.join()
    return came
