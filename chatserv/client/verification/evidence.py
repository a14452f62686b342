"""Evidence against the server as a file that others can check (docs/rooms.rst 8.4)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from chatserv.client.connection.requests import Requests
from chatserv.client.state.context import ClientContext, log
from chatserv.crypto.log_evidence import MAX_EVIDENCE_BYTES, Evidence, Finding, Verdict
from chatserv.crypto.log_leaves import LEAF_BYTES
from chatserv.crypto.merkle import leaf_hash
from chatserv.crypto.suite import sha256
from chatserv.errors import Reject
from chatserv.private_files import PrivateFileError, write_private
from chatserv.wire import messages

MAX_FILES: Final = 8  # in a profile
MAX_GATHERED: Final = 200_000  # leaves of the other log; they are in memory for a moment
NAME: Final = "evidence-{hash}.json"
_DIGITS: Final = 16
_FILE: Final = "evidence file"
__all__ = ["MAX_EVIDENCE_BYTES", "EvidenceFiles", "Finding", "Verdict", "check_evidence"]


def check_evidence(data: bytes) -> Finding:
    """What the bytes of an evidence file come to, for whoever trusts neither the server nor who shows it.

    Raises:
        Reject: It is none, or something in it is forged; the detail says what.
    """
    return Evidence.decode(data).judge()


class EvidenceFiles:
    """The files of a profile, mode 0600. There are no secrets in them: they are made to be shown.

    Args:
        context: What the client's parts share.
        requests: Fetches the other log.
    """

    def __init__(self, context: ClientContext, requests: Requests) -> None:
        self._context, self._requests = context, requests
        self._gathering = False

    def keep(self, ours: bytes, theirs: bytes, leaves: Sequence[bytes] | None = None) -> bool:
        """Writes two signed heads that cannot be of one log, and remembers the file.

        Args:
            ours: A head, 432 bytes.
            theirs: Another.
            leaves: The leaf hashes that one of them is the head of; by default those of our copy.

        Returns:
            Whether they are proven not to fit: else there is no file.
        """
        directory, keys = self._context.directory, self._context.log.keys
        spki = keys.first_spki
        if directory is None or spki is None:
            return False
        known = self._context.log.leaf_hashes() if leaves is None else leaves
        evidence = Evidence.make(spki, (ours, theirs), known, keys.rotations)
        try:
            if not evidence.judge().verdict.proves:
                return False
        except Reject:
            return False
        data = evidence.encode()
        path = directory / NAME.format(hash=sha256(data).hex()[:_DIGITS])
        try:
            if len(list(directory.glob(NAME.format(hash="*")))) < MAX_FILES:
                write_private(path, data)
                self._context.vault.facts.put(_FILE, path.name.encode())
        except PrivateFileError as error:  # the alarm comes all the same, and the heads are in the database
            log.warn("the evidence cannot be written: {detail}", detail=error.detail)
        return True

    def gather_soon(self, found: Callable[[bytes, bytes], None]) -> None:
        """Where only we have seen that there are two logs, asks for the other one: its leaves are what others can check.

        Args:
            found: Given both heads, once in a run, when there is a file.
        """
        if not self._gathering and self.path is None and self._requests.connected:
            self._gathering = True
            self._context.spawn(self._gather(found), "evidence")

    async def _gather(self, found: Callable[[bytes, bytes], None]) -> None:
        """Gets what the server shows as its whole log now, from the first leaf on, and holds it against what we have."""
        ours, hashes = self._context.log.signed_head, list[bytes]()
        if ours is None:
            return
        while True:
            page = await self._requests.expect(messages.LogPage, messages.GetLog, after=len(hashes))
            size = self._context.log.keys.verify_head(page.head).size
            leaves = page.leaves[: (size - len(hashes)) * LEAF_BYTES]
            hashes += [leaf_hash(leaves[at : at + LEAF_BYTES]) for at in range(0, len(leaves), LEAF_BYTES)]
            if not leaves or len(hashes) > MAX_GATHERED:
                return
            if len(hashes) == size:
                break
        if self.keep(ours, page.head, hashes) and self.path is not None:
            found(ours, page.head)

    @property
    def path(self) -> Path | None:
        """The file that was written, as long as it is there."""
        directory, name = self._context.directory, self._context.vault.facts.get(_FILE)
        if directory is None or name is None:
            return None
        path = directory / name.decode()
        return path if path.is_file() else None
