"""What a message says: encoded and parsed."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.content import ID_BYTES, Content, ContentType
from chatserv.errors import Reject

CONTENTS = st.builds(
    Content,
    st.integers(0, 255),
    st.binary(min_size=ID_BYTES, max_size=ID_BYTES),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=300),
)


def decoded(data: bytes) -> Content | None:
    """The content, or None where it is rejected."""
    try:
        return Content.decode(data)
    except Reject:
        return None


class ContentTests(SynchronousTestCase):
    """Encoding and parsing."""

    @settings(deadline=None)
    @given(CONTENTS)
    def test_round_trip(self, content: Content) -> None:
        """A content comes back as it was."""
        self.assertEqual(Content.decode(content.encode()), content)

    @settings(deadline=None)
    @given(st.binary(max_size=400))
    def test_foreign_bytes(self, data: bytes) -> None:
        """Foreign bytes are rejected or mean exactly what they say; nothing else is raised."""
        content = decoded(data)
        if content is not None:
            self.assertEqual(content.encode(), data)

    @settings(deadline=None)
    @given(CONTENTS, st.data())
    def test_changed_bytes(self, content: Content, data: st.DataObject) -> None:
        """A byte that is changed, added or lost leads to another content or to `Reject`, never to the same or a crash."""
        encoded = content.encode()
        place = data.draw(st.integers(0, len(encoded) - 1))
        byte = bytes([data.draw(st.integers(0, 255).filter(lambda value: value != encoded[place]))])
        changed = encoded[:place] + byte + encoded[place + 1 :]
        for other in (changed, encoded[:place] + byte + encoded[place:], encoded[:place], encoded + byte):
            self.assertNotEqual(decoded(other), content)

    def test_bare(self) -> None:
        """The layout is the one of docs/rooms.rst 7.2: type, id, time, no log head, and the body behind its length."""
        encoded = Content(ContentType.TEXT, b"i" * 16, 5, b"hello").encode()
        self.assertEqual(encoded, b"\x01" + b"i" * 16 + bytes(7) + b"\x05" + b"\x00" + b"\x00\x00\x00\x05hello")

    def test_log_head(self) -> None:
        """A content that carries a log head, which is for later versions, is rejected."""
        encoded = bytearray(Content(ContentType.TEXT, bytes(16), 0, b"").encode())
        encoded[25] = 1
        self.assertIsNone(decoded(bytes(encoded)))

    def test_repr(self) -> None:
        """What somebody said is not in the repr."""
        self.assertNotIn("hello", repr(Content(1, bytes(16), 0, b"hello")))
