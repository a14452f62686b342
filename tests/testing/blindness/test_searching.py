"""The search for canaries: what it finds, at every alignment, and that it finds nothing else."""

import base64
import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.passwords import prepared_password
from chatserv.testing.blindness import searching
from chatserv.testing.blindness.canaries import MARK_LETTERS, Canary, Flock
from chatserv.testing.blindness.disguises import disguises
from chatserv.testing.blindness.searching import CUT_OFF, SLACK_BYTES, Find, NotSearched, Searcher

FLOCK = Flock(
    "qwjvkxzmpyhg", (Canary("one", "qwjvkxzmpyhgabcdefghijklmnop"), Canary("two", "qwjvkxzmpyhgponmlkjihgfedcba"))
)
ONE, TWO = (canary.text for canary in FLOCK.canaries)
BEHIND = " is what was said"


def found(data: bytes, chunk_bytes: int = searching.CHUNK_BYTES) -> list[Find]:
    """What the search finds in ``data``."""
    return list(Searcher(FLOCK, chunk_bytes).data(data))


def kinds(data: bytes) -> set[tuple[str, str]]:
    """The same, without where."""
    return {(find.canary, find.encoding) for find in found(data)}


def fixed_deflate(data: bytes) -> bytes:
    """A stream without a header, in one block of the fixed code."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_FIXED)
    return packer.compress(data) + packer.flush()


DISGUISES: dict[str, tuple[str, Callable[[str], bytes]]] = {
    "utf-8": ("utf-8", str.encode),
    "utf-16-le": ("utf-16", lambda text: text.encode("utf-16-le")),
    "utf-16-be": ("utf-16", lambda text: text.encode("utf-16-be")),
    "utf-32-le": ("utf-32", lambda text: text.encode("utf-32-le")),
    "utf-32-be": ("utf-32", lambda text: text.encode("utf-32-be")),
    "base64": ("base64", lambda text: base64.b64encode(text.encode())),
    "url-safe base64": ("base64", lambda text: base64.urlsafe_b64encode(text.encode()).rstrip(b"=")),
    "hex": ("hex", lambda text: text.encode().hex().encode()),
    "HEX": ("HEX", lambda text: text.encode().hex().upper().encode()),
    "deflate": ("deflate", lambda text: fixed_deflate(text.encode())),
    "zlib": ("zlib:utf-8", lambda text: zlib.compress(text.encode())),
    "zlib, stored": ("zlib:utf-8", lambda text: zlib.compress(text.encode(), 0)),
    "zlib, small window": ("zlib:utf-8", lambda text: zlib_small(text.encode())),
    "zlib of utf-16": ("zlib:utf-16", lambda text: zlib.compress(text.encode("utf-16-le") * 3)),
    "gzip": ("zlib:utf-8", lambda text: gzip.compress(text.encode())),
}


def zlib_small(data: bytes) -> bytes:
    """A stream of zlib with a window of 512 bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 9)
    return packer.compress(data) + packer.flush()


class FindingTests(SynchronousTestCase):
    """What is there is found."""

    @settings(deadline=None, max_examples=200)
    @given(
        st.sampled_from(sorted(DISGUISES)),
        st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters=FLOCK.mark), max_size=9),
        st.binary(max_size=40),
        st.binary(max_size=40),
    )
    @example("base64", "é~", b"", b"")
    @example("deflate", "ÿ", b"", b"")
    def test_every_disguise(self, disguise: str, front: str, before: bytes, behind: bytes) -> None:
        """A canary is found and named in every encoding, whatever it stands behind and among."""
        kind, dress = DISGUISES[disguise]
        haystack = before + dress(f"{front}{TWO}{BEHIND}") + behind
        self.assertIn(("two", kind), kinds(haystack))

    def test_alignments(self) -> None:
        """Base64 has three alignments, and the fixed code of deflate eight; each is found."""
        for size in range(9):
            self.assertIn(("one", "base64"), kinds(base64.b64encode(b"-" * size + ONE.encode() + b"-")), size)
        for bits in range(8):  # a literal above 143 has 9 bits, and moves what comes behind it by one
            data = fixed_deflate(bytes(range(200, 200 + bits)) + ONE.encode() + b"-")
            self.assertIn(("one", "deflate"), kinds(data), bits)

    def test_positions(self) -> None:
        """The place in the file is told, and every copy counts."""
        data = b"...." + ONE.encode() + b"." + TWO.encode() + ONE.encode()
        wanted = [("one", 4), ("two", 33), ("one", 61)]
        self.assertEqual([(find.canary, find.offset) for find in found(data)], wanted)

    def test_cut_off(self) -> None:
        """Of a canary that was written over in part, the beginning is enough."""
        self.assertEqual(found(ONE[: MARK_LETTERS + 5].encode()), [Find(CUT_OFF, "utf-8", 0)])

    def test_chunks(self) -> None:
        """Wherever a chunk ends, a canary is found once."""
        for encoding in ("utf-8", "utf-32-le"):
            form = ONE.encode(encoding)
            for at in range(1024 - len(form) - 2, 1024 + 2):
                data = bytes(at) + form + bytes(3000 - at)
                self.assertEqual([(find.canary, find.offset) for find in found(data, 1024)], [("one", at)], at)

    def test_stream_over_chunks(self) -> None:
        """A stream that begins in one chunk and goes on in others is found once."""
        stream = zlib.compress(bytes(range(256)) * 20 + ONE.encode(), 0)
        for at in (900, 1022, 1023, 1024):
            data = bytes(at) + stream + bytes(2000)
            self.assertEqual(len([find for find in found(data, 1024) if find.encoding == "zlib:utf-8"]), 1, at)

    def test_damaged_stream(self) -> None:
        """A stream whose end is missing or written over gives what comes before that."""
        stream = zlib.compress((ONE + BEHIND).encode() + bytes(range(256)) * 2)
        self.assertIn(("one", "zlib:utf-8"), kinds(b"-" + stream[:150]))
        self.assertIn(("one", "zlib:utf-8"), kinds(b"-" + stream[:150] + b"\xff" * 200))

    def test_password(self) -> None:
        """A password is found as it was typed and as keys are derived from it."""
        typed = f"{ONE} cafe\u0301"
        self.assertNotEqual(prepared_password(typed), typed)
        for text in (typed, prepared_password(typed)):
            self.assertEqual(kinds(text.encode()), {("one", "utf-8")})


