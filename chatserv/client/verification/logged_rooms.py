"""Compares rooms with the log (docs/rooms.rst 8.2): the server can neither fork one nor withhold a removal without a leaf
that gives it away.

Each commit of a public room has a leaf of type 8, and so has each commit of another room by which a device goes; and each
such leaf belongs to a commit of our chain, within a minute of each other while we are connected, or by the end of the next
session's beginning. What happened before we began to watch was compared when we came in, or by an earlier run, which keeps
what it could not compare. Before the server is accused of a leaf, our chain is looked through backwards: it may be of a
commit that we have forgotten.
"""

from collections.abc import Callable
from typing import Final

from chatserv.client.connection.requests import Requests
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Room, Rooms, Standing
from chatserv.crypto.commits import Commit
from chatserv.crypto.log_facts import RoomHead
from chatserv.crypto.log_leaves import removal_tag, room_tag
from chatserv.errors import ChatError, Reject
from chatserv.wire import messages

GRACE_SECONDS: Final = 60.0  # so long a commit and its leaf may miss each other
MAX_WATCHED: Final = 10_000  # commits of a room, and leaves, that are remembered
LOOKED_BACK: Final = 64  # epochs of our chain, and more where that explains less than all
LONG_AGO: Final = float("-inf")
COMPARED: Final = "rooms compared with the log"  # so many of its leaves
OPEN: Final = "not compared "  # and the room's id, in hexadecimal: its first leaf that has no commit
BEGUN: Final = "removals logged since"  # a size of the log: servers of before 0.2.0 logged none
COMMITTED: Final = "committed "  # and the room's id, in hexadecimal: a commit that the server says it has taken


