"""What contents say, by type: encoded, parsed and refused."""

import unicodedata
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.bodies import (
    MAX_EMOJI_BYTES,
    MAX_MENTIONS,
    MAX_RECEIPTS,
    Body,
    Delete,
    Edit,
    LogEvidence,
    Reaction,
    Receipt,
    RoomTitle,
    Text,
    decode_body,
    encode_body,
)
from chatserv.crypto.content import ContentType
from chatserv.crypto.e2e.message import BODY_BYTES_MAX
from chatserv.crypto.encoding import u8, u16, v8, v16, v32
from chatserv.crypto.file_body import (
    MAX_FILE_BYTES,
    MAX_FILE_NAME_BYTES,
    MAX_MIME_BYTES,
    MAX_PREVIEW_BYTES,
    MAX_WORDS_BYTES,
    File,
)
from chatserv.crypto.history_body import History
from chatserv.crypto.log_leaves import TREE_HEAD_BYTES
from chatserv.crypto.room_state import MAX_NAME_BYTES, MAX_TOPIC_BYTES
from chatserv.errors import Reject
from tests.support.mutations import MUTATIONS, mutations

ID = b"i" * 16
DECOMPOSED, COMPOSED = "Gru\u0308n", "Gr\u00fcn"

SAYABLE = st.characters(codec="utf-8")
IDS = st.binary(min_size=16, max_size=16)
USERS = st.text(SAYABLE, min_size=1, max_size=8).map(lambda text: unicodedata.normalize("NFC", text))
HEADS = st.binary(min_size=TREE_HEAD_BYTES, max_size=TREE_HEAD_BYTES)
TEXTS = st.builds(
    Text,
    st.text(SAYABLE, max_size=100),
    st.booleans(),
    st.none() | IDS,
    st.lists(USERS, max_size=5).map(tuple),
)
PIXELS = st.integers(1, 2**31 - 1)
FILES = st.builds(
    lambda measures, **fields: File(width=measures[0], height=measures[1], **fields),
    measures=st.just((0, 0)) | st.tuples(PIXELS, PIXELS),
    blob_id=IDS,
    key=st.binary(min_size=32, max_size=32),
    hash=st.binary(min_size=32, max_size=32),
    size=st.integers(0, MAX_FILE_BYTES),
    name=st.text(SAYABLE, max_size=50),
    mime=st.text(SAYABLE, max_size=20),
    preview=st.binary(max_size=100),
    words=st.text(SAYABLE, max_size=50),
)
BODIES = st.one_of(
    FILES,
    TEXTS,
    st.builds(Edit, IDS, TEXTS),
    st.builds(Delete, IDS),
    st.builds(Reaction, IDS, st.text(SAYABLE, min_size=1, max_size=2), st.booleans()),
    st.builds(Receipt, st.lists(IDS, max_size=5).map(tuple)),
    st.builds(LogEvidence, st.lists(HEADS, min_size=1, max_size=2).map(tuple), st.just("") | USERS),
    st.builds(RoomTitle, st.text(SAYABLE, max_size=5), st.text(SAYABLE, max_size=50)),
)
EXAMPLES: tuple[Body, ...] = (
    Text("hello \U0001f44b " + COMPOSED, True, ID, ("alice", "bob")),
    Edit(ID, Text("hello")),
    Delete(ID),
    Reaction(ID, "\U0001f44d", True),
    File(ID, b"k" * 32, b"h" * 32, 411, "report.pdf", "application/pdf", 640, 480, b"PNG", "have a look"),
    Receipt((ID, b"j" * 16)),
    History(ID, b"k" * 32, b"h" * 32, 411),
    LogEvidence((b"h" * TREE_HEAD_BYTES,), "bob"),
    RoomTitle("kitchen", "what is for lunch"),
)


def raw_text(style: int = 0, reply_to: bytes = b"", mentions: bytes = b"", text: bytes = b"hello") -> bytes:
    """A text as bytes, right or wrong."""
    return u8(style) + v8(reply_to) + v16(mentions) + v32(text)


