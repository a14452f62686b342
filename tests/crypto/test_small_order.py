"""Signature keys under which anybody can sign: the points of the curve whose order divides 8."""

from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric import ed25519
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.encoding import v16
from chatserv.crypto.statements import verify_certificate
from chatserv.crypto.suite import ed_public_ok, pss_sign, to_sign
from chatserv.errors import Reject
from tests.support.sessions import ALICE, rsa_key, server_id

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]
NEUTRAL: Point = (0, 1)


def add(one: Point, other: Point) -> Point:
    """The sum of two points of the twisted Edwards curve (RFC 8032 section 5.1.4, in affine coordinates)."""
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P)
    return x % P, y % P


def multiply(count: int, point: Point) -> Point:
    """``count`` times a point."""
    result = NEUTRAL
    while count:
        if count & 1:
            result = add(result, point)
        point, count = add(point, point), count >> 1
    return result


def on_curve(y: int) -> Point | None:
    """A point with this y, if there is one (RFC 8032 section 5.1.3)."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    return (x, y) if x * x % P == square else None


def small_order_points() -> set[Point]:
    """The eight points of order 1, 2, 4 or 8: any point, times the group's large prime order, until one has order 8."""
    prime = 2**252 + 27742317777372353535851937790883648493
    for y in range(2, 100):
        point = on_curve(y)
        if point is None:
            continue
        generator = multiply(prime, point)
        if multiply(4, generator) != NEUTRAL:
            return {multiply(count, generator) for count in range(8)}
    raise AssertionError("no point of order 8")


def encodings(point: Point) -> Iterator[bytes]:
    """All that can stand for the point: y also where it is not reduced, and both signs, as parsers differ about x = 0."""
    for y in {point[1], point[1] + P}:
        if y < 2**255:
            for sign in (0, 1):
                yield (y | sign << 255).to_bytes(32, "little")


class SmallOrderTests(SynchronousTestCase):
    """Keys of small order."""

    def test_all_points(self) -> None:
        """There are eight such points, and each of their encodings is known for what it is."""
        points = small_order_points()
        self.assertEqual(len(points), 8)
        for point in points:
            self.assertEqual(multiply(8, point), NEUTRAL)
            for public in encodings(point):
                self.assertFalse(ed_public_ok(public), public.hex())

    def test_refused(self) -> None:
        """A certificate with such a key is refused, even with a signature that the library finds right under it."""
        for point in small_order_points():
            for public in encodings(point):
                tbs = replace(ALICE.facts, ed25519=public).encode()
                signature = pss_sign(rsa_key("identity of alice"), to_sign("device cert", tbs))
                certificate = v16(tbs) + signature + public + bytes(32)
                error = self.assertRaises(Reject, verify_certificate, certificate, ALICE.identity_spki, server_id())
                self.assertEqual(error.detail, "device certificate: unusable signature key")

    def test_why(self) -> None:
        """Under the neutral point one signature holds for everything: the library itself does not refuse it."""
        neutral = (1).to_bytes(32, "little")
        for message in (b"one", b"other"):
            ed25519.Ed25519PublicKey.from_public_bytes(neutral).verify(neutral + bytes(32), message)

    def test_honest_keys(self) -> None:
        """Keys that somebody made are fine."""
        verify_certificate(ALICE.certificate, ALICE.identity_spki, server_id())
        for number in range(200):
            key = ed25519.Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))
            self.assertTrue(ed_public_ok(key.public_key().public_bytes_raw()))
