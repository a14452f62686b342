"""Makes commits: the lease, what the log asks for, keys for everybody, and the one compare-and-swap.

See docs/protocol.rst 8.

A commit is planned anew whenever the room has moved, so that nobody notices a lost race.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from chatserv.client.commits.preparation import OpsMaker, Preparation, Prepared
from chatserv.client.connection.requests import Requests
from chatserv.client.inbound.room_queue import RoomQueue
from chatserv.client.state.context import ClientContext, Interrupted
from chatserv.client.state.rooms import Keys, Room
from chatserv.client.state.standstill import StandsStill
from chatserv.client.verification.certificates import Certificates, FalseKey
from chatserv.client.verification.log_auditor import LogAuditor
from chatserv.crypto.commits import Commit, CommitTBS, Leave, SenderHead, make_commit
from chatserv.crypto.e2e.epoch import confirmation
from chatserv.crypto.e2e.wrap import Recipient, make_wrap
from chatserv.crypto.encoding import Reader
from chatserv.crypto.prekeys import SignedPreKey
from chatserv.crypto.wraps import WrapScope, wrap_hash, wraps_tree
from chatserv.errors import Busy, ChatError, NotFound, Reject, StaleCommit, StaleEpoch
from chatserv.wire import messages

ATTEMPTS: Final = 6
RACE_SECONDS: Final = 2.0  # docs/protocol.rst 8: who lost a race waits up to this
SECRET_BYTES: Final = 32
STALL_SECONDS: Final = 120.0  # a commit that was submitted is in its room by then
URGENT_SECONDS: Final = 600.0  # and a removal has had its turn, which goes before others


class ExistingRoom(ChatError):
    """These direct messages exist already, as this room."""

    code = "existing"

    def __init__(self, room_id: bytes) -> None:
        super().__init__("exists already")
        self.room_id = room_id


class Committer:
    """Commits for all rooms, one at a time in each.

    Args:
        context: What the client's parts share.
        requests: Asks the server.
        room_queue: Brings a room to the head that the lease names.
        certificates: Of whoever is wrapped to.
        auditor: The log.
    """

    def __init__(
        self,
        context: ClientContext,
        requests: Requests,
        room_queue: RoomQueue,
        certificates: Certificates,
        auditor: LogAuditor,
    ) -> None:
        self._context, self._requests = context, requests
        self._room_queue, self._certificates, self._auditor = room_queue, certificates, auditor
        self._preparing = Preparation(context, requests, certificates, auditor.decide, auditor.check_ended)

    async def commit(self, room: Room, make_ops: OpsMaker, *, new: bool = False, urgent: bool = False) -> None:
        """Makes a commit, again where others were faster, and returns when it is processed here.

        Args:
            room: Which room; one that we are not in for an external commit.
            make_ops: Gives the ops for the room as it stands.
            new: The room is to be made.
            urgent: Somebody is removed or banned: goes before others, our own ones too.

        Raises:
            ExistingRoom: The two have direct messages already.
            Interrupted: The connection went; whether the commit was taken shows when the room is read again.
            ChatError: That of ``make_ops``, or the server's refusal.
        """
        stalled = self._context.later(URGENT_SECONDS, lambda: self._stalled(room)) if urgent else None
        await room.committing.take(urgent=urgent)
        try:
            if await self._nothing_to_do(room, make_ops):
                return
            attempts = 0
            while attempts < ATTEMPTS:
                lease = await self._lease(room, new=new, urgent=urgent)
                if lease is None:
                    room.committing.release()
                    await room.committing.take(urgent=urgent)
                elif await self._attempt(room, lease, make_ops):
                    return
                else:
                    attempts += 1
                    await self._context.pause(self._context.chance(RACE_SECONDS))
            raise Busy(f"room {room.room_id.hex()}: others are always faster")
        finally:
            room.committing.release()
            if stalled is not None and stalled.active():
                stalled.cancel()

    def _stalled(self, room: Room) -> None:
        """A change of ours is not carried out, and nothing else tells why."""
        facts = self._context.log.facts
        asked = facts.undecided(facts.size, room.listed()) or self._auditor.unchecked(room.roster())
        if self._requests.connected and not asked:
            self._auditor.stalled(room)

    async def _nothing_to_do(self, room: Room, make_ops: OpsMaker) -> bool:
        """Whether the room needs no commit as we know it, or one that the rules forbid, which raises.

        The server counts leases that come to nothing.
        """
        if not room.in_it or room.stopped or room.leaves:
            return False
        return await self._preparing.step(room, make_ops, ()) is None

    async def _lease(self, room: Room, *, new: bool, urgent: bool) -> messages.Lease | None:
        """Waits for the server's lease; None: a removal of our own came meanwhile, and goes first."""

        def step_aside() -> None:
            self._requests.ask(messages.EndCommit, room=room.room_id).addErrback(lambda _: None)

        if room.committing.urgent_waits and not urgent:
            return None
        asking = self._requests.expect(messages.Lease, messages.BeginCommit, room=room.room_id, new=new, urgent=urgent)
        if urgent:
            lease: messages.Lease = await asking
            return lease
        try:
            with room.committing.waiting(step_aside):
                lease = await asking
        except StaleCommit:
            if room.committing.stepped_aside:
                return None
            raise
        return None if room.committing.stepped_aside else lease

    async def _attempt(self, room: Room, lease: messages.Lease, make_ops: OpsMaker) -> bool:
        try:
            await self._reach(room, lease)
            leaves = _leaves(lease)
            room.leaves = len(leaves)
            prepared = await self._preparing.prepare(room, make_ops, leaves)
            if prepared is not None:
                return await self._submit(room, prepared)
        except BaseException:
            await self._give_back(room)  # or others wait until it lapses, and we are punished for it
            raise
        await self._give_back(room)
        return True

    async def _give_back(self, room: Room) -> None:
        if self._requests.connected:
            await self._requests.ask(messages.EndCommit, room=room.room_id)

    async def _reach(self, room: Room, lease: messages.Lease) -> None:
        """Brings log and room to where the lease stands."""
        if room.stopped:
            raise StandsStill(f"room {room.room_id.hex()}")
        if room.in_it:
            await room.reach(lease.epoch)
        elif lease.epoch >= 0:
            await self._room_queue.load_chain(room, lease.epoch)
        if room.head.epoch != lease.epoch or (lease.epoch >= 0 and room.head.commit_hash != lease.commit_hash):
            raise StaleCommit(f"room {room.room_id.hex()}: another head than the lease's")
        await self._auditor.reach(lease.kt_size)

    # -- making it -----------------------------------------------------------------------------------------------------

    async def _submit(self, room: Room, prepared: Prepared) -> bool:
        """Uploads wraps and commit. Says whether it was taken."""
        context, state = self._context, prepared.step.state
        secret = context.random(SECRET_BYTES)
        epoch, prev = room.head.epoch + 1, room.head.commit_hash
        scope = WrapScope(room.room_id, epoch, prev, context.device_id)
        wanted = [entry for entry in state.roster if entry.device_id != context.device_id]
        hashes: dict[int, bytes] = {}
        for at in range(0, len(wanted), messages.WRAPS_PAGE):
            batch = wanted[at : at + messages.WRAPS_PAGE]
            work = [
                (entry.leaf, self._certificates.recipient(entry.cert_hash), prepared.prekeys[entry.device_id])
                for entry in batch
            ]
            try:
                wraps = await context.in_thread(_make_wraps, secret, scope, work, context.random)
            except Reject as error:
                raise FalseKey(error.detail) from None
            hashes.update((leaf, wrap_hash(wrap)) for leaf, wrap in wraps)
            await self._requests.ask(messages.PutWraps, room=room.room_id, epoch=epoch, wraps=tuple(wraps))
        await self._room_queue.worked_off(room)
        tbs = CommitTBS(
            room_id=room.room_id,
            epoch=epoch,
            prev=prev,
            state_hash=state.state_hash,
            committer_leaf=self._preparing.own_leaf(room),
            ops=prepared.ops,
            heads=self._heads(room),
            kt_size=prepared.evidence.kt_size,
            kt_root=context.log.root_at(prepared.evidence.kt_size) or bytes(32),
            wraps_root=wraps_tree(hashes).root,
            confirmation=bytes(32),
        )
        tbs = replace(tbs, confirmation=confirmation(secret, tbs.confirmed()))
        return await self._put(room, make_commit(tbs, context.signing), secret)

    def _heads(self, room: Room) -> tuple[SenderHead, ...]:
        """What we have seen of the closing epoch; nothing where we hold no keys of it, or come from outside."""
        if room.row is None or not room.in_it or room.row.keys is not Keys.HELD or room.state is None:
            return ()
        vault = self._context.vault
        seen = vault.chains.generations(room.room_id)
        own = room.own(self._context.device_id)
        if own is not None:  # what we have sealed, and the server has not stored as far as we know, is not missing
            rows = vault.outbox.for_room(room.room_id)
            waiting = [row.generation for row in rows if row.epoch == room.row.epoch]
            waiting.append(vault.chains.lost(room.room_id))
            seen[own.leaf] = min([seen.get(own.leaf, 0), *(each for each in waiting if each is not None)])
        there = {entry.leaf for entry in room.state.roster}
        return tuple(SenderHead(leaf, seen[leaf]) for leaf in sorted(seen) if leaf in there and seen[leaf])

    async def _put(self, room: Room, commit: Commit, secret: bytes) -> bool:
        stalled = self._context.later(STALL_SECONDS, lambda: self._stalled(room))
        try:
            return await self._put_and_see(room, commit, secret)
        finally:
            if stalled.active():
                stalled.cancel()

    async def _put_and_see(self, room: Room, commit: Commit, secret: bytes) -> bool:
        vault = self._context.vault
        with vault.transaction(wait=False):
            vault.pending.put(room.room_id, commit.tbs.epoch, commit.encoded, secret)
        await self._context.keeping.kept()
        try:
            reply = await self._requests.ask(messages.PutCommit, room=room.room_id, commit=commit.encoded)
        except Interrupted:
            raise  # unknown: the room's stream will tell
        except (StaleCommit, StaleEpoch):
            vault.pending.delete(room.room_id)
            return False
        except ChatError:
            vault.pending.delete(room.room_id)
            raise
        if isinstance(reply, messages.Existing):
            vault.pending.delete(room.room_id)
            raise ExistingRoom(reply.room)
        self._auditor.logged_rooms.committed(room, commit)
        await room.reach(commit.tbs.epoch)
        if room.head.commit_hash != commit.commit_hash and room.head.epoch == commit.tbs.epoch:
            raise NotFound("commit: the server says it was taken, and the room has another")
        return True


def _make_wraps(
    secret: bytes,
    scope: WrapScope,
    work: list[tuple[int, Recipient, SignedPreKey]],
    random: Callable[[int], bytes],
) -> list[tuple[int, bytes]]:
    return [(leaf, make_wrap(secret, scope, recipient, prekey, random).encode()) for leaf, recipient, prekey in work]


def _leaves(lease: messages.Lease) -> tuple[Leave, ...]:
    return tuple(Leave.read(Reader(encoded, "Leave")) for encoded in lease.leaves)