class BodyTests(SynchronousTestCase):
    """Every type alike."""

    def refuse(self, ctype: int, data: bytes) -> None:
        """Asserts that these bytes are refused."""
        self.assertRaises(Reject, decode_body, ctype, data)

    @settings(deadline=None)
    @given(BODIES)
    def test_round_trip(self, body: Body) -> None:
        """What is encoded parses to the same body, whose texts are in NFC."""
        ctype, data = encode_body(body)
        self.assertEqual(decode_body(ctype, data), body)

    @settings(deadline=None)
    @given(st.sampled_from(ContentType), st.binary(max_size=200))
    def test_foreign_bytes(self, ctype: ContentType, data: bytes) -> None:
        """Foreign bytes are refused with `Reject`, or mean exactly what they say."""
        try:
            body = decode_body(ctype, data)
        except Reject:
            return
        if body is not None:
            self.assertEqual(encode_body(body), (ctype, data))

    def test_mutations(self) -> None:
        """Broken copies of each type are refused, or mean exactly what they say; no two encodings are of one body."""
        for body in EXAMPLES:
            ctype, data = encode_body(body)
            refused = 0
            for changed in mutations(data, f"{self.id()} {ctype.name}", 2 * MUTATIONS):
                try:
                    again = decode_body(ctype, changed)
                except Reject:
                    refused += 1
                else:
                    assert again is not None
                    self.assertEqual(encode_body(again), (ctype, changed))
            self.assertTrue(refused, ctype.name)

    def test_every_end(self) -> None:
        """A byte too few or too many is refused."""
        for body in EXAMPLES:
            ctype, data = encode_body(body)
            self.refuse(ctype, data[:-1])
            self.refuse(ctype, data + b"\x00")
            self.refuse(ctype, b"")

    def test_types(self) -> None:
        """Each body has its type; a type that this version does not know gives nothing, whatever the bytes."""
        types = [encode_body(body)[0] for body in EXAMPLES]
        self.assertEqual(types, [1, 2, 3, 4, 5, 6, 8, 9, 10])
        for ctype in (0, 7, 12, 255):
            self.assertIsNone(decode_body(ctype, b"anything"))

    def test_repr(self) -> None:
        """What was said is in no repr."""
        for body in EXAMPLES:
            shown = repr(body)
            for said in ("hello", "\U0001f44d", "kitchen", "lunch"):
                self.assertNotIn(said, shown)


class TextTests(SynchronousTestCase):
    """`Text` and `Edit`."""

    def refuse(self, **parts: Any) -> None:
        """Asserts that a text of these bytes is refused, alone and as an edit."""
        self.assertRaises(Reject, Text.decode, raw_text(**parts))
        self.assertRaises(Reject, Edit.decode, ID + raw_text(**parts))

    def test_layout(self) -> None:
        """The layout is style, the message answered, mentions, text."""
        text = Text("hello", True, ID, ("bob", "alice"))
        self.assertEqual(text.encode(), b"\x01\x10" + ID + b"\x00\x0a\x05alice\x03bob\x00\x00\x00\x05hello")
        self.assertEqual(Text("").encode(), bytes(8))
        self.assertEqual(Edit(ID, text).encode(), ID + text.encode())

    def test_normalised_when_made(self) -> None:
        """A text and its mentions are brought into NFC when made; mentions also into order, each once."""
        self.assertEqual(Text(DECOMPOSED).text, COMPOSED)
        self.assertEqual(Text("", mentions=("b", DECOMPOSED, "b", COMPOSED)).mentions, (COMPOSED, "b"))

    def test_required_when_read(self) -> None:
        """Bytes that are not UTF-8 or not in NFC are refused, in texts and mentions."""
        for wrong in (b"\xff", DECOMPOSED.encode(), b"\xed\xa0\x80"):
            self.refuse(text=wrong)
            self.refuse(mentions=v8(wrong))

    def test_surrogates(self) -> None:
        """What has no UTF-8 cannot be said."""
        self.assertRaises(Reject, Text, "\ud800")
        self.assertRaises(Reject, Text, "", mentions=("\ud800",))
        self.assertRaises(Reject, Reaction, ID, "\ud800")
        self.assertRaises(Reject, RoomTitle, "\ud800")

    def test_style(self) -> None:
        """There are two styles."""
        self.refuse(style=2)
        self.assertTrue(Text.decode(raw_text(style=1)).action)

    def test_reply_to(self) -> None:
        """A message that is answered has an id of 16 bytes, or there is none."""
        for length in (1, 15, 17):
            self.refuse(reply_to=bytes(length))
            self.assertRaises(Reject, Text, "", reply_to=bytes(length))
        self.assertRaises(Reject, Text, "", reply_to=b"")

    def test_mentions(self) -> None:
        """Mentions that are out of order, doubled, no names, or too many are refused."""
        for wrong in (b"\x01b\x01a", b"\x01a\x01a", b"\x00", b"\x21" + b"x" * 33, b"\x02a"):
            self.refuse(mentions=wrong)
        users = tuple(f"user{number:03}" for number in range(MAX_MENTIONS + 1))
        self.assertEqual(len(Text("", mentions=users[:-1]).mentions), MAX_MENTIONS)
        self.assertRaises(Reject, Text, "", mentions=users)
        self.assertRaises(Reject, Text, "", mentions=("",))
        self.refuse(mentions=b"".join(v8(user.encode()) for user in users))


