"""What a commit says that its maker has seen of the epoch that it closes, held against what came here, and what we said.

A message that was swallowed on its way to us is told to us; one of ours that was swallowed on its way to the maker of the
commit, though the server had acknowledged it, is told to us as well, since nobody else can know of it.
"""

from typing import Final

from chatserv.client.events import ClientEvent, MessagesMissing
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Keys, Room, Rooms
from chatserv.crypto.commits import Commit
from chatserv.crypto.e2e.ratchet import MAX_AHEAD

UNDER_WAY_MS: Final = 5_000
"""What the server takes so shortly before a commit, by its own clock, may have been under way when that was signed."""
EXCUSED_MS: Final = 3_600_000
"""By our own clock, that excuse ends so long after the server's acknowledgement."""
LOOKED_BACK: Final = 200  # messages among which one is looked for that the maker has seen, and that came behind ours


class ClosingHeads:
    """Compares heads.

    Args:
        context: What the client's parts share.
        rooms: For names.
    """

    def __init__(self, context: ClientContext, rooms: Rooms) -> None:
        self._context, self._rooms = context, rooms

    def compare(self, room: Room, commit: Commit, at_ms: int) -> list[ClientEvent]:
        """What is missing, as the commit that follows a room's head shows; before the room has moved.

        Args:
            room: As it stands in the epoch that the commit closes.
            commit: A commit that follows the rules.
            at_ms: When the server took it, by its clock.
        """
        row, state = room.row, room.state
        if not room.in_it or row is None or row.keys is Keys.BROKEN or state is None:
            return []
        ours = self._context.vault.chains.generations(room.room_id)  # none, where no message of the epoch has come
        heads = {head.leaf: head.next_generation for head in commit.tbs.heads}
        most = max(MAX_AHEAD, 2 * state.policy.rotate_messages)  # more are in no epoch: that is nobody's head
        maker = state.entry(commit.tbs.committer_leaf)  # there is one, or there are no heads
        name, found = self._rooms.name(room), list[ClientEvent]()
        for leaf, seen in heads.items():
            entry, lacking = state.entry(leaf), seen - ours.get(leaf, 0)
            if self._rooms.rule.lacks(room.room_id, room.head.epoch, leaf):
                continue
            if 0 < lacking <= most and entry is not None and entry.device_id != self._context.device_id:
                by = "" if maker is None or maker.user == entry.user else maker.user
                found.append(MessagesMissing(name, entry.user, lacking, by, room.room_id))
        return found + self._swallowed(room, commit, heads, at_ms)

    def _swallowed(self, room: Room, commit: Commit, heads: dict[int, int], at_ms: int) -> list[ClientEvent]:
        """What of ours the server has acknowledged, and the maker of the commit had not got."""
        own, state = room.own(self._context.device_id), room.state
        maker = None if state is None else state.entry(commit.tbs.committer_leaf)  # none: they come from outside
        acknowledged = self._context.vault.chains.acknowledged(room.room_id)
        if own is None or maker is None or maker.leaf == own.leaf or acknowledged is None:
            return []
        seen, due = heads.get(own.leaf, 0), acknowledged.generation + 1
        if due > seen and not self._settled(acknowledged.at_ms, acknowledged.noted_ms, at_ms):
            due = self._due_before(room, own.leaf, heads, at_ms)
        name, us = self._rooms.name(room), self._context.user
        return [MessagesMissing(name, us, due - seen, maker.user, room.room_id)] if due > seen else []

    def _settled(self, acknowledged_at_ms: int, noted_ms: int, at_ms: int) -> bool:
        if at_ms - acknowledged_at_ms >= UNDER_WAY_MS:
            return True
        return self._context.now_ms() - noted_ms >= EXCUSED_MS

    def _due_before(self, room: Room, own_leaf: int, heads: dict[int, int], at_ms: int) -> int:
        """The first generation of ours that may have been under way: others stand before one that the maker has seen, or
        are old enough.
        """
        epoch, overtaken = room.head.epoch, False
        for message in reversed(self._context.vault.archive.last(room.room_id, LOOKED_BACK)):
            if message.epoch != epoch:
                break
            if message.leaf != own_leaf:
                overtaken |= message.generation < heads.get(message.leaf, 0)
            elif overtaken or at_ms - message.at_ms >= UNDER_WAY_MS:
                return message.generation + 1
        return 0
