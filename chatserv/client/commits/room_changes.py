"""Makes rooms and changes them: what people ask for, as commits (docs/rooms.rst 5)."""

from collections.abc import Sequence

from chatserv.client.commits.committer import Committer
from chatserv.client.commits.planner import Planner
from chatserv.client.commits.preparation import OpsMaker, Plan
from chatserv.client.outbound.outbox import Outbox
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Room, Rooms
from chatserv.client.verification.log_auditor import LogAuditor
from chatserv.crypto.bodies import RoomTitle
from chatserv.crypto.commits import BadCommit, Op
from chatserv.crypto.log_facts import RoomHead
from chatserv.crypto.room_state import Kind, Policy, room_id
from chatserv.errors import BadKey, ChatError, Forbidden, NotFound, NotMember
from chatserv.i18n import N_


class FalseRoom(BadKey):
    """The server shows a public room otherwise than its log: another one, or as it was before, with other members."""

    text = N_(
        "The server shows this room differently from its log: an earlier state, or another room. You have "
        "not joined it. Ask whoever runs the server."
    )


class RoomChanges:
    """Commits for whoever asks.

    Args:
        context: What the client's parts share.
        rooms: All rooms.
        committer: Makes the commits.
        planner: Plans them.
        auditor: The log, which names the heads of public rooms.
        outbox: Tells newcomers what a private room is called.
    """

    def __init__(
        self,
        context: ClientContext,
        rooms: Rooms,
        committer: Committer,
        planner: Planner,
        auditor: LogAuditor,
        outbox: Outbox,
    ) -> None:
        self.context, self.rooms, self._committer = context, rooms, committer
        self.planner, self.auditor, self.outbox = planner, auditor, outbox

    async def commit(self, room: Room, make_ops: OpsMaker, *, new: bool = False, urgent: bool = False) -> None:
        """Commits, and tells newcomers of a private room what it is called. Raises as `Committer.commit`, or `Forbidden`."""
        before = set() if room.state is None else {entry.device_id for entry in room.state.roster}
        try:
            await self._committer.commit(room, make_ops, new=new, urgent=urgent)
        except BadCommit as error:
            raise Forbidden(error.detail) from None
        if room.row is None or room.state is None or room.state.policy.public or not room.row.title:
            return
        after = {entry.device_id for entry in room.state.roster} - {self.context.device_id}
        if before and after - before:
            self.outbox.put_body(room, RoomTitle(room.row.title, room.row.topic))

    async def create(self, policy: Policy, title: str, topic: str, others: tuple[str, ...] = ()) -> Room:
        """Makes a room with these users in it. Raises as `commit`; `ExistingRoom` for direct messages that exist."""
        context, nonce = self.context, self.context.random(32)
        room = self.rooms.look_at(room_id(context.cert_hash, nonce))
        sealed_name = policy.kind is Kind.ROOM and not policy.public
        if sealed_name:
            room.made_as = (title, topic)  # what we call it; the others are told below
        try:
            await self.commit(room, self.planner.create(nonce, policy, others), new=True)
        except ChatError:
            self.rooms.forget_room(room.room_id)
            raise
        if sealed_name and room.row is not None:
            self.outbox.put_body(room, RoomTitle(title, topic))
        return room

    async def join(self, name: str) -> Room:
        """Joins the public room that the log has under this name. Raises `NotFound`, `RoomFull`, or as `commit`."""
        head = self._public_head(name)
        if head is None:
            await self.auditor.refresh()
            head = self._public_head(name)
        if head is None:
            raise NotFound(f"room {name}")
        room = self.rooms.look_at(head.room_id)
        if not room.in_it:
            try:
                await self.commit(room, self._checked_entry(room, name))
            except ChatError:
                self.rooms.forget_room(room.room_id)
                raise
        return room

    def _checked_entry(self, room: Room, name: str) -> OpsMaker:
        """docs/rooms.rst 5.7: a public room is entered on the head that the newest leaf names, only."""
        entering = self.planner.enter()

        async def plan(given: Plan) -> Sequence[Op] | None:
            policy = None if room.state is None else room.state.policy
            await self.auditor.refresh()
            newest = self._public_head(name)
            if policy is None or not policy.public or policy.name != name or newest is None:
                raise FalseRoom(f"room {name}: the log leads to another room")
            if (newest.room_id, newest.commit_hash) != (room.room_id, room.head.commit_hash):
                raise FalseRoom(f"room {name}: its head is not the one in the log")
            return await entering(given)

        return plan

    async def enter(self, room: Room, least_epoch: int = 0) -> None:
        """Brings this device into a room that its person is a member of.

        Args:
            room: Which room; we are not in it.
            least_epoch: The newest epoch that another device of ours knows: the server must not show an older room.

        Raises:
            NotMember: They are no member, or have left meanwhile.
            FalseRoom: The server shows the room as it was before.
            ChatError: As `commit`.
        """
        entering = self.planner.enter()

        async def plan(given: Plan) -> Sequence[Op] | None:
            state = room.state
            if state is None or not state.role(self.context.user):
                raise NotMember(f"room {room.room_id.hex()}")
            if room.head.epoch < least_epoch:
                raise FalseRoom(f"room {room.room_id.hex()}: epoch {room.head.epoch}, {least_epoch} is known")
            if state.policy.public:
                return await self._checked_entry(room, state.policy.name)(given)
            return await entering(given)

        await self.commit(room, plan)

    def _public_head(self, name: str) -> RoomHead | None:
        """The newest leaf for the name, if it names a room."""
        facts = self.context.log.facts
        head = facts.room_head(name, facts.size)
        return None if head is None or head.closed else head


def public_policy(name: str, topic: str = "") -> Policy:
    """What a new public room begins with (docs/rooms.rst 4)."""
    return Policy(Kind.ROOM, public=True, rotate_messages=100_000, name=name, topic=topic)


def direct_policy() -> Policy:
    """That of direct messages."""
    return Policy(Kind.DM, rotate_seconds=86_400, rotate_messages=100)
