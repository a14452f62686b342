"""Offers leaves of the log, and what was signed behind them, to a server that was restored from a backup."""

from collections.abc import Iterator
from contextlib import suppress

from chatserv.client.account.keyring import NoIdentityKey
from chatserv.client.state.context import ClientContext
from chatserv.crypto.log_leaves import Leaf, LeafType
from chatserv.crypto.restored import Restored
from chatserv.crypto.suite import sha256
from chatserv.wire import messages


class LogOffer:
    """What this device has of the log behind the backup.

    Args:
        context: What the client's parts share.
        restored: What the server says of its restore.
    """

    def __init__(self, context: ClientContext, restored: Restored) -> None:
        self._context, self._restored = context, restored

    @property
    def head(self) -> bytes | None:
        """The signed head of our copy; None where that is no longer than the backup's, or of another log."""
        log, size = self._context.log, self._restored.size
        return log.signed_head if log.size > size and log.check_gossip(size, self._restored.root) else None

    def leaves(self, first: int, limit: int) -> bytes:
        """Leaves from an index on."""
        return b"".join(self._context.vault.log.leaves_from(first, limit))

    def statements(self) -> Iterator[tuple[int, bytes]]:
        """What was signed behind leaves since the backup, as far as we have it, by index."""
        vault, first = self._context.vault, self._restored.size
        identities = {sha256(each): each for each in self._identities()}
        while page := vault.log.leaves_from(first, messages.LEAVES_PAGE):
            for index, leaf in enumerate(map(Leaf.decode, page), first):
                found = self._behind(leaf, identities)
                if found is not None:
                    yield index, found
            first += len(page)

    def _behind(self, leaf: Leaf, identities: dict[bytes, bytes]) -> bytes | None:
        if leaf.kind is LeafType.DEVICE:
            if leaf.subject == self._context.cert_hash:
                return self._context.keyring.certificate
            stored = self._context.vault.certificates.get(leaf.subject)
            return None if stored is None else stored.certificate
        if leaf.kind in {LeafType.UIK, LeafType.RESET}:
            return identities.get(leaf.statement)
        return self._context.vault.kept_statements.get(leaf.statement)

    def _identities(self) -> Iterator[bytes]:
        yield from self._context.vault.certificates.identities()
        with suppress(NoIdentityKey):
            yield self._context.keyring.identity_spki()
