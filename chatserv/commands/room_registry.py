"""The rooms as they stand: what the server knows of each without asking the store.

Filled at the start from the store, and moved on in one place, where a committed event is delivered
(`chatserv.commands.delivery`), so that no handler sees a room that is ahead of or behind what was handed out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from heapq import nsmallest
from typing import Final

from chatserv.commands.invitations import Invitation, Invitations
from chatserv.crypto.encoding import Reader
from chatserv.crypto.room_rules import Head
from chatserv.crypto.room_state import Kind, Role, State
from chatserv.models import CommitDraft, Consent, ConsentAt, Room

EARLIER: Final = ConsentAt(b"", "", "", Consent.EARLIER)


def leave_stands(state: State, user: str, leave: bytes) -> bool:
    """Whether a Leave (``u32 leaf; sig[64]``) can still be carried out: the device that signed it is in the room."""
    entry = state.entry(Reader(leave, "leave").u32())
    return entry is not None and entry.user == user


def members_of(state: State, leaves: Mapping[str, bytes]) -> list[str]:
    """Users with a role above banned, but for those whose Leave waits."""
    return [member.user for member in state.members if member.role and member.user not in leaves]


class RoomRecord:
    """One room. ``leaves``: by user, the Leaves that wait for a commit, each ``u32 leaf; sig[64]``."""

    __slots__ = ("_encoded", "_state", "head", "leaves", "name")

    def __init__(self, head: Head, name: str, encoded: bytes, leaves: dict[str, bytes]) -> None:
        self.head, self.name, self.leaves = head, name, leaves
        self._encoded = encoded
        self._state: State | None = None

    @property
    def room_id(self) -> bytes:
        """16 bytes."""
        return self.head.room_id

    @property
    def state(self) -> State:
        """The room's state; decoded when first asked for."""
        if self._state is None:
            self._state = State.decode(self._encoded)
        return self._state

    def move(self, change: CommitDraft, state: State | None) -> None:
        """Goes on to what a commit made of the room. ``state``: the new one, where it is at hand."""
        self.head = Head(change.room_id, change.epoch, change.commit_hash, change.kt_size)
        self.name, self._encoded, self._state = change.name, change.state, state
        for user in change.left:
            self.leaves.pop(user, None)

    def role(self, user: str) -> Role | None:
        """The user's role; None for who is not in the list. Who has said farewell is none of the members any more."""
        role = self.state.role(user)
        return None if role and user in self.leaves else role

    def muted(self, user: str) -> bool:
        """Whether the room's state mutes the user."""
        member = self.state.member(user)
        return member is not None and member.muted

    @property
    def members(self) -> list[str]:
        """Users with a role above banned, but for those whose Leave waits."""
        return members_of(self.state, self.leaves)

    @property
    def is_deserted(self) -> bool:
        """Whether everybody has left."""
        return bool(self.leaves) and not self.members

    @property
    def is_direct(self) -> bool:
        """Whether it is a direct message."""
        return self.state.policy.kind is Kind.DM


class RoomRegistry:
    """All rooms that are not closed, and in how many somebody is.

    Attributes:
        invitations: The places that their users have not agreed to.
    """

    def __init__(self) -> None:
        self.invitations = Invitations()
        self._rooms: dict[bytes, RoomRecord] = {}
        self._memberships: Counter[str] = Counter()
        self._at_hand: dict[bytes, State] = {}

    def __iter__(self) -> Iterator[RoomRecord]:
        return iter(list(self._rooms.values()))

    def take_in(self, rooms: Iterable[Room], consents: Iterable[ConsentAt]) -> None:
        """Takes rooms in as the store has them, and what their users say to that."""
        said = {(each.room_id, each.user): each for each in consents}
        for room in rooms:
            head = Head(room.room_id, room.epoch, room.commit_hash, room.kt_size)
            state = State.decode(room.state)  # not kept: most rooms are quiet
            leaves = {user: leave for user, leave in room.leaves if leave_stands(state, user, leave)}
            self._rooms[room.room_id] = RoomRecord(head, room.name, room.state, leaves)
            for user in members_of(state, leaves):
                self._memberships[user] += 1
                answer = said.get((room.room_id, user), EARLIER)
                if answer.consent is not Consent.AGREED:
                    self.invitations.put(user, room.room_id, Invitation(answer.inviter, answer.consent))

    def get(self, room_id: bytes) -> RoomRecord | None:
        """The room of that id."""
        return self._rooms.get(room_id)

    def have_at_hand(self, commit_hash: bytes, state: State) -> None:
        """Keeps what a commit will make of its room, so that nobody has to decode it, until `move` or `let_go`."""
        self._at_hand[commit_hash] = state

    def let_go(self, commit_hash: bytes) -> None:
        """Keeps it no more; harmless where it is not kept."""
        self._at_hand.pop(commit_hash, None)

    def move(self, change: CommitDraft) -> RoomRecord:
        """Goes on to what a commit made of its room, or made it. Returns the room."""
        state = self._at_hand.get(change.commit_hash) or State.decode(change.state)
        record = self._rooms.get(change.room_id)
        if record is None:
            head = Head.before(change.room_id)
            record = self._rooms[change.room_id] = RoomRecord(head, change.name, change.state, {})
        else:
            self._count(record, -1)
        record.move(change, state)
        self._count(record, 1)
        for user in (*change.gone, *change.agreed):
            self.invitations.remove(user, change.room_id)
        for user in change.asked:
            self.invitations.put(user, change.room_id, Invitation(change.sender))
        return record

    def keep_leave(self, record: RoomRecord, user: str, leave: bytes) -> None:
        """The user has left the room, and a commit will say so."""
        self._count(record, -1)
        record.leaves[user] = leave
        self._count(record, 1)
        self.invitations.remove(user, record.room_id)

    def forget(self, room_id: bytes) -> None:
        """The room is closed."""
        record = self._rooms.pop(room_id, None)
        if record is not None:
            self._count(record, -1)
            for user in record.members:
                self.invitations.remove(user, room_id)

    def _count(self, record: RoomRecord, change: int) -> None:
        for user in record.members:
            self._memberships[user] += change
            if not self._memberships[user]:
                del self._memberships[user]

    def rooms_of(self, user: str) -> int:
        """In how many rooms the user is by their own will, or was before anybody asked."""
        return self._memberships.get(user, 0) - self.invitations.measured(user)

    def public(self, after: str, limit: int) -> list[RoomRecord]:
        """The first public rooms whose names come after ``after``, in order of name."""
        found = (record for record in self._rooms.values() if record.name > after)
        return nsmallest(limit, found, key=lambda record: record.name)