class NothingElseTests(SynchronousTestCase):
    """What is not there is not found."""

    def test_near_misses(self) -> None:
        """A letter missing or another, other order or case, a gap: none of these is a canary, in no encoding."""
        another = f"{ONE[:5]}a{ONE[6:]}"
        for near in (ONE[3:], another, ONE[::-1], ONE.upper(), f"{ONE[:6]} {ONE[6:]}"):
            for disguise, (_, dress) in DISGUISES.items():
                self.assertEqual(found(dress(f"it {near}{BEHIND}")), [], (near, disguise))

    @settings(deadline=None)
    @given(st.binary(max_size=4000))
    def test_garbage(self, data: bytes) -> None:
        """Any bytes can be searched, and hold nothing."""
        self.assertEqual(found(data, 1000), [])

    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def test_false_streams(self, data: bytes) -> None:
        """What begins like a stream and is none does no harm."""
        self.assertEqual(found(b"\x78\x9c" + data + b"\x1f\x8b\x08" + data), [])


class FileTests(SynchronousTestCase):
    """Files."""

    def setUp(self) -> None:
        """A directory."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def test_files(self) -> None:
        """Several files, empty ones among them, are searched as one place."""
        texts = {"a": ONE, "b": "", "c": f"not {TWO}"}
        for name, text in texts.items():
            (self.directory / name).write_text(text)
        finds = Searcher(FLOCK).files(self.directory.iterdir())
        self.assertEqual(finds, [Find("one", "utf-8", 0), Find("two", "utf-8", 4)])

    def test_holes(self) -> None:
        """A file that is larger than a chunk, and almost empty, is searched to its end."""
        path = self.directory / "sparse"
        with path.open("wb") as file:
            file.seek(2 * searching.CHUNK_BYTES + 77)
            file.write(TWO.encode())
        self.assertEqual(Searcher(FLOCK).file(path), [Find("two", "utf-8", 2 * searching.CHUNK_BYTES + 77)])

    def test_missing(self) -> None:
        """A place that cannot be read counts as not searched, and not as clean."""
        with self.assertRaises(NotSearched):
            Searcher(FLOCK).files([self.directory / "none"])

    def test_bomb(self) -> None:
        """A stream of the most that is inflated is searched; one byte more counts as not searched."""
        with mock.patch("chatserv.testing.blindness.inflating.inflate.__defaults__", (5000,)):
            self.assertEqual(found(zlib.compress(bytes(5000))), [])
            with self.assertRaises(NotSearched):
                found(zlib.compress(bytes(5001)))

    def test_all_bombs(self) -> None:
        """The same holds for all the streams of a place together."""
        data = zlib.compress(bytes(1000)) * 3
        with mock.patch.object(searching, "MAX_INFLATED_BYTES", 3000):
            self.assertEqual(found(data), [])
        with mock.patch.object(searching, "MAX_INFLATED_BYTES", 2999), self.assertRaises(NotSearched):
            found(data)

    def test_slack(self) -> None:
        """No form of a whole canary is longer than what chunks have in common."""
        self.assertLess(max(map(len, disguises(ONE))), SLACK_BYTES)
