"""The rooms as they stand: what the server knows of each without asking the store.

Filled at the start from the store, and moved on in one place, where a committed event is delivered
(`chatserv.commands.delivery`), so that no handler sees a room that is ahead of or behind what was handed out.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from chatserv.commands.invitations import Invitation, Invitations
from chatserv.crypto.encoding import Reader
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.room_rules import Head
from chatserv.crypto.room_state import Member, Role, State
from chatserv.models import CommitDraft, Consent, ConsentAt, Room
from chatserv.node_models import RoomAt

EARLIER: Final = ConsentAt(b"", "", "", Consent.EARLIER)


def leave_stands(state: State, user: str, leave: bytes) -> bool:
    """Whether a Leave (``u32 leaf; sig[64]``) can still be carried out: the device that signed it is in the room."""
    entry = state.entry(Reader(leave, "leave").u32())
    return entry is not None and entry.user == user


def members_of(state: State, leaves: Mapping[str, bytes]) -> list[str]:
    """Users with a role above banned, but for those whose Leave waits."""
    return [member.user for member in state.members if member.role and member.user not in leaves]


def is_over(facts: LogFacts, state: State, leaves: Mapping[str, bytes]) -> bool:
    """Whether nobody of a room will ever be back: all have left or are gone, or cannot come in with what they are now.

    Who was given another identity by an administrator comes back to a private room by somebody else's commit alone, and to
    a public one when somebody else has joined it.
    """
    size = facts.size

    def is_out(member: Member) -> bool:
        if facts.undecided(size, [member.user]):
            return False
        return (
            facts.gone(member.user, size) if state.policy.public else facts.struck(member.user, member.kt_added, size)
        )

    members = [member for member in state.members if member.role]
    return bool(members) and all(member.user in leaves or is_out(member) for member in members)


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

    def replace(self, room: Room, state: State, leaves: dict[str, bytes]) -> None:
        """Stands where the store has the room."""
        self.head = Head(room.room_id, room.epoch, room.commit_hash, room.kt_size)
        self.name, self._encoded, self._state, self.leaves = room.name, room.state, state, leaves

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
    def is_fixed(self) -> bool:
        """Whether its users are the same for ever: a direct message, or the room of one's own devices."""
        return self.state.policy.kind.fixed


def standing_leaves(room: Room, state: State) -> dict[str, bytes]:
    """The Leaves that can still be carried out."""
    return {user: leave for user, leave in room.leaves if leave_stands(state, user, leave)}


class RoomRegistry:
    """The rooms that are here: all that are not closed, or of a node among others those that its people are in.

    Attributes:
        invitations: The places that their users have not agreed to.
        agreeing: Users and rooms of which the store is being told that they agree.
        over: Rooms in which nobody was left when they were taken in.
        comparing: Rooms that are compared with the store, and whether that is due once more (`commands.room_comparing`).
    """

    def __init__(self) -> None:
        self.invitations = Invitations()
        self.agreeing: set[tuple[str, bytes]] = set()
        self.over: list[bytes] = []
        self.comparing: dict[bytes, bool] = {}
        self._rooms: dict[bytes, RoomRecord] = {}
        self._at_hand: dict[bytes, State] = {}

    def __iter__(self) -> Iterator[RoomRecord]:
        return iter(list(self._rooms.values()))

    def take_in(self, rooms: Iterable[Room], consents: Iterable[ConsentAt], facts: LogFacts) -> None:
        """Takes rooms in as the store has them, and what their users say to that. ``facts``: the whole log."""
        said = {(each.room_id, each.user): each for each in consents}
        for room in rooms:
            head = Head(room.room_id, room.epoch, room.commit_hash, room.kt_size)
            state = State.decode(room.state)  # not kept: most rooms are quiet
            leaves = standing_leaves(room, state)
            self._rooms[room.room_id] = RoomRecord(head, room.name, room.state, leaves)
            if is_over(facts, state, leaves):
                self.over.append(room.room_id)
            for user in members_of(state, leaves):
                self._ask(user, said.get((room.room_id, user), EARLIER), room.room_id)

    def _ask(self, user: str, answer: ConsentAt, room_id: bytes) -> None:
        if answer.consent is not Consent.AGREED:
            self.invitations.put(user, room_id, Invitation(answer.inviter, answer.consent))
        else:
            self.invitations.remove(user, room_id)

    def reload(self, found: RoomAt) -> RoomRecord:
        """Takes in one room as the store has it, in the place of what is here. Returns the room."""
        room, said = found.room, {each.user: each for each in found.consents}
        state = State.decode(room.state)
        record = self._rooms.get(room.room_id)
        before = [] if record is None else record.members
        if record is None:
            record = self._rooms[room.room_id] = RoomRecord(Head.before(room.room_id), room.name, room.state, {})
        record.replace(room, state, standing_leaves(room, state))
        for user in record.members:
            self._ask(user, said.get(user, EARLIER), room.room_id)
        for user in set(before).difference(record.members):
            self.invitations.remove(user, room.room_id)
        return record

    def get(self, room_id: bytes) -> RoomRecord | None:
        """The room of that id."""
        return self._rooms.get(room_id)

    def company(self, room_id: bytes) -> list[str]:
        """Members who have the room: not those for whom it is not carried. Nobody of an unknown room."""
        record = self._rooms.get(room_id)
        members = [] if record is None else record.members
        return [user for user in members if not self.invitations.has_yielded(user, room_id)]

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
        record.move(change, state)
        for user in (*change.gone, *change.agreed):
            self.invitations.remove(user, change.room_id)
        for user in change.asked:
            self.invitations.put(user, change.room_id, Invitation(change.sender))
        return record

    def keep_leave(self, record: RoomRecord, user: str, leave: bytes) -> None:
        """The user has left the room, and a commit will say so."""
        record.leaves[user] = leave
        self.invitations.remove(user, record.room_id)

    def forget(self, room_id: bytes) -> None:
        """The room is closed, or not needed here any more."""
        self._rooms.pop(room_id, None)
        self.invitations.forget(room_id)