class LoggedRooms:
    """Watches the rooms that we are in.

    Args:
        context: What the client's parts share.
        requests: Asks for the chain.
        rooms: Which rooms there are.
        forked: Told of a room that does not fit the log.
        stalled: Told of a room to which a change of ours was taken and never came.
    """

    def __init__(
        self,
        context: ClientContext,
        requests: Requests,
        rooms: Rooms,
        forked: Callable[[Room], None],
        stalled: Callable[[Room], None],
    ) -> None:
        self._context, self._requests, self._rooms = context, requests, rooms
        self._forked, self._stalled = forked, stalled
        self._since: dict[bytes, tuple[bytes, int]] = {}  # by room: under which tag, and the first leaf that counts
        self._leaves: dict[tuple[bytes, int], float] = {}  # when each leaf was first seen without its commit
        self._due: set[bytes] = set()
        self._synced = False
        self._compared = self._kept(COMPARED, context.log.size)
        self._open: dict[bytes, int] = {}  # as kept
        for room in rooms.ours():
            first = self._kept(OPEN + room.room_id.hex(), self._compared)
            if first < self._compared:
                self._open[room.room_id] = first
            self._since[room.room_id] = (self._tag(room), first)
            room.commits = {room.head.commit_hash: None}
            self._strange(room)  # what was seen by an earlier run is due when this one has caught up

    def _kept(self, fact: str, default: int) -> int:
        """A size of the log, by an earlier run; at most that of the log, which may have been cut since."""
        kept = self._context.vault.facts.get(fact)
        return min(self._context.log.size, default if kept is None else int.from_bytes(kept, "big"))

    def _keep(self) -> None:
        """Keeps how far the rooms fit the log: all of it, but for rooms with a leaf whose commit has not come."""
        facts, size, open_ = self._context.vault.facts, self._context.log.size, dict[bytes, int]()
        for room in self._rooms.ours():
            strange = self._strange(room)
            if strange:
                open_[room.room_id] = min(head.index for head in strange)
        if (size, open_) == (self._compared, self._open):
            return
        with self._context.vault.transaction(wait=False):  # one from before a power failure only means more to compare
            for room_id in self._open.keys() - open_.keys():
                facts.delete(OPEN + room_id.hex())
            for room_id in [each for each in open_ if self._open.get(each) != open_[each]]:
                facts.put(OPEN + room_id.hex(), open_[room_id].to_bytes(8, "big"))
            facts.put(COMPARED, size.to_bytes(8, "big"))
        self._compared, self._open = size, open_

    def _tag(self, room: Room) -> bytes:
        """Under what the room's commits are logged: those of a public one by its name, those of others by its id."""
        policy = None if room.state is None else room.state.policy
        if policy is not None and policy.public:
            return room_tag(self._context.server_id, policy.name)
        return removal_tag(self._context.server_id, room.room_id)

    # -- sessions ------------------------------------------------------------------------------------------------------

    def synced(self) -> None:
        """All that the server has was told, log and rooms: what missed each other in an earlier session is due now."""
        self._synced = True
        if self._context.vault.facts.get(BEGUN) is None:
            self._context.vault.facts.put(BEGUN, self._context.log.size.to_bytes(8, "big"))
        for key in self._leaves:
            self._leaves[key] = LONG_AGO
        for room in self._rooms.ours():
            room.commits = {each: None if seen is None else LONG_AGO for each, seen in room.commits.items()}
            self._check(room)
        self._keep()
        self._look_for_ours()

    def disconnected(self) -> None:
        """What comes in the next session may be late, through nobody's fault."""
        self._synced = False

    # -- changes of ours -----------------------------------------------------------------------------------------------

    def committed(self, room: Room, commit: Commit) -> None:
        """The server says that it has taken a commit of ours, which has to come back in the room then."""
        if room.head.epoch < commit.tbs.epoch:
            said = commit.tbs.epoch.to_bytes(4, "big") + commit.commit_hash
            self._context.vault.facts.put(COMMITTED + room.room_id.hex(), said)
        elif room.head.epoch == commit.tbs.epoch and room.head.commit_hash != commit.commit_hash:
            self._forked(room)  # another one came before the answer

    def _taken(self, room: Room) -> tuple[int, bytes] | None:
        """Epoch and hash of a commit of ours that the server says it has taken, and that has not come yet."""
        said = self._context.vault.facts.get(COMMITTED + room.room_id.hex())
        return None if said is None else (int.from_bytes(said[:4], "big"), said[4:])

    def _look_for_ours(self) -> None:
        for room in self._rooms.all():
            taken = self._taken(room)
            if taken is not None and not room.stopped and room.head.epoch < taken[0]:
                self._stalled(room)

    def _came_back(self, room: Room) -> None:
        """Where the server has taken two commits for one epoch, it shows one to some, and the other one to others."""
        taken = self._taken(room)
        if taken is None or room.head.epoch < taken[0]:
            return
        self._context.vault.facts.delete(COMMITTED + room.room_id.hex())
        if room.head.epoch == taken[0] and room.head.commit_hash != taken[1]:
            self._forked(room)

    # -- what comes ----------------------------------------------------------------------------------------------------

    def left_or_back(self, room: Room) -> None:
        """Our place in a room is another one: where we have none, nothing is compared any more."""
        if not room.in_it:
            self._since.pop(room.room_id, None)
            room.commits = {}

    def moved(self, room: Room, *, removes: bool) -> None:
        """A commit was processed in a room. ``removes``: a device went by it."""
        self._came_back(room)
        state, commit = room.state, room.commit
        if state is None or commit is None or not room.in_it:
            self.left_or_back(room)
            return
        tag, (known, _) = self._tag(room), self._since.get(room.room_id, (b"", 0))
        if tag != known:  # we have just come in, or it is logged under another tag: by this commit
            self._since[room.room_id] = (tag, commit.tbs.kt_size)
            room.commits = {}
            self._keep()
        owes = state.policy.public or (removes and self._logged_by(commit))
        room.commits[room.head.commit_hash] = self._context.awake() if owes else None
        while len(room.commits) > MAX_WATCHED:
            del room.commits[next(iter(room.commits))]
        if removes or state.policy.public:
            self._check_later(room)

    def _logged_by(self, commit: Commit) -> bool:
        """Whether a removal owes a leaf: it was made after the first session of this device that looks for those."""
        begun = self._context.vault.facts.get(BEGUN)
        return begun is not None and commit.tbs.kt_size > int.from_bytes(begun, "big")

    def grown(self) -> None:
        """The log has grown."""
        for room in self._rooms.ours():
            if self._strange(room):
                self._check_later(room)
        self._keep()

    def _check_later(self, room: Room) -> None:
        if room.room_id not in self._due:
            self._due.add(room.room_id)
            self._context.later(GRACE_SECONDS, lambda: self._check(room))

    # -- comparing -----------------------------------------------------------------------------------------------------

    def _heads(self, room: Room) -> list[RoomHead]:
        """The leaves for the room's tag since we watch, and one that ends it: a lie to somebody where it goes on."""
        if room.room_id not in self._since:
            return []
        (tag, first), facts = self._since[room.room_id], self._context.log.facts
        found = [head for head in facts.heads(tag, facts.size) if head.index >= first and not head.closed]
        return [*found, *facts.endings(room.room_id, facts.size)]

    def _logged(self, room: Room) -> set[bytes]:
        """The commits that have a leaf, whenever it came: an earlier run may have got further in the log than here."""
        tag, facts = self._since[room.room_id][0], self._context.log.facts
        return {head.commit_hash for head in facts.heads(tag, facts.size)}

    def _strange(self, room: Room) -> list[RoomHead]:
        """Leaves that name another room, or no commit of ours; notes when each was first seen."""
        named = {room.room_id} if room.state is not None and room.state.policy.public else {room.room_id, bytes(16)}
        found = [h for h in self._heads(room) if h.room_id not in named or h.commit_hash not in room.commits]
        now = self._context.awake()
        for head in found[:MAX_WATCHED]:
            self._leaves.setdefault((room.room_id, head.index), now)
        return found

    def _check(self, room: Room) -> None:
        self._due.discard(room.room_id)
        # Nobody is told of a room that they do not want.
        ours = room.row is not None and room.row.standing is Standing.IN
        if not ours or room.stopped or room.withheld or room.room_id not in self._since or not self._synced:
            return  # is told already, or the next session looks again
        self._keep()
        now, strange = self._context.awake(), self._strange(room)
        logged = self._logged(room)
        bare = [seen for each, seen in room.commits.items() if seen is not None and each not in logged]
        ages = [now - self._leaves.get((room.room_id, head.index), now) for head in strange]
        ages += [now - seen for seen in bare]
        facts = self._context.log.facts
        if ages and facts.undecided(facts.size, room.listed()):
            self._check_later(room)  # commits wait for a statement; where that does not come, this is told
        elif any(age >= GRACE_SECONDS for age in ages):
            self._context.spawn(self._accuse(room), "rooms and log")
        elif ages:
            self._check_later(room)

    async def _accuse(self, room: Room) -> None:
        """Unless all that is strange is in our chain, further back than we remember."""
        back = LOOKED_BACK
        while True:
            for commit_hash in await self._chain(room, back):
                room.commits.setdefault(commit_hash, None)
            if room.room_id not in self._since:
                return  # we are not in it any more
            if back > min(room.head.epoch, MAX_WATCHED) or not self._strange(room):
                break
            back *= 8
        strange, logged, now = self._strange(room), self._logged(room), self._context.awake()
        late = any(
            seen is not None and now - seen >= GRACE_SECONDS and each not in logged
            for each, seen in room.commits.items()
        )
        taken = self._taken(room)
        if taken is not None and taken[1] in {head.commit_hash for head in strange}:
            self._stalled(room)  # it is in the log, and does not come
        elif room.in_it and (strange or late):
            self._forked(room)

    async def _chain(self, room: Room, back: int = LOOKED_BACK) -> list[bytes]:
        """The hashes of the last commits of our chain, which the newest one leads back to; none if they do not come."""
        wanted, found = room.head, list[Commit]()
        epoch = first = max(0, wanted.epoch - back)
        try:
            while epoch <= wanted.epoch:
                asked = self._requests.expect(messages.Chain, messages.GetRoom, room=room.room_id, epoch=epoch)
                commits = [Commit.decode(each) for each in (await asked).commits]
                if not commits:
                    return []
                found += commits
                epoch += len(commits)
        except (ChatError, Reject):
            return []
        linked, last = list[bytes](), wanted.commit_hash
        for commit in reversed(found[: wanted.epoch + 1 - first]):
            if commit.commit_hash != last:
                return []
            linked.append(last)
            last = commit.tbs.prev
        return linked
