"""Certificates of devices that were verified once, with the identity key that verifies them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from chatserv.client.storage.database import Database


@dataclass(frozen=True)
class StoredCertificate:
    """A ``DeviceCert`` and its user's identity key (DER)."""

    cert_hash: bytes
    certificate: bytes = field(repr=False)
    identity_spki: bytes = field(repr=False)


class CertificateTable:
    """Certificates by their hash (32 bytes)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, cert_hash: bytes, certificate: bytes, identity_spki: bytes) -> None:
        """Keeps a certificate; its caller has verified it."""
        values = (cert_hash, certificate, identity_spki)
        self._database.write("INSERT OR REPLACE INTO certificates VALUES (?, ?, ?)", values)

    def get(self, cert_hash: bytes) -> StoredCertificate | None:
        """The certificate with this hash, or None."""
        row = self._database.one("SELECT * FROM certificates WHERE cert_hash = ?", (cert_hash,))
        return None if row is None else StoredCertificate(*row)

    def identities(self) -> list[bytes]:
        """The identity keys (DER) of all of them, each once."""
        return [spki for (spki,) in self._database.all("SELECT DISTINCT identity_spki FROM certificates")]

    def among(self, hashes: Iterable[bytes]) -> dict[bytes, StoredCertificate]:
        """Those of the certificates that are there, by hash."""
        found = (self.get(cert_hash) for cert_hash in dict.fromkeys(hashes))
        return {each.cert_hash: each for each in found if each is not None}
