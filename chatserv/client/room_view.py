"""One room as a program sees it: what it is, who is there, what was said."""

from dataclasses import dataclass

from chatserv.client.engine import Engine
from chatserv.client.events import MessageReceived
from chatserv.client.outbound.pending import WaitingMessage
from chatserv.client.state.rooms import Room
from chatserv.errors import NotFound


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


class RoomView:
    """A room, to look at.

    Args:
        engine: Knows everything.
        room: Which room.
    """

    def __init__(self, engine: Engine, room: Room) -> None:
        self._engine, self._room = engine, room

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
    def topic(self) -> str:
        """What it is about."""
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
        """How many messages of others, kept on this device, come after the read marker."""
        row, us = self._room.row, self._engine.context.user
        return 0 if row is None else self._engine.context.vault.archive.count_after(row.room_id, row.read, us)

    @property
    def position(self) -> int:
        """The place of the newest event that was dealt with; below that of kept messages where the server has lost some."""
        return 0 if self._room.row is None else self._room.row.cursor

    @property
    def read(self) -> int:
        """The read marker: the place of the newest message that we have seen."""
        return 0 if self._room.row is None else self._room.row.read

    def members(self, *, banned: bool = False) -> list[MemberView]:
        """Whoever is in the room, or is banned from it, in order of name."""
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

    def history(self, limit: int = 50, before: int | None = None) -> list[MessageReceived]:
        """The last messages that this device keeps, oldest first."""
        archive = self._engine.context.vault.archive
        kept = archive.last(self._room.room_id, limit, before)
        return [self._engine.contents.received(self._room, message) for message in kept]

    def following(self, seq: int, limit: int = 50) -> list[MessageReceived]:
        """The first messages behind a place that this device keeps, oldest first."""
        kept = self._engine.context.vault.archive.after(self._room.room_id, seq, limit)
        return [self._engine.contents.received(self._room, message) for message in kept]

    def message(self, reference: str, *, own: bool) -> MessageReceived:
        """The message that a person means: its number, or ``-1`` for the last one (``own``: of ours, else of others).

        Raises:
            NotFound: There is none.
        """
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
        """Who put which emoji to a message."""
        return self._engine.context.vault.archive.reactions(self._room.room_id, message_id)

    def delivered_to(self, message_id: bytes) -> set[str]:
        """Who has told us that a message of ours arrived."""
        return self._engine.context.vault.archive.receipts(self._room.room_id, message_id)

    def waiting(self) -> list[WaitingMessage]:
        """Texts of ours that are not in the room yet, in order: being sent, stored, or failed."""
        return self._engine.outbox.waiting.of(self._room.room_id)
