"""The server's transparency log and the signed head over it.

See docs/protocol.rst 9.

As soon as there are leaves that no head covers, and no signature is under way, one is made; so a burst shares one. What
has to be in the log before it is answered waits in `covered`.

Where several nodes have one store, each has the whole log, and any of them signs: its own leaves at once, those of another
one where that does not. A head is in the store before anybody is told of it, and a node that finds a higher one there goes
by that. So no client is told of a head that is lower than what it was told elsewhere.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from chatserv.commands.effects import Effects, Timer
from chatserv.commands.head_notices import HeadNotices
from chatserv.commands.leaf_log import RETRY_SECONDS, WAIT_SECONDS, LeafLog
from chatserv.commands.waiting import Waiting
from chatserv.crypto.log_leaves import (
    Leaf,
    TreeHead,
    signed_tree_head,
    tree_head_to_sign,
    verify_tree_head,
)
from chatserv.crypto.suite import RSA_BYTES
from chatserv.errors import Draining, NotFound, ReadOnly, Reject, WireError
from chatserv.failpoints import failpoint
from chatserv.live_settings import LiveSettings
from chatserv.node_ports import Backplane
from chatserv.ports import Store
from chatserv.wire.parameters import ServerIdentity

UNSIGNED_SECONDS: Final = 2.5  # without a head from the node that has made leaves: it may have died
Place = tuple[int, int]
"""How many leaves a head covers, and when it was signed: of two the higher one is told."""


class LogKeeper(LeafLog):
    """The log in memory, as all sessions of this node are told of it.

    Args:
        identity: The server's.
        settings: Ages and sizes.
        effects: Clock, timers, promises.
        store: Has what is signed behind leaves.
        backplane: Brings leaves and heads, and keeps ours where the other nodes see them.
        sign: Signs what `chatserv.crypto.suite.to_sign` made; may raise `Busy`.
        publish: Queues an encoded notice for every session.
        keep: Puts a signed head where the store's own loss does not take it, lower than the one that is there only if told
            so; may raise `Busy`. Nobody hears of a head before.
    """

    def __init__(
        self,
        identity: ServerIdentity,
        settings: LiveSettings,
        effects: Effects,
        store: Store,
        backplane: Backplane,
        sign: Callable[[bytes], Awaitable[bytes]],
        publish: Callable[[bytes], None],
        keep: Callable[[bytes, bool], Awaitable[None]],
    ) -> None:
        super().__init__(identity.server_id, effects, store)
        self._settings, self._backplane = settings, backplane
        self._identity, self._sign, self._keep = identity, sign, keep
        self._notices = HeadNotices(settings, effects, self.leaves, publish)
        self.tell_up_to = self._notices.tell_up_to
        self._covering = Waiting[Place](effects, "log: its head")
        self._head: TreeHead | None = None
        self._signed_head = b""
        self._kept: tuple[TreeHead, bytes] | None = None  # higher than that one; nobody was told of it here yet
        self._wanted = 0  # so many leaves have to be covered now
        self._working = False
        self._watch: Timer | None = None

    def _grown(self) -> None:
        self._begin()

    def appended(self, first: int, leaves: Sequence[bytes]) -> None:
        """Leaves of an own transaction, which come by `take`; they are signed as soon as they are here."""
        if not b"".join(leaves).startswith(self.leaves(first, min(self.size, first + len(leaves)))):
            self._give_up(f"the database has gone back: leaf {first} of the log was another one")
        self._wanted = max(self._wanted, first + len(leaves))

    def overlooks(self, kt_size: int) -> bool:
        """Whether who knows only the first ``kt_size`` leaves misses one that is older than ``unlogged_leaf_seconds``."""
        if kt_size >= self.size:
            return False
        oldest = Leaf.decode(self.leaves(kt_size, kt_size + 1))
        return self._effects.now_ms() - oldest.at_ms > self._settings.limits.unlogged_leaf_seconds * 1000

    # -- the signed head ----------------------------------------------------------------------------------------------

    def sign_first(self, sign: Callable[[bytes], bytes]) -> bytes:
        """Makes a head at once, before anybody can log in, and gives it, for whoever starts the server to keep."""
        head = self._next_head()
        signed = signed_tree_head(head, sign(tree_head_to_sign(head, self._identity.key_id)))
        self._adopt(head, signed)
        return signed

    async def give_up_higher(self) -> None:
        """Keeps the newest head though a higher one is kept: what is missing up to that one is lost."""
        await self._keep(self._signed_head, True)

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
        """Has the head signed anew where it is older than ``log_head_seconds``, or made where there is none."""
        if self._is_due():
            self._begin()

    async def covered(self, size: int | None = None) -> None:
        """Waits until the newest head covers the first ``size`` leaves; None: all that the store has by now."""
        if size is None:
            await self._backplane.current()
            size = self.size
        await self._told_of((size, 0))

    async def _told_of(self, place: Place, seconds: float | None = None) -> None:
        """Waits until the head that is told is not below a place. Raises `Busy`."""
        if _place(self._head) < place:
            self._begin()
        if _place(self._head) < place:  # else it was told at once
            await self._covering.until(place, seconds)

    def told(self, signed: bytes) -> None:
        """A head that is kept in the store; it is told here when its leaves are, unless ours is as high.

        Where this server has not signed it, nothing is written any more: somebody has changed the database.
        """
        try:
            head = TreeHead.decode(signed[:-RSA_BYTES])
            if self._is_higher(head):
                verify_tree_head(signed, self._identity.spki)
                self._kept = head, signed
        except Reject:
            self._give_up("the head of the log that is kept was not signed by this server")
        self._begin()

    async def up_to(self, size: int, signed: bytes) -> None:
        """Waits until this node has as many leaves as the store, and tells of the head that is kept there, or a higher one.

        Raises:
            Busy: That takes too long.
            ReadOnly: This is no copy of the log any more.
        """
        await self.reached(size)
        least = 0, 0
        if signed:
            self.told(signed)
            self._require()
            least = _place(TreeHead.decode(signed[:-RSA_BYTES]))
        await self._told_of(least, WAIT_SECONDS)

    def stop(self) -> None:
        """Looks after nobody's leaves any more."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    @property
    def _highest(self) -> TreeHead | None:
        return self._head if self._kept is None else self._kept[0]

    def _is_higher(self, head: TreeHead) -> bool:
        """Whether it is longer than all that are known, or as long and later."""
        return _place(self._highest) < _place(head)

    def _is_due(self) -> bool:
        known = self._highest
        if known is None or known.size < min(self._wanted, self.size):
            return True
        return self._effects.now_ms() - known.at_ms >= self._settings.limits.log_head_seconds * 1000

    def _next_head(self) -> TreeHead:
        return TreeHead(self.size, self._frontier.root, self._effects.now_ms())

    def _begin(self) -> None:
        if not self._working and not self.over:
            self._working = True
            self._effects.spawn(self._work())

    async def _work(self) -> None:
        """One head after the other, whoever has signed it; who waits for leaves is not waited for here."""
        try:
            while not self.over:
                if self._kept is not None and self._kept[0].size <= self.size:
                    await self._tell_kept(*self._kept)
                elif self._is_due():
                    await self._sign_next()
                else:
                    break
        except (Draining, ReadOnly):
            return  # this server is at its end
        except WireError as error:
            self._effects.later(error.after_seconds or RETRY_SECONDS, self._begin)
            return
        finally:
            self._working = False
        self._watch_over()

    async def _sign_next(self) -> None:
        head = self._next_head()
        failpoint("log.signing")
        signed = signed_tree_head(head, await self._sign(tree_head_to_sign(head, self._identity.key_id)))
        failpoint("log.signed")
        try:
            kept = await self._backplane.keep_head(signed, self.leaves(head.size - 1, head.size) if head.size else b"")
        except NotFound:
            self._give_up(f"the database lacks leaf {head.size - 1} of the log, or has another one")
            return
        if kept != signed:
            self.told(kept)
        elif self._is_higher(head):
            self._kept = head, signed

    async def _tell_kept(self, head: TreeHead, signed: bytes) -> None:
        if self.root_at(head.size) != head.root:
            self._give_up(f"another node has another log: its first {head.size} leaves are not ours")
            return
        await self._keep(signed, False)
        failpoint("log.kept")
        if self._kept == (head, signed):
            self._kept = None
        self._adopt(head, signed)
        failpoint("log.adopted")

    def _adopt(self, head: TreeHead, signed: bytes) -> None:
        self._head, self._signed_head = head, signed
        self._notices.adopted(head.size, signed)  # before whoever waited for it is answered
        self._covering.reached(_place(head))

    # -- what goes wrong ----------------------------------------------------------------------------------------------

    def _watch_over(self) -> None:
        known = self._highest
        if self._watch is None and known is not None and known.size < self.size:
            self._watch = self._effects.later(UNSIGNED_SECONDS, self._look)

    def _look(self) -> None:
        self._watch = None
        self._effects.spawn(self._sign_for_others(self.size))

    async def _sign_for_others(self, size: int) -> None:
        """No head has come for leaves that were here then: it may have got lost, or nobody has signed one."""
        try:
            await self._backplane.current()
        except WireError:
            self._watch_over()
        else:
            self._wanted = max(self._wanted, size)
            self._begin()


def _place(head: TreeHead | None) -> Place:
    return (-1, 0) if head is None else (head.size, head.at_ms)