class OtherTests(SynchronousTestCase):
    """The other types."""

    def test_layouts(self) -> None:
        """The layouts are those of the docstrings."""
        self.assertEqual(Delete(ID).encode(), ID)
        self.assertEqual(Reaction(ID, "+1", False).encode(), ID + b"\x02+1\x00")
        self.assertEqual(Receipt((ID, ID)).encode(), b"\x00\x20" + ID + ID)
        self.assertEqual(RoomTitle("a", "bc").encode(), b"\x01a\x00\x02bc")

    def test_ids(self) -> None:
        """An id that is not 16 bytes long is refused."""
        for length in (0, 15, 17):
            wrong = bytes(length)
            self.assertRaises(Reject, Edit, wrong, Text(""))
            self.assertRaises(Reject, Delete, wrong)
            self.assertRaises(Reject, Delete.decode, wrong)
            self.assertRaises(Reject, Reaction, wrong, "x")
            self.assertRaises(Reject, Receipt, (wrong,))
        self.assertRaises(Reject, Receipt.decode, v16(bytes(17)))

    def test_reaction(self) -> None:
        """A reaction has 1 to 32 bytes of text, in NFC, and is on or off."""
        self.assertEqual(Reaction(ID, "u\u0308").emoji, "\u00fc")
        Reaction(ID, "x" * MAX_EMOJI_BYTES)
        self.assertRaises(Reject, Reaction, ID, "x" * (MAX_EMOJI_BYTES + 1))
        self.assertRaises(Reject, Reaction, ID, "")
        for wrong in (
            v8(b"x" * (MAX_EMOJI_BYTES + 1)) + u8(1),
            v8(b"") + u8(1),
            v8(b"x") + u8(2),
            v8(b"u\xcc\x88") + u8(1),
        ):
            self.assertRaises(Reject, Reaction.decode, ID + wrong)

    def test_receipt(self) -> None:
        """A receipt names at most 256 messages."""
        self.assertEqual(len(Receipt((ID,) * MAX_RECEIPTS).message_ids), 256)
        self.assertRaises(Reject, Receipt, (ID,) * (MAX_RECEIPTS + 1))
        self.assertRaises(Reject, Receipt.decode, v16(ID * (MAX_RECEIPTS + 1)))

    def test_evidence(self) -> None:
        """Who is asked, then one or two signed heads of 432 bytes; neither none nor three, and no other length."""
        head = b"h" * TREE_HEAD_BYTES
        self.assertEqual(LogEvidence((head,), "bob").encode(), b"\x03bob\x01\xb0" + head)
        for heads in ((), (head,) * 3, (head[:-1],), (head, head + b"x")):
            self.assertRaises(Reject, LogEvidence, heads)
            self.assertRaises(Reject, LogEvidence.decode, v8(b"") + v16(b"".join(heads)))

    def test_room_title(self) -> None:
        """Name and topic are in NFC and bounded in bytes."""
        self.assertEqual(RoomTitle(DECOMPOSED, DECOMPOSED), RoomTitle(COMPOSED, COMPOSED))
        name, topic = "\u00fc" * (MAX_NAME_BYTES // 2), "\u00fc" * (MAX_TOPIC_BYTES // 2)
        RoomTitle(name, topic)
        self.assertRaises(Reject, RoomTitle, name + "x", topic)
        self.assertRaises(Reject, RoomTitle, name, topic + "x")
        for wrong in (
            v8(b"x" * 65) + u16(0),
            v8(b"") + v16(b"x" * 1025),
            v8(b"\xff") + u16(0),
            v8(b"") + v16(b"u\xcc\x88"),
        ):
            self.assertRaises(Reject, RoomTitle.decode, wrong)


class FileTests(SynchronousTestCase):
    """Type 5."""

    def made(self, **changes: Any) -> File:
        """A file."""
        given = {"blob_id": ID, "key": b"k" * 32, "hash": b"h" * 32, "size": 1, "name": "a.txt", **changes}
        return File(**given)

    def test_bounds(self) -> None:
        """Each part may be as long as this, and no longer."""
        at_most: dict[str, Any] = {
            "name": "n" * MAX_FILE_NAME_BYTES,
            "mime": "m" * MAX_MIME_BYTES,
            "preview": b"p" * MAX_PREVIEW_BYTES,
            "words": "w" * MAX_WORDS_BYTES,
        }
        whole = self.made(size=MAX_FILE_BYTES, width=1, height=1, **at_most)
        self.assertEqual(File.decode(whole.encode()), whole)
        self.assertLessEqual(len(whole.encode()), BODY_BYTES_MAX)
        for part, value in at_most.items():
            self.assertRaises(Reject, self.made, **{part: value + value[:1]})
        self.assertRaises(Reject, self.made, size=MAX_FILE_BYTES + 1)
        self.assertRaises(Reject, self.made, size=-1)
        self.assertRaises(Reject, self.made, width=1)
        self.assertRaises(Reject, self.made, width=2**31, height=1)
        self.assertRaises(Reject, self.made, key=b"k" * 31)
        self.assertRaises(Reject, self.made, hash=b"h" * 33)
        self.assertRaises(Reject, self.made, blob_id=b"i" * 15)

    def test_nothing_of_it_is_shown(self) -> None:
        """Neither what opens it nor what it is called is in what a log would have of it."""
        shown = repr(self.made(mime="image/png", preview=b"small", words="have a look"))
        for secret in ("kkk", "a.txt", "image/png", "small", "look"):
            self.assertNotIn(secret, shown)

    def test_later_parts(self) -> None:
        """What this version does not know is passed over; parts come in order, each once, and none is empty."""
        fixed = self.made().encode()[:-4]
        new = fixed + v32(u8(9) + v16(b"new"))
        self.assertEqual(File.decode(new), self.made(later=((9, b"new"),)))
        self.assertEqual(File.decode(new).encode(), new)
        self.assertRaises(Reject, self.made, later=((3, b"words"),))
        words = u8(3) + v16(b"words")
        measures = u8(1) + v16(bytes(3) + b"\x01" + bytes(3) + b"\x02")
        self.assertEqual(File.decode(fixed + v32(measures + words)), self.made(width=1, height=2, words="words"))
        wrong = (words + measures, words + words, u8(3) + v16(b""), u8(2) + v16(b""), u8(1) + v16(bytes(8)), u8(1))
        for parts in wrong:
            self.assertRaises(Reject, File.decode, fixed + v32(parts))
        self.assertRaises(Reject, File.decode, self.made().encode() + b"x")
