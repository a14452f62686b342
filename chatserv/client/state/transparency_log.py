"""The client's copy of the server's log: every leaf, checked against what the server signs.

See docs/rooms.rst 8.2, auditor.

Nothing is stored or believed that the root of a signed head does not confirm. A server that shows two logs, or one that
breaks the rules of logs, is found here: `LogForked`.
"""

from collections.abc import Collection
from typing import Final

from chatserv.client.state.server_keys import damaged, keep_server_key, load_server_keys
from chatserv.client.storage.facts import Facts
from chatserv.client.storage.log import LogTable
from chatserv.crypto.identities import Rotation
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.log_leaves import LEAF_BYTES, Leaf, TreeHead
from chatserv.crypto.merkle import EMPTY_ROOT, Frontier, leaf_hash
from chatserv.crypto.suite import same
from chatserv.errors import BadKey, Reject
from chatserv.i18n import N_

MAX_PENDING: Final = 1_000_000  # leaves that wait for the head that confirms them, some 250 MB
HEAD_AGE_MS_MAX: Final = 24 * 3_600_000
NEWEST_HEAD: Final = "log head"
ROTATION: Final = "rotation {index}"


class LogForked(Reject):
    """The server signed two logs that cannot both be, or a log that breaks the rules: alarm, and nothing is sent any more.

    Args:
        detail: What does not fit.
        ours: The newest signed head that our copy agrees with, 432 bytes, if there is one.
        theirs: The signed head that does not fit.
    """

    text = N_(
        "The server shows different things to different people. Do not trust it until its operator has explained this."
    )

    def __init__(self, detail: str, ours: bytes | None = None, theirs: bytes | None = None) -> None:
        super().__init__(detail)
        self.ours = ours
        self.theirs = theirs


class LogWithheld(BadKey):
    """The server does not give a part of its log that it has spoken of."""

    text = N_("The server withholds a part of its log. News about keys may be missing: ask whoever runs the server.")


