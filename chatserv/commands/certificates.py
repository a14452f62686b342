"""What certificates say, by their hashes: a bounded cache over the store."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final

from chatserv.crypto.statements import DeviceFacts, certificate_facts
from chatserv.ports import Store

CHUNK: Final = 200  # certificates in one request to the store


class CertificateCache:
    """Facts of certificates whose signatures were verified when they were stored.

    Args:
        store: Has all certificates.
        most: How many are kept; the one that was asked for longest ago goes first.
    """

    def __init__(self, store: Store, most: int) -> None:
        self._store, self._most = store, most
        self._facts: OrderedDict[bytes, DeviceFacts] = OrderedDict()

    async def get(self, hashes: Iterable[bytes]) -> Mapping[bytes, DeviceFacts]:
        """The facts of those that are known."""
        found: dict[bytes, DeviceFacts] = {}
        missing = []
        for cert_hash in dict.fromkeys(hashes):
            facts = self._facts.get(cert_hash)
            if facts is None:
                missing.append(cert_hash)
            else:
                found[cert_hash] = facts
                self._facts.move_to_end(cert_hash)
        for start in range(0, len(missing), CHUNK):
            for item in await self._store.certificates(missing[start : start + CHUNK]):
                found[item.cert_hash] = self._keep(item.cert_hash, certificate_facts(item.certificate))
        return found

    def _keep(self, cert_hash: bytes, facts: DeviceFacts) -> DeviceFacts:
        self._facts[cert_hash] = facts
        if len(self._facts) > self._most:
            self._facts.popitem(last=False)
        return facts
