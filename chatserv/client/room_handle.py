"""One room in the hands of a program: everything that can be said and done there, beside what can be seen."""

from collections.abc import Callable

from msgspec.structs import replace

from chatserv.client.commits.planner import Draft, Wish
from chatserv.client.events import MessageReceived, RoomLeft
from chatserv.client.history_results import Exported
from chatserv.client.room_files import RoomFiles
from chatserv.client.state.context import Interrupted
from chatserv.crypto.bodies import RoomTitle
from chatserv.crypto.commits import make_leave
from chatserv.crypto.room_state import MAX_TOPIC_BYTES, Kind, Policy, Role
from chatserv.domain.names import new_room_name, user_name
from chatserv.domain.texts import valid_text
from chatserv.errors import ChatError, Forbidden, NotFound, NotMember
from chatserv.sanitize import is_blank
from chatserv.wire import messages

ROLES = {"owner": Role.OWNER, "moderator": Role.MODERATOR, "member": Role.MEMBER}


class RoomHandle(RoomFiles):
    """A room, looked up by name when the handle was made.

    What changes the room is a commit: the method returns when it is done, and raises the `ChatError` of whoever refuses.
    """

    # -- consent, and the end ------------------------------------------------------------------------------------------

    def accept(self) -> list[MessageReceived]:
        """Agrees to a room that somebody took us into.

        Returns:
            What was said there meanwhile, as far as it is no more than a thousand; the rest is told by events, and all
            of it to other listeners.
        """
        listener = None if self._asker is None else self._asker.listener
        kept = self._engine.own.consents.agree(self._room, listener) if self.offered else []
        return [self._engine.contents.received(self._room, message) for message in kept]

    async def refuse(self) -> None:
        """Refuses what was offered: leaves a room; direct messages are never offered again, and seen when we begin them."""
        if not self.direct:
            await self.leave()
        elif self.offered:
            self._engine.own.consents.refuse(self._room)

    async def leave(self) -> None:
        """Leaves the room. Raises `Forbidden` for direct messages."""
        context, own = self._engine.context, self._room.own(self._engine.context.device_id)
        if self.direct:
            raise Forbidden("direct messages")
        if own is None:
            raise NotFound("room")
        name = self.name
        leave = make_leave(self._room.room_id, own.leaf, context.signing)
        self._engine.places.leaving(self._room)
        try:
            await self._engine.requests.ask(
                messages.Leave, room=self._room.room_id, leaf=leave.leaf, signature=leave.signature
            )
        except Interrupted:
            raise  # whether it has arrived shows when the next session begins
        except ChatError as error:
            if not self._room.withheld or error.code != NotMember.code:  # else the server has no more of us there
                self._engine.places.stays(self._room)
                raise
        if self._room.in_it:
            self._engine.places.leave(self._room)
            context.emit(RoomLeft(name, context.user, self._room.room_id))

    # -- members -------------------------------------------------------------------------------------------------------

    async def invite(self, user: str) -> None:
        """Takes a user in, with all of their devices."""
        name = user_name(user)
        await self._engine.auditing.look_for(name)
        self._engine.context.require_account(name)

        def wish(draft: Draft) -> None:
            self._engine.planner.require_unchanged(name)
            record = draft.members.get(name)
            if record is None or not record.role:
                draft.set_member(name, Role.MEMBER)

        await self._change(wish)
        self._require_in(name)

    def _require_in(self, user: str) -> None:
        state = self._room.state
        if state is not None and not state.devices_of(user):
            raise NotFound(f"{user}: no device is ready yet; it comes in by itself")

    async def kick(self, user: str) -> None:
        """Strikes a user from the list; they may be invited, or join, again."""
        name = user_name(user)
        await self._change(lambda draft: draft.set_member(draft.member(name).user, None), urgent=True)

    async def ban(self, user: str) -> None:
        """Bans a user from the room, member or not."""
        name = user_name(user)
        await self._engine.auditing.look_for(name)
        self._engine.context.require_account(name)
        await self._change(lambda draft: draft.set_member(name, Role.BANNED), urgent=True)

    async def unban(self, user: str) -> None:
        """Lifts a ban."""
        name = user_name(user)

        def wish(draft: Draft) -> None:
            record = draft.members.get(name)
            if record is None or record.role:
                raise NotFound(f"{name}: not banned")
            draft.set_member(name, None)

        await self._change(wish)

    async def mute(self, user: str, *, on: bool = True) -> None:
        """Lets a user read and not write, or write again."""
        name = user_name(user)
        await self._change(lambda draft: draft.set_member(name, draft.member(name).role, muted=on))

    async def set_role(self, user: str, role: str) -> None:
        """Makes a user ``owner``, ``moderator`` or ``member``; for owners."""
        name, wanted = user_name(user), ROLES.get(role)
        if wanted is None:
            raise NotFound(f"role {role}")
        await self._change(lambda draft: draft.set_member(name, wanted, muted=draft.member(name).muted))

    # -- the room itself -----------------------------------------------------------------------------------------------

    async def rename(self, name: str) -> None:
        """Gives the room another name. A public room's is known to the server; others seal it."""
        await self._title(new_room_name(name), self.topic)

    async def set_topic(self, topic: str) -> None:
        """Says what the room is about. A public room's topic is known to the server; others seal it.

        Raises:
            TextInvalid: It has no characters alone, or is too long.
        """
        topic = "" if is_blank(topic) else valid_text(topic, MAX_TOPIC_BYTES)
        row = self._room.row
        await self._title("" if row is None else row.title, topic)

    async def _title(self, name: str, topic: str) -> None:
        state = self._room.state
        if state is None or self.direct:
            raise Forbidden("direct messages have no name")
        if state.policy.public:
            named = name or state.policy.name
            await self._set_policy(lambda policy: replace(policy, name=named, topic=topic))
        elif (self._engine.rooms.role(self._room) or Role.BANNED) < Role.MODERATOR:
            raise Forbidden("for moderators and owners")
        else:
            await self._say(RoomTitle(name, topic))

    async def set_slow(self, seconds: int) -> None:
        """How long a member waits between two messages; 0: not at all. For owners."""
        await self._set_policy(lambda policy: replace(policy, slow_seconds=seconds))

    async def set_open(self, *, members_add: bool) -> None:
        """Whether any member may take others in, or moderators and owners only. For owners."""
        await self._set_policy(lambda policy: replace(policy, members_add=members_add))

    async def set_history(self, *, shared: bool) -> None:
        """Whether owners and moderators may give newcomers what was said before their time. For owners."""
        await self._set_policy(lambda policy: replace(policy, history=shared))

    async def share_history(self) -> Exported:
        """Gives the room's members the newest messages of it that this device keeps, sealed, through the server.

        Each of their devices takes in what was said before its time and it does not have, and verifies who has said it:
        `HistoryReceived` says so there. What has no proof is left out, which ``unproved`` of the result counts.

        Raises:
            Forbidden: The room's rules do not allow it (`history_shared`), or we are neither owner nor moderator.
            NotFound: We are not in the room.
            NoFiles, TooLarge, Quota, StorageFull: The server takes no files, or not this one.
            Interrupted: The connection was lost meanwhile; nothing was shared.
        """
        self._require_agreed()
        self._require_going()
        return await self._engine.own.histories.share_in(self._room)

    async def _set_policy(self, change: Callable[[Policy], Policy]) -> None:
        await self._change(lambda draft: draft.set_policy(change(draft.state.policy)))

    async def rotate(self) -> None:
        """Gives the room a new epoch."""
        await self._change(None)

    async def _change(self, wish: Wish | None, *, urgent: bool = False) -> None:
        engine = self._engine
        if not self._room.in_it:
            raise NotFound("room")
        self._require_agreed()
        self._require_going()
        if self._room.state is not None and self._room.state.policy.kind is Kind.DM and wish is not None:
            raise Forbidden("direct messages are between two")
        await engine.room_changes.commit(self._room, engine.planner.change(wish), urgent=urgent)
