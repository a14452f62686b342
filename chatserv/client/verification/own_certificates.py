"""Devices of our own account in the log: those that this one knows, those that are new, and those that nobody has signed."""

from collections.abc import Callable
from types import TracebackType
from typing import Final

from chatserv.client.events import DeviceSeen
from chatserv.client.state.context import ClientContext
from chatserv.client.verification.certificates import Certificates, FalseKey

KNOWN: Final = "own certificates"  # their hashes, one after the other
ARRIVED: Final = "own certificates to come"  # this device is new: whatever is there before it is no news
APPROVED: Final = (
    "approved "  # and the id, in hexadecimal, of a device that was approved on this one, as the value says
)
WITH_IDENTITY: Final = b"1"
WITHOUT_IDENTITY: Final = b"0"
_HASH_BYTES: Final = 32


class OwnCertificates:
    """Tells of devices that come into our account.

    One that our identity has certified is told once: it may have been us, elsewhere. One that it has not is the server's
    invention.

    Args:
        context: What the client's parts share.
        certificates: Fetches those of our devices.
        invented: Told of a certificate's hash that stands in the log without our identity's signature.
    """

    def __init__(self, context: ClientContext, certificates: Certificates, invented: Callable[[bytes], object]) -> None:
        self._context, self._certificates, self._invented = context, certificates, invented
        self._looking = False

    def known(self) -> set[bytes]:
        """The hashes of the certificates of our devices that this one knows of."""
        kept = self._context.vault.facts.get(KNOWN) or b""
        return {self._context.cert_hash, *(kept[at : at + _HASH_BYTES] for at in range(0, len(kept), _HASH_BYTES))}

    def look(self) -> None:
        """The log may have grown."""
        if not self._looking and self._unknown():
            self._looking = True
            self._context.spawn(self._check(), "own devices")

    def _unknown(self) -> list[bytes]:
        log = self._context.log
        if self._context.cert_hash not in log.facts.certificates(self._context.user, log.size):
            return []  # not yet there ourselves: what is before us will be
        return list(log.own_devices_unknown(self._context.user, self.known()))

    async def _check(self) -> None:
        context, told = self._context, set[bytes]()
        try:
            while unknown := [each for each in self._unknown() if each not in told]:
                told |= {cert_hash for cert_hash in unknown if not await self._take(cert_hash)}
        finally:
            self._looking = False
        if context.vault.facts.get(ARRIVED) is not None:
            context.vault.facts.delete(ARRIVED)

    async def _take(self, cert_hash: bytes) -> bool:
        """Takes a device for one of ours, if it is."""
        context, log = self._context, self._context.log
        try:
            await self._certificates.fetch([cert_hash])
        except FalseKey:
            self._invented(cert_hash)
            return False
        device = self._certificates.known[cert_hash]
        if not log.facts.certificate_valid(device, cert_hash, log.size):
            self._invented(cert_hash)
            return False
        facts = context.vault.facts
        facts.put(KNOWN, (facts.get(KNOWN) or b"") + cert_hash)
        approved = facts.get(APPROVED + device.device_id.hex()) is not None
        if not approved and facts.get(ARRIVED) is None:
            context.emit(DeviceSeen(context.user, device.device_id))
        return True


class Ending:
    """Whether we end this device ourselves, in a ``with`` block: then its end, which the log may tell first, is no news."""

    ours = False

    def __enter__(self) -> None:
        self.ours = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ours = kind is None