class TransparencyLog:
    """Leaves, roots at each size, and the table of facts that follows from them.

    Args:
        server_id: SHA-256 of the server's first SPKI, 32 bytes: the pin.
        table: The leaves that were confirmed.
        facts: Where the server's keys and the newest head are remembered.
        required: A key that the server has to have come to by now, 32 bytes; empty: none (`ServerKeys`).

    Attributes:
        keys: The server's, as far as they are known. A session may follow to newer ones.

    Raises:
        StorageError: What is stored does not fit together.
    """

    def __init__(self, server_id: bytes, table: LogTable, facts: Facts, required: bytes = b"") -> None:
        self._server_id, self._required = server_id, required
        self._table = table
        self._remembered = facts
        self.keys = load_server_keys(self._remembered, self._server_id, self._required)
        self._pending: list[tuple[bytes, bytes]] = []
        self._pending_frontier = self._frontier = Frontier()
        self._load()

    def reload(self) -> None:
        """Back to what is stored. Raises `StorageError`."""
        self.keys = load_server_keys(self._remembered, self._server_id, self._required)
        self._load()

    def _load(self) -> None:
        """Reads what was confirmed when it was stored; the newest root proves that all leaves are there."""
        stored = self._table.load()
        frontier = Frontier().extend(leaf_hash(leaf) for leaf, _ in stored)
        self._roots = [root for _, root in stored]
        try:
            self._facts = LogFacts(self._server_id, (Leaf.decode(leaf) for leaf, _ in stored))
        except Reject as error:
            raise damaged(error.detail) from None
        for rotation in self._facts.undecided(self.size):
            verdict = self._remembered.get(ROTATION.format(index=rotation.new.index))
            if verdict is not None:
                self._facts.decide(rotation, signed=bool(verdict))
        if frontier.root != (self._roots[-1] if stored else EMPTY_ROOT):
            raise damaged("leaves and root do not fit")
        self._frontier = frontier
        self._forget_pending()
        self._head: TreeHead | None = None
        self._signed_head: bytes | None = None
        signed = self._remembered.get(NEWEST_HEAD)
        if signed is None:
            return
        try:
            head = self.verified(signed)
        except Reject as error:
            raise damaged(error.detail) from None
        if head.size > self.size:
            raise damaged("leaves are missing")
        self._keep_head(signed, head)

    # -- what is known -------------------------------------------------------------------------------------------------

    @property
    def facts(self) -> LogFacts:
        """The table of facts at the size of the copy. To be asked for anew each time."""
        return self._facts

    @property
    def size(self) -> int:
        """How many leaves are confirmed."""
        return len(self._roots)

    @property
    def head(self) -> TreeHead | None:
        """The newest signed head that the copy agrees with, or None before there was one."""
        return self._head

    @property
    def signed_head(self) -> bytes | None:
        """The same as the server signed it, 432 bytes: evidence."""
        return self._signed_head

    def leaves_from(self, index: int, limit: int) -> list[Leaf]:
        """Up to ``limit`` confirmed leaves from an index on, in order."""
        return [Leaf.decode(leaf) for leaf in self._table.leaves_from(index, limit)]

    def leaf_hashes(self) -> list[bytes]:
        """The hashes of all confirmed leaves, 32 bytes each, for proofs about the log."""
        return [leaf_hash(leaf) for leaf, _ in self._table.load()]

    def root_at(self, size: int) -> bytes | None:
        """The root of the log's first ``size`` leaves, or None where the copy does not go that far."""
        if size == 0:
            return EMPTY_ROOT
        return self._roots[size - 1] if 0 < size <= self.size else None

    def check_gossip(self, size: int, root: bytes) -> bool | None:
        """Whether somebody else's view of the log is ours; None where the copy does not go that far yet."""
        known = self.root_at(size)
        return None if known is None else same(known, root)

    def too_old(self, now_ms: int) -> bool:
        """Whether the newest head is older than a day: somebody may be holding news back."""
        return self._head is None or now_ms - self._head.at_ms > HEAD_AGE_MS_MAX

    def own_devices_unknown(self, user: str, known_cert_hashes: Collection[bytes]) -> tuple[bytes, ...]:
        """The certificates that stand for ``user`` and are none of the known ones: somebody added a device."""
        standing = self._facts.certificates(user, self.size)
        return tuple(cert_hash for cert_hash in standing if cert_hash not in known_cert_hashes)

    def decide(self, rotation: Rotation, *, signed: bool) -> None:
        """Remembers whether a rotation in the log is signed by both identities."""
        self._remembered.put(ROTATION.format(index=rotation.new.index), b"signed" if signed else b"")
        self._facts.decide(rotation, signed=signed)

    # -- what comes ----------------------------------------------------------------------------------------------------

    def set_server_key(self, spki: bytes) -> bool:
        """Takes the server's key (RSA-3072, DER), and remembers it and what led to it.

        Returns:
            Whether it is another one than was remembered: the one before has signed it.

        Raises:
            PinMismatch: It is not the newest of ours.
        """
        return keep_server_key(self._remembered, self.keys, spki)

    @property
    def names_our_key(self) -> bool:
        """Whether the newest server key of the log is the newest that we know; a log that names none has the first."""
        return (self._server_id, *self._facts.server_ids(self.size))[-1] == self.keys.key_id

    def verified(self, signed: bytes) -> TreeHead:
        """What a signed head says, 432 bytes, whoever brings it; it may be of more of the log than we have.

        Raises:
            Reject: It is not signed by the server.
            LogForked: It has another root than our copy at its size.
        """
        head = self.keys.verify_head(signed)
        if self.check_gossip(head.size, head.root) is False:
            raise self._forked(f"two roots at size {head.size}", signed)
        return head

    def missing(self, head: bytes) -> int:
        """How many leaves are still to be fetched before a signed head can be believed; 0 where it is.

        Raises:
            Reject: It is not signed by the server.
            LogForked: It has another root than our copy at its size.
        """
        return max(0, self.verified(head).size - self.next_index)

    @property
    def next_index(self) -> int:
        """The index of the leaf to be fetched next: after the confirmed ones and those that wait for a head."""
        return self.size + len(self._pending)

    def extend(self, leaves: bytes, head: bytes, after: int | None = None) -> int:
        """Takes leaves that follow ours, and a signed head.

        Leaves up to a size below the head's are kept in memory only, until a head confirms them; what goes beyond the head
        is left out.

        Args:
            leaves: Any number of leaves, 105 bytes each; none to check a head alone.
            head: The ``STH``, 432 bytes.
            after: The index of the first leaf, if that is not `next_index`. Leaves that are there already are left out;
                where some are between, none is taken.

        Returns:
            How many leaves are confirmed now that were not before.

        Raises:
            Reject: The head is not signed by the server, the leaves are no leaves, or too many wait for their head.
            LogForked: See there.
            StorageError: They could not be stored; all is as before.
        """
        if self._table.count() != self.size:  # a transaction around an earlier call was undone
            self._load()
        new_head = self.verified(head)
        self._take(leaves, new_head, self.next_index if after is None else after)
        if not self.size < new_head.size <= self.next_index:
            if new_head.size <= self.size:
                self._keep_head(head, new_head, remember=True)
            return 0
        count = new_head.size - self.size
        if not same(self._pending[count - 1][1], new_head.root):
            self._forget_pending()
            raise self._forked("the leaves do not give the signed root", head)
        return self._confirm(count, head, new_head)

    def _take(self, leaves: bytes, head: TreeHead, first: int) -> None:
        """Puts those leaves in line that come next and that the head covers."""
        if len(leaves) % LEAF_BYTES:
            raise Reject(f"log: {len(leaves)} bytes are no leaves")
        known = self.next_index - first
        if known < 0:
            return
        end = max(0, head.size - first)
        for index in range(known, min(end, len(leaves) // LEAF_BYTES)):
            if len(self._pending) >= MAX_PENDING:
                self._forget_pending()
                raise Reject(f"log: more than {MAX_PENDING} leaves that no head confirms")
            leaf = leaves[index * LEAF_BYTES : (index + 1) * LEAF_BYTES]
            self._pending_frontier = self._pending_frontier.append(leaf_hash(leaf))
            self._pending.append((leaf, self._pending_frontier.root))

    def _confirm(self, count: int, signed: bytes, head: TreeHead) -> int:
        """Believes and stores the first ``count`` leaves in line: their root is the head's."""
        confirmed = self._pending[:count]
        try:
            with self._table.transaction():
                for leaf, _ in confirmed:
                    self._facts.append(Leaf.decode(leaf))
                self._table.append(confirmed)
                self._remembered.put(NEWEST_HEAD, signed)
        except Reject as error:
            self._load()
            raise self._forked(error.detail, signed) from None
        except BaseException:
            self._load()
            raise
        self._roots += [root for _, root in confirmed]
        self._frontier = self._frontier.extend(leaf_hash(leaf) for leaf, _ in confirmed)
        del self._pending[:count]
        self._keep_head(signed, head)
        return count

    def _keep_head(self, signed: bytes, head: TreeHead, *, remember: bool = False) -> None:
        if self._head is not None and (head.size, head.at_ms) <= (self._head.size, self._head.at_ms):
            return
        if remember:
            self._remembered.put(NEWEST_HEAD, signed)
        self._head, self._signed_head = head, signed

    def _forget_pending(self) -> None:
        self._pending = []
        self._pending_frontier = self._frontier

    def _forked(self, detail: str, theirs: bytes) -> LogForked:
        return LogForked(f"log: {detail}", self._signed_head, theirs)
