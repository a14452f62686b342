"""Frames between programs, and values in them."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.events import MessageReceived, Status, StatusChanged
from chatserv.client.joining.frames import MAX_FRAME, MAX_MESSAGE, Frames, Reply, Result, Welcome, encode
from chatserv.client.joining.values import Values
from chatserv.errors import BadFrame, Busy, ChatError, Muted, TooLarge
from chatserv.local_errors import LocalFileError

VALUES = Values(lambda value: value, lambda _, plain: plain)


def reply(size: int) -> Reply:
    """An answer of so many bytes and a few."""
    return Reply(b"i" * 16, Result(True, msgspec.Raw(msgspec.msgpack.encode(bytes(size)))))


def decoded(message: bytes) -> Reply:
    """Such an answer again."""
    return msgspec.msgpack.decode(message, type=Reply)


class FramesTests(SynchronousTestCase):
    """`Frames` and `encode`."""

    def test_long(self) -> None:
        """What is longer than a frame comes in several, and is one message."""
        for size in (0, 1, MAX_FRAME - 40, MAX_FRAME, 3 * MAX_FRAME):
            (whole,) = Frames(MAX_MESSAGE).take(encode(reply(size)))
            self.assertEqual(encode(decoded(whole)), encode(reply(size)))

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.integers(1, 2000), max_size=8), st.randoms(use_true_random=False))
    def test_pieces(self, sizes: list[int], random: object) -> None:
        """However bytes are cut, the same messages come out."""
        data, frames, found = b"".join(encode(reply(size)) for size in sizes), Frames(MAX_MESSAGE), []
        while data:
            cut = random.randint(1, len(data))  # type: ignore[attr-defined]
            found += frames.take(data[:cut])
            data = data[cut:]
        self.assertEqual([encode(decoded(each)) for each in found], [encode(reply(size)) for size in sizes])

    def test_bounds(self) -> None:
        """A frame of one byte too many is refused before it has come, an empty one too, and a message of too many frames."""
        for length in (MAX_FRAME + 1, 0, (1 << 31) | (MAX_FRAME + 1), 1 << 31):
            self.assertRaises(BadFrame, Frames(MAX_MESSAGE).take, length.to_bytes(4, "big"))
        self.assertEqual(Frames(MAX_FRAME).take(MAX_FRAME.to_bytes(4, "big")), [])
        frames = Frames(MAX_FRAME)
        first = ((1 << 31) | MAX_FRAME).to_bytes(4, "big") + bytes(MAX_FRAME)
        self.assertEqual(frames.take(first), [])
        self.assertRaises(BadFrame, frames.take, (1).to_bytes(4, "big") + b"x")

    def test_too_much(self) -> None:
        """What no frames hold is not sent."""
        self.assertRaises(TooLarge, encode, reply(MAX_MESSAGE))


class ValuesTests(SynchronousTestCase):
    """`Values`."""

    def test_events(self) -> None:
        """Events come out as they went in, errors in them too."""
        for event in (
            MessageReceived("lobby", 1, 2, "bob", b"i" * 16, "text", False, reactions=(("👍", ("bob",)),)),
            StatusChanged(Status.ONLINE),
        ):
            self.assertEqual(VALUES.decode_event(*VALUES.encode_event(event)), event)
        failed = StatusChanged(Status.OFFLINE, Busy("later", after_seconds=3))
        again = VALUES.decode_event(*VALUES.encode_event(failed))
        assert isinstance(again, StatusChanged)
        self.assertEqual((type(again.error), vars(again.error)), (Busy, vars(failed.error)))

    def test_errors(self) -> None:
        """An error is of its class, and says the same; one of another library is an `OSError` with its text."""
        for error in (Muted("why", by="server"), LocalFileError("client.db: full", file="client.db")):
            with self.assertRaises(type(error)) as caught:
                VALUES.result(VALUES.failed(error), None)
            self.assertEqual((str(caught.exception), vars(caught.exception)), (str(error), vars(error)))
            self.assertEqual(caught.exception.explain(), error.explain())
        with self.assertRaises(OSError) as other:
            VALUES.result(VALUES.failed(ZeroDivisionError("x")), None)
        self.assertNotIsInstance(other.exception, ChatError)

    def test_false(self) -> None:
        """A value of another type, an event that there is not, and bytes that are none are refused."""
        self.assertRaises(BadFrame, VALUES.decode, b"\x01", str)
        self.assertRaises(BadFrame, VALUES.decode, b"", str)
        self.assertRaises(BadFrame, VALUES.decode_event, "ChatError", msgspec.Raw(b"\x80"))


class WelcomeTests(SynchronousTestCase):
    """The first frame, which has the profile's key."""

    def test_shows_nothing(self) -> None:
        """No log and no traceback has the key; that there is one shows."""
        key = bytes(range(65, 97))
        shown = repr(Welcome(key))
        self.assertNotIn(key.decode(), shown)
        self.assertNotEqual(shown, repr(Welcome()))
