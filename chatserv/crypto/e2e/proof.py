"""A message that can be shown to a third person later: what its sender signed, and by which device (docs/rooms.rst 7.5).

The signature is over the plaintext, so whoever shares a history can leave something out and forge nothing. No key of a
chain is needed for it, and none is kept.
"""

from typing import Final

from chatserv.crypto.content import Content
from chatserv.crypto.e2e.message import CONTENT_BYTES_MAX, SIGNATURE_BYTES, verify_content
from chatserv.crypto.encoding import Reader, v32
from chatserv.crypto.envelope import HEADER_BYTES, Header
from chatserv.crypto.statements import DeviceFacts
from chatserv.crypto.suite import same
from chatserv.discreet import Discreet
from chatserv.errors import Reject

HASH_BYTES: Final = 32


class Proof(Discreet, frozen=True):
    """One entry of a history.

    Attributes:
        header: The envelope's clear head.
        commit_hash: Of the epoch that it was said in, 32 bytes.
        content: The encoded `Content`, byte for byte as it was signed.
        signature: Of the sender's device, 64 bytes.
        cert_hash: Of that device's certificate, 32 bytes.
    """

    shown = ("header", "commit_hash", "cert_hash")

    header: Header
    commit_hash: bytes
    content: bytes
    signature: bytes
    cert_hash: bytes

    def encode(self) -> bytes:
        """``Header; commit_hash[32]; Content<V32>; sig[64]; cert_hash[32]``."""
        return self.header.encode() + self.commit_hash + v32(self.content) + self.signature + self.cert_hash

    @classmethod
    def decode(cls, data: bytes) -> "Proof":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "proof")
        header, commit_hash = Header.decode(reader.take(HEADER_BYTES)), reader.take(HASH_BYTES)
        content = reader.v32()
        if len(content) > CONTENT_BYTES_MAX:
            raise Reject(f"proof: a content of {len(content)} bytes")
        proof = cls(header, commit_hash, content, reader.take(SIGNATURE_BYTES), reader.take(HASH_BYTES))
        reader.end()
        return proof

    def verify(self, room_id: bytes, cert_hash: bytes, device: DeviceFacts) -> Content:
        """What was said, if ``device`` has signed it for this room.

        That the certificate is genuine, and whose name the log gives it, is for the caller to know.

        Args:
            room_id: 16 bytes.
            cert_hash: The certificate's.
            device: What that certificate says.

        Raises:
            Reject: It is of another room or device, the signature is not the device's, or the content does not parse.
        """
        if self.header.room_id != room_id:
            raise Reject("proof: of another room")
        if not same(self.cert_hash, cert_hash):
            raise Reject("proof: of another device")
        verify_content(self.content, self.header, self.commit_hash, self.signature, device.ed25519)
        return Content.decode(self.content)
