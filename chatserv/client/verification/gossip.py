"""What others have seen of the log: their word inside messages, and heads that the server has signed (docs/rooms.rst 8.3).

A head inside a message is its sender's word. Where it does not fit our log, one of two is lying, and that may be the sender:
so it holds back only what would go to rooms with that person, who is asked for the head as the server signed it (content
type 9). A signed head that does not fit is a proof against the server, whoever brings it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from chatserv.client.state.context import ClientContext
from chatserv.client.state.lost_history import LostHistory
from chatserv.client.state.rooms import Room, Rooms, Standing
from chatserv.client.state.transparency_log import LogForked
from chatserv.crypto.bodies import LogEvidence
from chatserv.crypto.content import ContentType, LogHead
from chatserv.crypto.log_leaves import TreeHead
from chatserv.errors import Reject

MAX_WITNESSES: Final = 1000  # whose word is remembered, and compared; of more devices it counts for nothing
ASK_SECONDS: Final = 600.0  # a person is asked once in this time
ASKED_AT_MOST: Final = 20  # people, in this time
ANSWER_SECONDS: Final = 60.0  # we show what we have once in this time in each room
SPREAD_SECONDS: Final = 30.0  # whoever has a proof shows it within this, in rooms where nobody else has
ASK_USER_SECONDS: Final = 0.1  # for each user of a room we wait up to this before we ask, and do not where others have


@dataclass(frozen=True)
class Witness:
    """A device that says what it has seen. Each counts for itself: the server may show two of a person different logs.

    ``room``: where it has said so last.
    """

    user: str
    device_id: bytes
    room: Room = field(compare=False)


class Gossip:
    """Compares what others have seen with our copy of the log.

    Args:
        context: What the client's parts share.
        rooms: Who shares a room with us.
        refresh: Fetches the log up to the newest head.
        alarm: Told what, a detail, who, and about which of their devices.
        fork: Told of a signed head that does not fit ours.

    Attributes:
        send: Sends evidence into a room.
        moved: Told that rooms may be sent to again that could not be.
    """

    send: Callable[[Room, LogEvidence], None]
    moved: Callable[[], None]

    def __init__(
        self,
        context: ClientContext,
        rooms: Rooms,
        refresh: Callable[[], Awaitable[None]],
        alarm: Callable[[str, str, str, bytes], None],
        fork: Callable[[LogForked], None],
    ) -> None:
        self._context, self._rooms, self._refresh, self._alarm, self._fork = context, rooms, refresh, alarm, fork
        self._lost = LostHistory(context.vault.facts)
        self._claims: dict[Witness, LogHead] = {}  # what does not fit ours
        self._ahead: dict[Witness, LogHead | bytes] = {}  # the same, claimed or signed, of more of the log than we have
        self._liars: set[Witness] = set()  # whose word counts for nothing any more
        self._asked: dict[str, float] = {}
        self._asking: set[str] = set()  # who will be asked in a moment
        self._answered: dict[bytes, float] = {}
        self._shown: set[bytes] = set()  # rooms in which somebody has shown two heads
        self._comparing = False

    def holds(self, room: Room) -> bool:
        """Whether somebody in the room claims another log than ours, and has not been found out."""
        return room.state is not None and any(room.state.devices_of(each.user) for each in self._claims)

    # -- somebody's word -----------------------------------------------------------------------------------------------

    def check(self, witness: Witness, head: LogHead) -> None:
        """Compares what a device says; what is longer than our log is compared once that is as long as it gets."""
        if witness in self._liars:
            return
        agrees = self._context.log.check_gossip(head.size, head.root)
        if agrees is False:
            self._claim(witness, head)
        elif agrees is None:
            self._compare_later(witness, head)

    def _claim(self, witness: Witness, head: LogHead) -> None:
        if self._lost.may_have(head.size):
            self._ask(witness)  # what is signed says of when it is
            return
        if witness not in self._claims:
            if len(self._claims) >= MAX_WITNESSES:
                return
            self._alarm("head_claimed", f"size {head.size}", witness.user, witness.device_id)
        self._claims[witness] = head
        self._ask(witness)

    def _ask(self, witness: Witness) -> None:
        """Asks for the head that the server signed, and shows ours, so that one message may settle it on both sides.

        A claim is heard by everybody in a room; so who asks waits a moment, and leaves it to whoever was faster.
        """
        now, user = self._context.seconds(), witness.user
        self._asked = {each: at for each, at in self._asked.items() if now - at < ASK_SECONDS}
        rooms = [each for each in self._rooms.sharing(user) if each.row and each.row.standing is Standing.IN]
        room = next((each for each in rooms if each is witness.room), next(iter(rooms), None))
        if room is None or user in self._asked or len(self._asked) >= ASKED_AT_MOST:
            return
        self._asked[user] = now
        self._asking.add(user)
        self._context.later(
            self._context.chance(ASK_USER_SECONDS * len(room.users())), lambda: self._ask_now(room, user)
        )

    def _ask_now(self, room: Room, user: str) -> None:
        ours = self._context.log.signed_head
        if user in self._asking and ours is not None:
            self.send(room, LogEvidence((ours,), user))
        self._asking.discard(user)

    def _compare_later(self, witness: Witness, head: LogHead | bytes) -> None:
        known = self._ahead.get(witness)
        if isinstance(known, bytes) and isinstance(head, LogHead):
            return  # a signed one says more
        if known is not None or len(self._ahead) < MAX_WITNESSES:
            self._ahead[witness] = head
        self.look()

    def look(self) -> None:
        """Compares what is longer than our log was, unless that is under way."""
        if self._ahead and not self._comparing:
            self._comparing = True
            self._context.spawn(self._compare(), "gossip")

    async def _compare(self) -> None:
        try:
            while self._ahead:
                await self._refresh()
                ahead, self._ahead = self._ahead, {}
                for witness, head in ahead.items():
                    if isinstance(head, bytes):
                        self._validate(witness, head, complete=True)
                    elif (
                        self._context.log.check_gossip(head.size, head.root) is not True and witness not in self._liars
                    ):
                        self._claim(witness, head)
        finally:
            self._comparing = False

    def grown(self) -> None:
        """The log has grown: who was ahead of it may turn out to be right."""
        log = self._context.log
        right = [each for each, head in self._claims.items() if log.check_gossip(head.size, head.root)]
        for witness in right:
            del self._claims[witness]
        if right:
            self.moved()

    # -- what the server has signed ------------------------------------------------------------------------------------

    def take(self, witness: Witness, evidence: LogEvidence) -> None:
        """Validates signed heads that somebody shows, and shows ours where we are asked."""
        for signed in evidence.heads:
            self._excuse(witness, signed)
        fit = {self._validate(witness, signed) for signed in evidence.heads}
        if fit == {True, False}:
            self._shown.add(witness.room.room_id)
        if evidence.asked == self._context.user:
            self._answer(witness.room)
        elif witness.room.state is not None and witness.room.state.devices_of(evidence.asked):
            self._asking.discard(evidence.asked)

    def _validate(self, witness: Witness, signed: bytes, *, complete: bool = False) -> bool | None:
        """One signed head; ``complete``: our log is as long as it gets. Says whether it fits ours; None: not known."""
        if self._is_lost(signed):
            return None
        try:
            head = self._context.log.verified(signed)
        except LogForked as error:
            self._fork(error)
            return False
        except Reject as error:
            self._alarm("false_evidence", error.detail, witness.user, witness.device_id)
            return None
        if head.size <= self._context.log.size:
            self._fits(witness, head)
            return True
        if complete:
            self._alarm("log_withheld", f"size {head.size}", "", b"")
        else:
            self._compare_later(witness, signed)
        return None

    def _is_lost(self, signed: bytes) -> bool:
        """Whether a head that does not fit is of what was lost, or by a key that the server has given up: it proves nothing.

        A server that showed two logs before its rotation shows two after it, and signs them by its newest key.
        """
        keys, log = self._context.log.keys, self._context.log
        try:
            head = keys.verify_head(signed)
        except Reject:
            return False
        return log.check_gossip(head.size, head.root) is not True and (
            self._lost.has(head) or keys.has_given_up(signed)
        )

    def _excuse(self, witness: Witness, signed: bytes) -> None:
        """Who shows what we have accepted as lost has not made it up."""
        if self._is_lost(signed) and self._claims.pop(witness, None) is not None:
            self.moved()

    def _fits(self, witness: Witness, head: TreeHead) -> None:
        """What the server has shown to a device fits our log; so what it has claimed of a shorter one was made up."""
        claim = self._claims.get(witness)
        if claim is not None and claim.size <= head.size:
            del self._claims[witness]
            if len(self._liars) < MAX_WITNESSES:
                self._liars.add(witness)
            self._alarm("false_claim", f"size {claim.size}", witness.user, witness.device_id)
            self.moved()

    def _answer(self, room: Room) -> None:
        """Nobody can have us speak where we have not agreed to be; and where an answer still waits, it is enough."""
        now, ours = self._context.seconds(), self._context.log.signed_head
        if ours is None or room.row is None or room.row.standing is not Standing.IN:
            return
        waits = self._context.vault.outbox.for_room(room.room_id, 1, ContentType.LOG_EVIDENCE)
        if not waits and now - self._answered.get(room.room_id, -ANSWER_SECONDS) >= ANSWER_SECONDS:
            self._answered[room.room_id] = now
            self.send(room, LogEvidence((ours,)))

    def spread(self, ours: bytes, theirs: bytes) -> None:
        """Shows a proof to everybody, after a moment, where nobody else has by then."""

        def show() -> None:
            for room in self._rooms.ours():
                if room.row is not None and room.row.standing is Standing.IN and room.room_id not in self._shown:
                    self._shown.add(room.room_id)
                    self.send(room, LogEvidence((ours, theirs)))

        self._context.later(self._context.chance(SPREAD_SECONDS), show)
