"""The leaves of the server's log in memory, and the facts that they say. See docs/protocol.rst 9."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from chatserv.commands.effects import Effects
from chatserv.commands.waiting import Waiting
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.log_leaves import LEAF_BYTES, ZEROS, Leaf, LeafType
from chatserv.crypto.merkle import HASH_BYTES, Frontier, leaf_hash
from chatserv.errors import Draining, ReadOnly, Reject, WireError
from chatserv.failpoints import failpoint
from chatserv.ports import Store

RETRY_SECONDS: Final = 1.0  # after something that was refused
WAIT_SECONDS: Final = 5.0  # of who only has to hear how far others have come


class LeafLog(ABC):
    """The log, as far as it is here.

    Args:
        server_id: What the server is called by, 32 bytes.
        effects: Timers, promises.
        store: Has what is signed behind leaves.

    Attributes:
        facts: What the leaves say.
        endings: So long the log is up to the last leaf that ends a room. Who comes in has to see that leaf, as the room is
            not there for them any more.
        over: Why this is no copy of the log any more, and nothing of it is told; empty: it is.
    """

    def __init__(self, server_id: bytes, effects: Effects, store: Store) -> None:
        self._effects, self._store = effects, store
        self.facts = LogFacts(server_id)
        self.endings = 0
        self.over = ""
        self._leaves = bytearray()
        self._frontier = Frontier()
        self._roots = bytearray(self._frontier.root)  # by size, from 0 on
        self._vouched: list[bytes] = []
        self._coming: list[bytes] = []  # behind a new identity of which it is read who has signed it; all are kept then
        self._deciding = False
        self._here = Waiting[int](effects, "log: leaves")

    @abstractmethod
    def _grown(self) -> None:
        """There are more leaves, or as many."""

    @property
    def size(self) -> int:
        """How many leaves there are, covered by a head or not."""
        return self.facts.size

    @property
    def server_id(self) -> bytes:
        """What the server is called by, 32 bytes."""
        return self.facts.server_id

    def take_in(self, leaves: Iterable[bytes]) -> None:
        """Takes leaves (105 bytes each) as the store has them, without a signature."""
        for leaf in leaves:
            self.facts.append(said := Leaf.decode(leaf))
            if said.kind is LeafType.ROOM and said.statement == ZEROS:
                self.endings = self.size
            if leaf in self._vouched:
                for rotation in self.facts.undecided(self.size):
                    if rotation.new.index == self.size - 1:
                        self.facts.decide(rotation, signed=True)
            self._leaves += leaf
            self._frontier = self._frontier.append(leaf_hash(leaf))
            self._roots += self._frontier.root

    def take(self, first: int, leaves: Sequence[bytes]) -> None:
        """Takes leaves that are stored, whoever has stored them, the first with index ``first``: all in their order.

        What is signed behind a new identity is read before it counts, unless it is `vouched` for. Where there is a hole, or
        they break the rules of the log, nothing is written any more.
        """
        due = self.size + len(self._coming)
        if first != due:
            self._give_up(f"leaf {first} of the log came after {due}")
        failpoint("log.taking")
        if not self.over:
            self._coming += leaves
        if not self._deciding:
            self._take_what_came()

    def _take_what_came(self) -> None:
        coming, self._coming = self._coming, []
        for at, leaf in enumerate(coming):
            if leaf[0] == LeafType.ROTATE and leaf not in self._vouched:
                self._coming, self._deciding = coming[at:], True
                self._effects.spawn(self._decide(leaf))
                break
            try:
                self.take_in([leaf])
            except Reject as error:
                self._give_up(f"leaf {self.size} of the log breaks its rules: {error.detail}")
                break
        self._here.reached(self.size)
        self._grown()

    async def _decide(self, leaf: bytes) -> None:
        """Takes an identity that its owner has signed, and what came after it; a start does the same with the whole log."""
        try:
            rotation = self.facts.rotation(Leaf.decode(leaf))
            new, old = [await self._store.statement(each.index) or b"" for each in (rotation.new, rotation.old)]
            rotation.verify(new, old)
        except Reject:
            self._give_up(f"leaf {self.size} of the log is a new identity that its owner has not signed")
        except (Draining, ReadOnly):
            pass  # this server is at its end
        except WireError:
            self._effects.later(RETRY_SECONDS, partial(self._decide_again, leaf))
        else:
            self._deciding = False
            with self.vouched(leaf):
                self._take_what_came()

    def _decide_again(self, leaf: bytes) -> None:
        self._effects.spawn(self._decide(leaf))

    def _give_up(self, reason: str) -> None:
        self.over = self.over or reason
        self._store.give_up(reason)

    def _require(self) -> None:
        """Raises `ReadOnly` where this is no copy of the log any more."""
        if self.over:
            raise ReadOnly(self.over)

    async def reached(self, size: int) -> None:
        """Answers when the first ``size`` leaves, which the store has, are here.

        Raises:
            Busy: That takes too long.
            ReadOnly: This is no copy of the log any more.
        """
        self._require()
        if self.size < size:
            await self._here.until(size, WAIT_SECONDS)

    @contextmanager
    def vouched(self, leaf: bytes) -> Iterator[None]:
        """While this lasts, this leaf of type 4 may come; both identities have signed what is behind it."""
        self._vouched.append(leaf)
        try:
            yield
        finally:
            self._vouched.remove(leaf)

    def root_at(self, size: int) -> bytes | None:
        """The root over the first ``size`` leaves, 32 bytes; None where there are not so many."""
        if not 0 <= size <= self.size:
            return None
        return bytes(self._roots[size * HASH_BYTES : (size + 1) * HASH_BYTES])

    def root_with(self, hashes: Iterable[bytes]) -> bytes:
        """The root that the log would have with further leaves, by their hashes."""
        return self._frontier.extend(hashes).root

    def leaves(self, first: int, end: int) -> bytes:
        """The leaves from index ``first`` to before ``end``, one after the other."""
        return bytes(self._leaves[first * LEAF_BYTES : end * LEAF_BYTES])

    def knows_commit(self, commit_hash: bytes) -> bool:
        """Whether a leaf of type 8 names this commit (its hash, 32 bytes)."""
        at = self._leaves.find(commit_hash)
        while at >= 0:
            if at % LEAF_BYTES == LEAF_BYTES - HASH_BYTES and self._leaves[at - at % LEAF_BYTES] == LeafType.ROOM:
                return True
            at = self._leaves.find(commit_hash, at + 1)
        return False

    def ended(self, room_id: bytes) -> int:
        """How long the log is up to the leaf that says to all that the room has ended; 0: it does not."""
        endings = self.facts.endings(room_id, self.size)
        return endings[-1].index + 1 if endings else 0
