"""The tally counts exactly and sees what is missing."""

from array import array

from twisted.trial.unittest import SynchronousTestCase

from bench.server import BenchError
from bench.tally import FILLER_BYTES, Tally, array_length, make_body, make_filler
from chatserv.crypto.envelope import Envelope, Header
from chatserv.wire import messages
from chatserv.wire.codec import encode_message, join

ROOM = b"r" * 16
ENTERED = messages.RoomEntered(messages.RoomInfo(ROOM, "", 0, 0, 0))
HEADER = Header(ROOM, 1, 2, 3, b"g" * 4)


def event(seq: int, body: bytes = b"") -> bytes:
    """An encoded event."""
    return encode_message(
        messages.Event(ROOM, seq, 0, "anna", 0, body or make_body(HEADER.encode(), 0, bytes(FILLER_BYTES)))
    )


class TallyTests(SynchronousTestCase):
    """Records in, counts out."""

    def test_counts_across_sizes_of_seq(self) -> None:
        """Seqs of one to five bytes are read, and arrays with either header."""
        for start in (0, 100, 200, 65_500, 2**31, 2**32):
            tally = Tally(start)
            for count in (1, 15, 16, 200):
                first = tally.last_seq + 1
                self.assertEqual(tally.take(join([event(first + at) for at in range(count)])), count)
            self.assertEqual(tally.last_seq, start + 232)
            self.assertEqual(tally.lines, 4)

    def test_replies_among_events(self) -> None:
        """Acknowledgements are counted apart from events, wherever they stand."""
        tally = Tally(0)
        sent = encode_message(messages.Sent(1, b"i" * 16, 1, 0))
        self.assertEqual(tally.take(join([sent, event(1), event(2)])), 2)
        self.assertEqual(tally.take(join([event(3), sent])), 1)
        self.assertEqual(tally.take(join([sent])), 0)
        self.assertEqual((tally.acknowledged, tally.last_seq, tally.lines), (3, 3, 2))

    def test_gaps_and_doubles(self) -> None:
        """A record that does not follow, or is not whole, is refused; sampled or not."""
        for wrong in ([event(2)], [event(1), event(1)], [event(1), event(3)], [event(2), event(1)]):
            for latencies in (None, array("q")):
                with self.assertRaises(BenchError):
                    Tally(0, latencies).take(join(wrong))

    def test_wrong_size(self) -> None:
        """A sampled member sees that a body is not what was sent."""
        with self.assertRaises(BenchError):
            Tally(0, array("q")).take(join([event(1, b"short")]))

    def test_refusals(self) -> None:
        """An error of the server ends the run."""
        with self.assertRaises(BenchError):
            Tally(0).take(join([encode_message(messages.Error(1, "busy"))]))

    def test_latencies(self) -> None:
        """A sampled member measures each event."""
        latencies = array("q")
        Tally(0, latencies).take(join([event(1), event(2)]))
        self.assertEqual(len(latencies), 2)
        self.assertGreater(min(latencies), 0)

    def test_bodies(self) -> None:
        """A body is an envelope as far as the server can tell."""
        self.assertEqual(Envelope.decode(make_body(HEADER.encode(), 5, bytes(FILLER_BYTES))).header, HEADER)

    def test_notices(self) -> None:
        """What the server says unasked is passed over where it means nothing here, and nowhere else."""
        tally = Tally(0)
        for notice in (messages.Keepalive(), messages.Presence("anna", 1), messages.LogHead(0, b"", b""), ENTERED):
            self.assertEqual(tally.take(join([encode_message(notice), event(tally.last_seq + 1)])), 1)
        with self.assertRaises(BenchError):
            tally.take(join([encode_message(messages.Farewell("suspended"))]))

    def test_marks_in_bodies(self) -> None:
        """Fillers never look like an event."""
        mark = event(1)[1:9]
        self.assertNotIn(mark, make_filler(b"x" + mark + mark[:4]))

    def test_array_length(self) -> None:
        """Both headers that the codec writes."""
        for count in (1, 15, 16, 300):
            self.assertEqual(array_length(join([b"\x01"] * count)), count)
