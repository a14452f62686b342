"""What a person has let a restored server forget: others still have heads of it, and show them in good faith."""

from typing import Final

from chatserv.client.storage.facts import Facts
from chatserv.crypto.encoding import Reader, u64
from chatserv.crypto.log_leaves import TreeHead
from chatserv.crypto.restored import Restored

ACCEPTED: Final = "restores accepted"
MAX_ACCEPTED: Final = 16  # restores; of older ones nobody shows heads any more
_ENTRY_BYTES: Final = 24


class LostHistory:
    """Tells heads of a log that was lost from heads of a second log.

    Args:
        facts: Where accepted restores are remembered: ``u64 size; u64 end; u64 at_ms`` each, the newest last.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def accept(self, restored: Restored, end: int) -> None:
        """Remembers that what came after the backup is lost; ``end``: how long our copy of the log was."""
        kept = (self._facts.get(ACCEPTED) or b"")[-_ENTRY_BYTES * (MAX_ACCEPTED - 1) :]
        self._facts.put(ACCEPTED, kept + u64(restored.size) + u64(end) + u64(restored.at_ms))

    def has(self, head: TreeHead) -> bool:
        """Whether a signed head is of a lost history: of more than the backup had, and signed before the restore."""
        return any(size < head.size and head.at_ms <= at_ms for size, _, at_ms in self._entries())

    def may_have(self, size: int) -> bool:
        """Whether the word of somebody, which nobody signed, may be about a lost history as long as our copy was."""
        return any(first < size <= end for first, end, _ in self._entries())

    def _entries(self) -> list[tuple[int, int, int]]:
        kept = self._facts.get(ACCEPTED) or b""
        reader = Reader(kept, "restores accepted")
        return [(reader.u64(), reader.u64(), reader.u64()) for _ in range(len(kept) // _ENTRY_BYTES)]
