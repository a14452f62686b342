"""Tests of `chatserv.crypto.restored`."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.restored import RESTORED_BYTES, Restored, make_restored, restored_to_sign, verify_restored
from chatserv.crypto.suite import pss_sign, rsa_spki, sha256, to_sign
from chatserv.errors import Reject
from tests.support.sessions import rsa_key

SAID = Restored(1_760_000_000_000, 1_760_000_900_000, 42, b"\x11" * 32, b"before 16 bytes.", b"after, 16 bytes.")
SERVER = b"\x22" * 32
ENCODED = bytes.fromhex(
    "00000199c82cc000 00000199c83a7ba0 000000000000002a" + "11" * 32 + b"before 16 bytes.after, 16 bytes.".hex()
)
TO_SIGN = "20" * 64 + b"chatserv1 restored".hex() + "00"
"""Before the hash of ``server_id || ENCODED``."""


class RestoredTests(SynchronousTestCase):
    """What a server says of its restore."""

    def setUp(self) -> None:
        """The server's key."""
        self.key = rsa_key("server")
        self.spki = rsa_spki(self.key.public_key())

    def test_bytes(self) -> None:
        """The encoding, and what is signed, as docs/crypto.rst has them."""
        self.assertEqual(ENCODED, SAID.encode())
        self.assertEqual(SAID, Restored.decode(ENCODED))
        self.assertEqual(bytes.fromhex(TO_SIGN) + sha256(SERVER, ENCODED), restored_to_sign(SAID, SERVER))

    def test_signed(self) -> None:
        """Only the server's key for this server, under this label, is taken; and not a byte may be another."""
        made = make_restored(SAID, self.key, SERVER)
        self.assertEqual(RESTORED_BYTES, len(made))
        self.assertEqual(SAID, verify_restored(made, self.spki, SERVER))
        other = ENCODED + pss_sign(self.key, to_sign("sth", SERVER + ENCODED))
        for bad in (other, made[:-1], made + b"\0", b"", *(flipped(made, at) for at in (0, 20, 60, 87, 88, 400))):
            with self.assertRaises(Reject):
                verify_restored(bad, self.spki, SERVER)
        with self.assertRaises(Reject):
            verify_restored(made, self.spki, b"\x23" * 32)
        with self.assertRaises(Reject):
            verify_restored(made, rsa_spki(rsa_key("another server").public_key()), SERVER)


def flipped(data: bytes, at: int) -> bytes:
    """With one bit of a byte turned."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
