"""One room as a program sees it: what it is, who is there, what was said."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from chatserv.client.engine import Engine
from chatserv.client.events import MessageReceived
from chatserv.client.outbound.pending import WaitingMessage
from chatserv.client.part import Part
from chatserv.client.past import Past
from chatserv.client.state.rooms import Room
from chatserv.client.state.standstill import standstill
from chatserv.crypto.room_rules import Head
from chatserv.errors import NotFound, NotMember


@dataclass(frozen=True)
class MemberView:
    """Somebody in a room. ``role``: owner, moderator, member or banned. ``presence``: online, away or offline.

    ``trust``: unverified, verified, changed or unknown (docs/crypto.rst 6). ``read``: how far they have read, as far as
    we were told since we are here; 0: not known.
    """

    user: str
    role: str
    muted: bool
    devices: int
    presence: str
    trust: str
    read: int = 0


class RoomView(Part):
    """A room, to look at.

    Args:
        engine: Gives what knows everything, now.
        room_id: Which room.
    """

    def __init__(self, engine: Callable[[], Engine], room_id: bytes) -> None:
        super().__init__(engine)
        self._began = room_id

    @property
    def _room(self) -> Room:
        """The room; of direct messages that have begun anew, the new one."""
        rooms = self._engine.rooms
        return rooms.current(rooms.get(self._began) or Room(self._began, Head.before(self._began)))

    def __eq__(self, other: object) -> bool:
        """Whether it is the same room, whatever it is called by now."""
        return isinstance(other, RoomView) and self._room.room_id == other._room.room_id

    def __hash__(self) -> int:
        return hash(self._room.room_id)

    # -- what it is ----------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """How it is addressed now: ``lobby``, or ``@bob``."""
        return self._engine.rooms.name(self._room)

    @property
    def room_id(self) -> bytes:
        """What names it for good, whatever it is called: 16 bytes."""
        return self._room.room_id

    @property
    def topic(self) -> str:
        """What it is about. Raises `NotMember` until we agree to the room."""
        self._require_agreed()
        state, row = self._room.state, self._room.row
        if state is not None and state.policy.public:
            return state.policy.topic
        return "" if row is None else row.topic

    @property
    def public(self) -> bool:
        """Whether anybody may join; name and topic are then known to the server."""
        return self._room.state is not None and self._room.state.policy.public

    @property
    def direct(self) -> bool:
        """Whether it is direct messages."""
        return self._engine.rooms.peer(self._room) is not None

    @property
    def offered(self) -> bool:
        """Whether it waits for our consent."""
        return self._room.offered

    @property
    def offered_by(self) -> str:
        """Who has put us into it, while it waits for our consent; else empty."""
        row = self._room.row
        return row.inviter if row is not None and self.offered else ""

    def _require_agreed(self) -> None:
        """Nothing of a room is shown, and nobody there hears of us, before we agree to it."""
        if self._room.offered:
            raise NotMember(f"room {self.name}: not agreed to")

    def _require_going(self) -> None:
        """Raises why nothing can be changed here for long; where the server is found out, each change has its own reason."""
        stuck = standstill(self._room, proven=False)
        if stuck is not None:
            raise stuck

    @property
    def held(self) -> tuple[str, ...]:
        """Whose identity has changed, so that nothing is sent here until a person has accepted that; mostly nobody's."""
        return tuple(self._engine.context.pins.changed_among(self._room.listed()))

    @property
    def slow_seconds(self) -> int:
        """How long a member waits between two messages; 0: not at all."""
        return 0 if self._room.state is None else self._room.state.policy.slow_seconds

    @property
    def members_add(self) -> bool:
        """Whether any member may take others in, or moderators and owners only."""
        return self._room.state is not None and self._room.state.policy.members_add

    @property
    def history_shared(self) -> bool:
        """Whether owners and moderators may give newcomers what was said before their time."""
        return self._room.state is not None and self._room.state.policy.history

    @property
    def stands_still(self) -> bool:
        """Whether nothing of it is taken or sent, as the server breaks the rules there: at least until it connects anew."""
        return self._room.stopped

    @property
    def role(self) -> str:
        """Ours."""
        role = self._engine.rooms.role(self._room)
        return "" if role is None else role.name.lower()

    @property
    def epoch(self) -> int:
        """How many commits the room has had, but for the first."""
        return self._room.head.epoch

    @property
    def unread(self) -> int:
        """How many messages of others, kept on this device, come after the read marker; none until we agree to the room."""
        row, us = self._room.row, self._engine.context.user
        return (
            0
            if row is None or self.offered
            else self._engine.context.vault.archive.count_after(row.room_id, row.read, us)
        )

    @property
    def position(self) -> int:
        """The place of the newest event that was dealt with; below that of kept messages where the server has lost some."""
        return 0 if self._room.row is None else self._room.row.cursor

    @property
    def read(self) -> int:
        """The read marker: the place of the newest message that we have seen."""
        return 0 if self._room.row is None else self._room.row.read

    def members(self, *, banned: bool = False) -> list[MemberView]:
        """Whoever is in the room, or is banned from it, in order of name. Raises `NotMember` until we agree to the room."""
        self._require_agreed()
        state = self._room.state
        if state is None:
            return []
        found = [member for member in state.members if bool(member.role) is not banned]
        counts: dict[str, int] = {}
        for entry in state.roster:
            counts[entry.user] = counts.get(entry.user, 0) + 1
        notices, trust, us = self._engine.notices, self._engine.context.pins.trust, self._engine.context.user
        return [
            MemberView(
                member.user,
                member.role.name.lower(),
                member.muted,
                counts.get(member.user, 0),
                self._engine.own_presence if member.user == us else notices.presence.get(member.user, "offline"),
                "verified" if member.user == us else trust(member.user),
                notices.read.get((self._room.room_id, member.user), 0),
            )
            for member in found
        ]

    def history(
        self,
        limit: int = 50,
        before: int | None = None,
        *,
        after: int | None = None,
        around: int | None = None,
        since_ms: int | None = None,
    ) -> list[MessageReceived]:
        """Messages that this device keeps, oldest first: the last ones, or those at one of these places.

        What it does not keep is gone for it: each key is used once, so the server's pages cannot be opened again.

        Direct messages with somebody whose identity was reset go on in another room. What was said before is there all the
        same, at places below 0, with the ``room_id`` of before: where that changes, a line belongs between.

        Args:
            limit: How many at most; of a place that was given out twice by a server that was restored, all of it.
            before: The last ones before this place.
            after: The first ones behind this place.
            around: Those around this place, which is one of them if it is kept.
            since_ms: The first ones that the server took at this moment or later, milliseconds since 1970.

        Raises:
            NotMember: We have not agreed to the room.
            ValueError: More than one place is named.
        """
        self._require_agreed()
        if sum(each is not None for each in (before, after, around, since_ms)) > 1:
            raise ValueError("history: one of before, after, around, since_ms")
        past = Past(self._engine.context.vault.archive, self._engine.rooms.conversation(self._room))
        if after is not None:
            kept = past.after(after, limit)
        elif around is not None:
            kept = past.last(limit - limit // 2, around + 1) + past.after(around, limit // 2)
        elif since_ms is not None:
            kept = past.since(since_ms, limit)
        else:
            kept = past.last(limit, before)
        return [replace(self._engine.contents.received(room, message), seq=place) for room, message, place in kept]

    def find(self, message_id: bytes) -> MessageReceived:
        """The message with this id that this device keeps. Raises `NotFound`, and as `history`."""
        self._require_agreed()
        found = self._engine.context.vault.archive.by_id(self._room.room_id, message_id)
        if found is None:
            raise NotFound("message")
        return self._engine.contents.received(self._room, found)

    def following(self, seq: int, limit: int = 50) -> list[MessageReceived]:
        """The first messages behind a place that this device keeps, oldest first. Raises as `history`."""
        return self.history(limit, after=seq)

    def message(self, reference: str, *, own: bool) -> MessageReceived:
        """The message that a person means: its number, or ``-1`` for the last one (``own``: of ours, else of others).

        Raises:
            NotFound: There is none.
            NotMember: As `history`.
        """
        self._require_agreed()
        archive, us = self._engine.context.vault.archive, self._engine.context.user
        found = None
        if reference == "-1":
            found = archive.last_of(self._room.room_id, us if own else None, not_sender=None if own else us)
        elif reference.isdecimal():
            found = archive.get(self._room.room_id, int(reference))
        if found is None:
            raise NotFound(f"message {reference}")
        return self._engine.contents.received(self._room, found)

    def reactions(self, message_id: bytes) -> dict[str, list[str]]:
        """Who put which emoji to a message. Raises as `history`."""
        self._require_agreed()
        return self._engine.context.vault.archive.reactions(self._room.room_id, message_id)

    def delivered_to(self, message_id: bytes) -> set[str]:
        """Who has told us that a message of ours arrived. Raises as `history`."""
        self._require_agreed()
        return self._engine.context.vault.archive.receipts(self._room.room_id, message_id)

    def waiting(self) -> list[WaitingMessage]:
        """Texts of ours that are not in the room yet, in order: being sent, stored, or failed."""
        return self._engine.outbox.waiting.of(self._room.room_id)
