"""The server's transparency log: its leaves, the facts that they say, and the signed head over them.

See docs/protocol.rst 9.

As soon as there are leaves that no head covers, and no signature is under way, one is made; so a burst shares one. What
has to be in the log before it is answered waits in `covered`.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from chatserv.commands.effects import Effects, Promise
from chatserv.config import Limits
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.log_leaves import LEAF_BYTES, Leaf, TreeHead, signed_tree_head, tree_head_to_sign
from chatserv.crypto.merkle import HASH_BYTES, Frontier, leaf_hash
from chatserv.crypto.suite import sha256
from chatserv.errors import Busy
from chatserv.wire import messages
from chatserv.wire.codec import encode_message

RETRY_SECONDS: Final = 1.0  # after a signature that found no place in the queue


class LogKeeper:
    """The log in memory.

    Args:
        server_key: The server's identity key, DER.
        limits: Ages and sizes.
        effects: Clock, timers, promises.
        sign: Signs what `chatserv.crypto.suite.to_sign` made; may raise `Busy`.
        publish: Queues an encoded notice for every session.
    """

    def __init__(
        self,
        server_key: bytes,
        limits: Limits,
        effects: Effects,
        sign: Callable[[bytes], Awaitable[bytes]],
        publish: Callable[[bytes], None],
    ) -> None:
        self._limits, self._effects, self._sign, self._publish = limits, effects, sign, publish
        self.facts = LogFacts(sha256(server_key))
        self._leaves = bytearray()
        self._frontier = Frontier()
        self._roots = bytearray(self._frontier.root)  # by size, from 0 on
        self._head: TreeHead | None = None
        self._signed_head = b""
        self._signing = False
        self._waiting: list[tuple[int, Promise]] = []

    # -- leaves -------------------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """How many leaves there are, covered by a head or not."""
        return self.facts.size

    @property
    def server_id(self) -> bytes:
        """What clients pin, 32 bytes."""
        return self.facts.server_id

    def take_in(self, leaves: Iterable[bytes]) -> None:
        """Takes leaves (105 bytes each) as the store has them, without a signature."""
        for leaf in leaves:
            self.facts.append(Leaf.decode(leaf))
            self._leaves += leaf
            self._frontier = self._frontier.append(leaf_hash(leaf))
            self._roots += self._frontier.root

    def take(self, first: int, leaves: Sequence[bytes]) -> None:
        """Takes leaves that were just stored, the first with index ``first``, and has them signed. The store calls it."""
        if first != self.size:
            raise AssertionError(f"log: leaf {first} comes after {self.size}")
        self.take_in(leaves)
        self._begin()

    def root_at(self, size: int) -> bytes | None:
        """The root over the first ``size`` leaves, 32 bytes; None where there are not so many."""
        if not 0 <= size <= self.size:
            return None
        return bytes(self._roots[size * HASH_BYTES : (size + 1) * HASH_BYTES])

    def leaves(self, first: int, end: int) -> bytes:
        """The leaves from index ``first`` to before ``end``, one after the other."""
        return bytes(self._leaves[first * LEAF_BYTES : end * LEAF_BYTES])

    def overlooks(self, kt_size: int) -> bool:
        """Whether who knows only the first ``kt_size`` leaves misses one that is older than ``unlogged_leaf_seconds``."""
        if kt_size >= self.size:
            return False
        oldest = Leaf.decode(self.leaves(kt_size, kt_size + 1))
        return self._effects.now_ms() - oldest.at_ms > self._limits.unlogged_leaf_seconds * 1000

    # -- the signed head ----------------------------------------------------------------------------------------------

    def sign_first(self, sign: Callable[[bytes], bytes]) -> None:
        """Makes a head at once, before anybody can log in."""
        head = self._next_head()
        self._adopt(head, sign(tree_head_to_sign(head, self.server_id)))

    @property
    def signed_head(self) -> bytes:
        """The newest signed tree head, 432 bytes; where it is old, a new one is on its way."""
        self.refresh()
        return self._signed_head

    @property
    def covered_size(self) -> int:
        """How many leaves the newest head covers."""
        return 0 if self._head is None else self._head.size

    def refresh(self) -> None:
        """Has the head signed anew where it is older than ``log_head_seconds``."""
        if self._is_due():
            self._begin()

    async def covered(self, size: int) -> None:
        """Waits until the newest head covers the first ``size`` leaves."""
        if self._head is None or self.covered_size < size:
            promise = self._effects.promise()
            self._waiting.append((size, promise))
            self._begin()
            await promise

    def _is_due(self) -> bool:
        if self._head is None or self._head.size < self.size:
            return True
        return self._effects.now_ms() - self._head.at_ms >= self._limits.log_head_seconds * 1000

    def _next_head(self) -> TreeHead:
        return TreeHead(self.size, self._frontier.root, self._effects.now_ms())

    def _begin(self) -> None:
        if not self._signing:
            self._signing = True
            self._effects.spawn(self._sign_what_is_due())

    async def _sign_what_is_due(self) -> None:
        try:
            while self._is_due():
                head = self._next_head()
                signature = await self._sign(tree_head_to_sign(head, self.server_id))
                self._adopt(head, signature)
        except Busy as error:
            self._effects.later(error.after_seconds or RETRY_SECONDS, self._begin)
        finally:
            self._signing = False

    def _adopt(self, head: TreeHead, signature: bytes) -> None:
        before, self._head = self.covered_size, head
        self._signed_head = signed_tree_head(head, signature)
        few = head.size - before <= self._limits.log_notice_leaves
        after = before if few else head.size
        self._publish(
            encode_message(messages.LogHead(after, self.leaves(after, head.size), self._signed_head))
        )  # before whoever waited for it is answered
        ready = [promise for size, promise in self._waiting if size <= head.size]
        self._waiting = [(size, promise) for size, promise in self._waiting if size > head.size]
        for promise in ready:
            promise.callback(None)
