"""What one's own devices tell each other: encoded, parsed and refused."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.bodies import decode_body, encode_body
from chatserv.crypto.content import ContentType
from chatserv.crypto.own_bodies import (
    OWN_BODIES,
    PROOF_BYTES,
    Consents,
    DeviceInfo,
    IgnoredPeople,
    KnownIdentities,
    Occasion,
    OwnBody,
    ReadMarks,
    RoomTitles,
    SealedIdentity,
    decode_own,
)
from chatserv.crypto.wraps import WRAP_BYTES
from chatserv.errors import Reject
from tests.crypto.test_bodies import USERS
from tests.support.mutations import MUTATIONS, mutations

ROOM = b"r" * 16
PROOF = b"p" * PROOF_BYTES
WRAPPED = (b"d" * 16, b"w" * WRAP_BYTES)
IDS = st.binary(min_size=16, max_size=16)
HASHES = st.binary(min_size=32, max_size=32)
NUMBERS = st.integers(0, 2**63 - 1)


def lists(*parts: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """A few tuples of these."""
    return st.lists(st.tuples(*parts), max_size=4).map(tuple)


BODIES = st.one_of(
    st.builds(DeviceInfo, USERS, st.sampled_from((b"", PROOF)), NUMBERS, st.sampled_from(Occasion)),
    st.builds(ReadMarks, lists(IDS, NUMBERS)),
    st.builds(RoomTitles, lists(IDS, USERS, USERS)),
    st.builds(Consents, lists(IDS, st.booleans())),
    st.builds(KnownIdentities, lists(USERS, HASHES, st.booleans())),
    st.builds(IgnoredPeople, lists(USERS, st.booleans())),
    st.builds(
        SealedIdentity, st.integers(0, 2**32 - 1), HASHES, st.binary(max_size=40), lists(IDS, st.just(WRAPPED[1]))
    ),
)
EXAMPLES: tuple[OwnBody, ...] = (
    DeviceInfo("notebook", PROOF, 7, Occasion.ENTERED),
    ReadMarks(((ROOM, 5), (b"s" * 16, 2**40))),
    RoomTitles(((ROOM, "plans", "what to do"), (b"s" * 16, "", ""))),
    Consents(((ROOM, True), (b"s" * 16, False))),
    KnownIdentities((("bob", b"f" * 32, True), ("d\u00f3ra", b"g" * 32, False))),
    IgnoredPeople((("bob", True), ("carol", False))),
    SealedIdentity(7, b"c" * 32, b"sealed", (WRAPPED,)),
)


class OwnBodyTests(SynchronousTestCase):
    """Bodies of the type OWN."""

    def test_all_kinds(self) -> None:
        """There is an example of each."""
        self.assertEqual([type(each) for each in EXAMPLES], list(OWN_BODIES))

    @given(BODIES)
    @settings(max_examples=300, deadline=None)
    def test_and_back(self, body: OwnBody) -> None:
        """What was encoded is read as it was, by way of the content's type."""
        ctype, data = encode_body(body)
        self.assertEqual((ctype, decode_body(ctype, data)), (ContentType.OWN, body))

    def test_bytes(self) -> None:
        """The fields stand as docs/rooms.rst has them."""
        self.assertEqual(
            EXAMPLES[0].encode().hex(), "0108" + b"notebook".hex() + "0326" + PROOF.hex() + "000000000000000701"
        )
        self.assertEqual(EXAMPLES[1].encode()[:27].hex(), "020030" + "72" * 16 + "0000000000000005")
        self.assertEqual(EXAMPLES[3].encode().hex(), "040022" + "72" * 16 + "01" + "73" * 16 + "00")
        self.assertEqual(EXAMPLES[5].encode().hex(), "06000c03626f6201056361726f6c00")

    def test_broken(self) -> None:
        """A broken copy is refused, or is another body with that one encoding."""
        for body in EXAMPLES:
            refused = 0
            for data in mutations(body.encode(), f"own {type(body).__name__}", MUTATIONS // 5):
                try:
                    again = decode_own(data)
                except Reject:
                    refused += 1
                else:
                    self.assertEqual(again.encode(), data, "two encodings of one body")
            self.assertTrue(refused)

    def test_refused(self) -> None:
        """Kinds, flags, numbers, names and lengths that there are not."""
        info = EXAMPLES[0].encode()
        for data in (
            b"",
            b"\x00",
            b"\x08",
            info + b"x",
            info[:-1] + b"\x03",
            info[:10] + b"\x03\x25" + info[13:],
            info[:-9] + b"\xff" * 8 + b"\x00",
            b"\x01\x02\xc3\x28" + info[10:],
            b"\x02\x00\x18" + ROOM + b"\x80" + bytes(7),
            b"\x05\x00\x22" + b"\x00" + bytes(33),
        ):
            self.assertRaises(Reject, decode_own, data)
        self.assertRaises(Reject, DeviceInfo, "n" * 65)
        self.assertRaises(Reject, DeviceInfo, "u\u0308")
        self.assertRaises(Reject, DeviceInfo, "n", b"p" * (PROOF_BYTES - 1))
        self.assertRaises(Reject, RoomTitles, ((ROOM, "n" * 65, ""),))
        self.assertRaises(Reject, SealedIdentity, 0, bytes(32), b"", ((ROOM, b"w"),))
        DeviceInfo("n" * 64)
