"""Who has said what, for somebody who was not there: proofs against certificates and the log (docs/rooms.rst 7.5)."""

from dataclasses import dataclass
from typing import Final

from chatserv.crypto.content import Content
from chatserv.crypto.e2e.proof import Proof
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.statements import DeviceFacts, verify_certificate
from chatserv.crypto.suite import sha256
from chatserv.errors import Reject

MAX_CERTIFICATES: Final = 20_000


@dataclass(frozen=True)
class Proven:
    """What a proof shows: ``device`` has signed ``content`` for this place of a room."""

    device: DeviceFacts
    proof: Proof
    content: Content

    @property
    def sender(self) -> str:
        """The user, by the certificate."""
        return self.device.user


class ProofVerifier:
    """Verifies entries of a history. It needs no network and no key.

    Args:
        server_id: The pinned server, 32 bytes.
        facts: Our copy of the server's log.
    """

    def __init__(self, server_id: bytes, facts: LogFacts) -> None:
        self._server_id, self._facts = server_id, facts
        self._devices: dict[bytes, DeviceFacts] = {}

    def learn(self, certificate: bytes, identity_spki: bytes) -> bytes:
        """Takes a certificate that proofs name; gives its hash.

        Raises:
            Reject: It is not genuine, or the log has not certified it for its user under an identity of theirs; or there are
                `MAX_CERTIFICATES` already.
        """
        cert_hash = sha256(certificate)
        if cert_hash not in self._devices:
            if len(self._devices) >= MAX_CERTIFICATES:
                raise Reject(f"history: more than {MAX_CERTIFICATES} certificates")
            device = verify_certificate(certificate, identity_spki, self._server_id)
            if not self._facts.certified(device, cert_hash, self._facts.size):
                raise Reject(f"history: the log has no such device of {device.user}")
            self._devices[cert_hash] = device
        return cert_hash

    def knows(self, cert_hash: bytes) -> bool:
        """Whether the certificate was learnt."""
        return cert_hash in self._devices

    def verify(self, proof: Proof, room_id: bytes) -> Proven:
        """Who said what in this room.

        A device that is revoked by now counts: a signature does not tell when it was made.

        Raises:
            Reject: The certificate was not learnt, it is of another room, or not signed by that device.
        """
        device = self._devices.get(proof.cert_hash)
        if device is None:
            raise Reject("proof: without its certificate")
        return Proven(device, proof, proof.verify(room_id, proof.cert_hash, device))
