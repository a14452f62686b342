"""Certificates of other devices: fetched once, verified, and kept (docs/rooms.rst 3.2).

A certificate here is genuine; whether it is valid at a size of the log is for `chatserv.crypto.log_facts` to say.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from chatserv.client.connection.requests import Requests
from chatserv.client.state.context import ClientContext
from chatserv.crypto.e2e.wrap import Recipient
from chatserv.crypto.statements import DeviceFacts, certificate_facts, verify_certificate
from chatserv.crypto.suite import sha256
from chatserv.errors import BadKey, Reject
from chatserv.i18n import N_
from chatserv.wire import messages

if TYPE_CHECKING:
    from chatserv.client.storage.certificates import StoredCertificate


class FalseKey(BadKey):
    """The server gives another key than the log or its owner's signature allows, or keeps one back."""

    text = N_(
        "The server gave out a key that its owner has not signed, or held one back. Nobody was added with "
        "it. Ask whoever runs the server."
    )


class NotReady(BadKey):
    """A device has nothing at the server that others could wrap a secret to, or a user has no device there."""

    text = N_(
        "Somebody has no device with keys ready on the server: it has never been online, or its keys have "
        "run out. Try again when they have been online."
    )


class Certificates:
    """All certificates that this client knows.

    Args:
        context: What the client's parts share.
        requests: Fetches.
    """

    def __init__(self, context: ClientContext, requests: Requests) -> None:
        self._context, self._requests = context, requests
        self.known: dict[bytes, DeviceFacts] = {}

    def forget_all(self) -> None:
        """What is stored is asked for anew."""
        self.known.clear()

    def missing(self, hashes: Iterable[bytes]) -> list[bytes]:
        """Those that have to be fetched first."""
        wanted = [each for each in dict.fromkeys(hashes) if each not in self.known]
        if wanted:
            for cert_hash, stored in self._context.vault.certificates.among(wanted).items():
                self.known[cert_hash] = certificate_facts(stored.certificate)
        return [each for each in wanted if each not in self.known]

    def stored(self, cert_hash: bytes) -> "StoredCertificate":
        """A certificate with the key that signed it. Raises `BadKey` where it was never fetched."""
        found = self._context.vault.certificates.get(cert_hash)
        if found is None:
            raise BadKey("certificate: not at hand")
        return found

    def recipient(self, cert_hash: bytes) -> Recipient:
        """The device that a secret can be wrapped to."""
        return Recipient.of(self.stored(cert_hash).certificate)

    async def fetch(self, hashes: Iterable[bytes]) -> None:
        """Makes them known. Raises `FalseKey` where the server does not give one, or one that does not verify."""
        wanted = list(hashes)
        for page in _pages(self.missing(wanted)):
            reply = await self._requests.expect(messages.Certificates, messages.GetCertificates, hashes=tuple(page))
            with self._context.vault.transaction(wait=False):  # whatever is lost by a power failure is fetched again
                for item in reply.items:
                    self._take(item)
        if left := self.missing(wanted):
            raise FalseKey(f"certificate: {len(left)} are withheld")

    def _take(self, item: messages.CertificateItem) -> None:
        cert_hash = sha256(item.certificate)
        try:
            facts = verify_certificate(item.certificate, item.identity_spki, self._context.server_id)
        except Reject as error:
            raise FalseKey(error.detail) from None
        self._context.vault.certificates.put(cert_hash, item.certificate, item.identity_spki)
        self.known[cert_hash] = facts


def _pages(hashes: list[bytes]) -> list[list[bytes]]:
    return [hashes[at : at + messages.KEYS_PAGE] for at in range(0, len(hashes), messages.KEYS_PAGE)]
