"""What others have seen of the log: their word inside messages, and heads that the server has signed (docs/rooms.rst 8.3).

A head inside a message is its sender's word. Where it does not fit our log, one of two is lying, and that may be the sender:
so it holds back only what would go to rooms with that person, who is asked for the head as the server signed it (content
type 9). A signed head that does not fit is a proof against the server, whoever brings it.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Room, Rooms, Standing
from chatserv.client.state.transparency_log import LogForked
from chatserv.crypto.bodies import LogEvidence
from chatserv.crypto.content import LogHead
from chatserv.crypto.log_leaves import TreeHead
from chatserv.errors import Reject

MAX_PEOPLE: Final = 1000  # whose word is remembered, and compared; of more people it counts for nothing
ASK_SECONDS: Final = 600.0  # a person is asked once in this time
ASKED_AT_MOST: Final = 20  # people, in this time
ANSWER_SECONDS: Final = 60.0  # we show what we have once in this time in each room
SPREAD_SECONDS: Final = 30.0  # whoever has a proof shows it within this, in rooms where nobody else has


class Gossip:
    """Compares what others have seen with our copy of the log.

    Args:
        context: What the client's parts share.
        rooms: Who shares a room with us.
        refresh: Fetches the log up to the newest head.
        send: Sends evidence into a room.
        alarm: Told what, a detail, and who.
        fork: Told of a signed head that does not fit ours.
        moved: Told that rooms may be sent to again that could not be.
    """

    def __init__(
        self,
        context: ClientContext,
        rooms: Rooms,
        refresh: Callable[[], Awaitable[None]],
        send: Callable[[Room, LogEvidence], None],
        alarm: Callable[[str, str, str], None],
        fork: Callable[[LogForked], None],
        moved: Callable[[], None],
    ) -> None:
        self._context, self._rooms, self._refresh, self._send = context, rooms, refresh, send
        self._alarm, self._fork, self._moved = alarm, fork, moved
        self._claims: dict[str, LogHead] = {}  # by person, what does not fit ours
        self._ahead: dict[str, LogHead | bytes] = {}  # the same, claimed or signed, of more of the log than we have
        self._liars: set[str] = set()  # whose word counts for nothing any more
        self._asked: dict[str, float] = {}
        self._answered: dict[bytes, float] = {}
        self._shown: set[bytes] = set()  # rooms in which somebody has shown two heads
        self._comparing = False

    def holds(self, room: Room) -> bool:
        """Whether somebody in the room claims another log than ours, and has not been found out."""
        return room.state is not None and any(room.state.devices_of(user) for user in self._claims)

    # -- somebody's word -----------------------------------------------------------------------------------------------

    def check(self, sender: str, head: LogHead) -> None:
        """Compares what a sender says; what is longer than our log is compared once that is as long as it gets."""
        if sender in self._liars:
            return
        agrees = self._context.log.check_gossip(head.size, head.root)
        if agrees is False:
            self._claim(sender, head)
        elif agrees is None:
            self._compare_later(sender, head)

    def _claim(self, sender: str, head: LogHead) -> None:
        if sender not in self._claims:
            if len(self._claims) >= MAX_PEOPLE:
                return
            self._alarm("head_claimed", f"size {head.size}", sender)
        self._claims[sender] = head
        self._ask(sender)

    def _ask(self, user: str) -> None:
        """Asks for the head that the server signed, and shows ours, so that one message may settle it on both sides."""
        now, ours = self._context.seconds(), self._context.log.signed_head
        self._asked = {each: at for each, at in self._asked.items() if now - at < ASK_SECONDS}
        rooms = (room for room in self._rooms.sharing(user) if room.row and room.row.standing is Standing.IN)
        room = next(rooms, None)
        if ours is not None and room is not None and user not in self._asked and len(self._asked) < ASKED_AT_MOST:
            self._asked[user] = now
            self._send(room, LogEvidence((ours,), user))

    def _compare_later(self, sender: str, head: LogHead | bytes) -> None:
        known = self._ahead.get(sender)
        if isinstance(known, bytes) and isinstance(head, LogHead):
            return  # a signed one says more
        if known is not None or len(self._ahead) < MAX_PEOPLE:
            self._ahead[sender] = head
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
                for sender, head in ahead.items():
                    if isinstance(head, bytes):
                        self._validate(sender, head, complete=True)
                    elif self._context.log.check_gossip(head.size, head.root) is not True and sender not in self._liars:
                        self._claim(sender, head)
        finally:
            self._comparing = False

    def grown(self) -> None:
        """The log has grown: who was ahead of it may turn out to be right."""
        log = self._context.log
        right = [user for user, head in self._claims.items() if log.check_gossip(head.size, head.root)]
        for user in right:
            del self._claims[user]
        if right:
            self._moved()

    # -- what the server has signed ------------------------------------------------------------------------------------

    def take(self, room: Room, sender: str, evidence: LogEvidence) -> None:
        """Validates signed heads that somebody shows, and shows ours where we are asked."""
        if len(evidence.heads) > 1:
            self._shown.add(room.room_id)
        for signed in evidence.heads:
            self._validate(sender, signed)
        if evidence.asked == self._context.user:
            self._answer(room)

    def _validate(self, sender: str, signed: bytes, *, complete: bool = False) -> None:
        """One signed head; ``complete``: our log is as long as it gets."""
        try:
            head = self._context.log.verified(signed)
        except LogForked as error:
            self._fork(error)
        except Reject as error:
            self._alarm("false_evidence", error.detail, sender)
        else:
            if head.size <= self._context.log.size:
                self._fits(sender, head)
            elif complete:
                self._alarm("log_withheld", f"size {head.size}", "")
            else:
                self._compare_later(sender, signed)

    def _fits(self, sender: str, head: TreeHead) -> None:
        """What the server has shown to somebody fits our log; so what they have claimed of a shorter one was made up."""
        claim = self._claims.get(sender)
        if claim is not None and claim.size <= head.size:
            del self._claims[sender]
            if len(self._liars) < MAX_PEOPLE:
                self._liars.add(sender)
            self._alarm("false_claim", f"size {claim.size}", sender)
            self._moved()

    def _answer(self, room: Room) -> None:
        now, ours = self._context.seconds(), self._context.log.signed_head
        if ours is not None and now - self._answered.get(room.room_id, -ANSWER_SECONDS) >= ANSWER_SECONDS:
            self._answered[room.room_id] = now
            self._send(room, LogEvidence((ours,)))

    def spread(self, ours: bytes, theirs: bytes) -> None:
        """Shows a proof to everybody, after a moment, where nobody else has by then."""

        def show() -> None:
            for room in self._rooms.ours():
                if room.row is not None and room.row.standing is Standing.IN and room.room_id not in self._shown:
                    self._shown.add(room.room_id)
                    self._send(room, LogEvidence((ours, theirs)))

        self._context.later(self._context.chance(SPREAD_SECONDS), show)
