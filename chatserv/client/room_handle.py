"""One room in the hands of a program: everything that can be said and done there, beside what can be seen."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from twisted.internet.defer import Deferred

from chatserv.client.commits.planner import Draft, Wish
from chatserv.client.engine import Engine
from chatserv.client.events import MessageReceived, RoomLeft
from chatserv.client.outbound.pending import FAILED
from chatserv.client.room_view import RoomView
from chatserv.client.state.context import Interrupted
from chatserv.client.state.rooms import Room, Standing
from chatserv.client.storage.failures import StorageError
from chatserv.client.storage.stored_message import text_of
from chatserv.crypto.bodies import MAX_EMOJI_BYTES, Body, Delete, Edit, Reaction, RoomTitle, Text
from chatserv.crypto.commits import make_leave
from chatserv.crypto.room_state import MAX_TOPIC_BYTES, Kind, Policy, Role
from chatserv.domain.mentions import mentioned_names
from chatserv.domain.names import room_name, user_name
from chatserv.domain.texts import valid_text
from chatserv.errors import ChatError, Forbidden, NotFound, NotMember
from chatserv.wire import messages

MAX_ACCEPTED = 1000
ROLES = {"owner": Role.OWNER, "moderator": Role.MODERATOR, "member": Role.MEMBER}


class RoomHandle(RoomView):
    """A room, looked up by name when the handle was made.

    What changes the room is a commit: the method returns when it is done, and raises the `ChatError` of whoever refuses.

    Args:
        engine: Does the work.
        room: Which room.
        sent: Registers a message that is under way; gives what fires with its ``seq``.
        given_up: Told that it will not leave.
    """

    def __init__(
        self, engine: Engine, room: Room, sent: Callable[[bytes], "Deferred[int]"], given_up: Callable[[bytes], None]
    ) -> None:
        super().__init__(engine, room)
        self._sent, self._given_up = sent, given_up

    # -- what is said --------------------------------------------------------------------------------------------------

    def send(self, text: str, *, action: bool = False, reply_to: bytes | None = None) -> "Deferred[int]":
        """Sends a text; fires with its ``seq`` when it is stored. ``@name`` of a member mentions them.

        Raises:
            Quota, TooLarge, NotMember, TextInvalid: It is not taken.
        """
        text = valid_text(text)
        users = self._room.users()
        return self._say(Text(text, action, reply_to, mentioned_names(text, users)))

    def resend(self, message_id: bytes) -> "Deferred[int]":
        """Sends a text that failed as a new message. Raises `NotFound`, and what `send` raises."""
        outgoing = self._engine.outbox
        message = outgoing.waiting.get(message_id)
        if message is None or message.state != FAILED:
            raise NotFound("message")
        sent = self.send(message.text, action=message.action, reply_to=message.reply_to)
        outgoing.waiting.drop(message_id)
        return sent

    def discard(self, message_id: bytes) -> None:
        """Gives a text up that failed, or that has not left yet. Raises `NotFound` where it is neither.

        What `send` gave for one that has not left fails with `Withdrawn`.
        """
        self._engine.outbox.discard(message_id)
        self._given_up(message_id)

    def edit(self, message_id: bytes, text: str) -> "Deferred[int]":
        """Replaces the text of a message of ours. Raises `NotFound`, `Forbidden` or `TextInvalid`."""
        text = valid_text(text)
        if self._sender(message_id) != self._engine.context.user:
            raise Forbidden("the message of somebody else")
        kept = self._engine.context.vault.archive.by_id(self._room.room_id, message_id)
        before = None if kept is None else text_of(kept)
        after = Text(text, mentions=mentioned_names(text, self._room.users()))
        if before is not None:
            after = replace(after, action=before.action, reply_to=before.reply_to)
        return self._say(Edit(message_id, after))

    def delete(self, message_id: bytes) -> "Deferred[int]":
        """Takes back a message of ours, or, as a moderator, of anybody. Raises `NotFound` or `Forbidden`."""
        role = self._engine.rooms.role(self._room)
        if self._sender(message_id) != self._engine.context.user and (role is None or role < Role.MODERATOR):
            raise Forbidden("the message of somebody else")
        return self._say(Delete(message_id))

    def react(self, message_id: bytes, emoji: str, *, on: bool = True) -> "Deferred[int]":
        """Puts an emoji to a message, or takes it away. Raises `NotFound` or `TextInvalid`."""
        emoji = valid_text(emoji, MAX_EMOJI_BYTES)
        self._sender(message_id)
        return self._say(Reaction(message_id, emoji, on))

    def _sender(self, message_id: bytes) -> str:
        found = self._engine.context.vault.archive.by_id(self._room.room_id, message_id)
        if found is None or found.deleted:
            raise NotFound("message")
        return found.sender

    def _say(self, body: Body) -> "Deferred[int]":
        if self.offered:
            raise NotMember(f"room {self.name}: not agreed to")
        return self._sent(self._engine.outbox.put_body(self._room, body))

    def mark_seen(self, seq: int | None = None) -> None:
        """Moves our read marker on this device, by default to the newest message; nobody is told.

        Where it cannot be stored, an older one is found after a restart.
        """
        row = self._room.row
        wanted = 0 if row is None else row.cursor if seq is None else min(seq, row.cursor)
        if row is not None and wanted > row.read:
            self._room.row = replace(row, read=wanted)
            with suppress(StorageError):
                self._engine.context.vault.rooms.set_read(row.room_id, wanted)

    async def mark_read(self, seq: int | None = None) -> None:
        """Moves our read marker, by default to the newest message, and tells the server and the room's members."""
        row = self._room.row
        if row is not None:
            wanted = row.cursor if seq is None else min(seq, row.cursor)
            await self._engine.requests.ask(messages.MarkRead, room=row.room_id, seq=wanted)
            self.mark_seen(wanted)

    async def typing(self) -> None:
        """Tells the others that somebody types; it is not encrypted end to end."""
        await self._engine.requests.ask(messages.SetTyping, room=self._room.room_id)

    # -- consent, and the end ------------------------------------------------------------------------------------------

    def accept(self) -> list[MessageReceived]:
        """Agrees to a room that somebody took us into.

        Returns:
            What was said there meanwhile, as far as it is no more than `MAX_ACCEPTED`; the rest is told by events.
        """
        row, vault = self._room.row, self._engine.context.vault
        if row is None or not self.offered:
            return []
        vault.ignored.allow(row.room_id)
        kept = vault.archive.after(row.room_id, row.shown, MAX_ACCEPTED)
        shown = kept[-1].seq if len(kept) == MAX_ACCEPTED else row.cursor
        agreed = replace(row, standing=Standing.IN, shown=shown, agreed=vault.rooms.next_agreed(), inviter="")
        vault.rooms.put(agreed)
        self._room.row = agreed
        self._engine.agreements.agreed(self._room)
        self._engine.maintenance.agreed(self._room)
        self._engine.context.later(0, self._engine.backlog.again)
        self._engine.outbox.flush_soon(self._room)
        return [self._engine.contents.received(self._room, message) for message in kept]

    async def refuse(self) -> None:
        """Refuses what was offered: leaves a room; direct messages are never offered again, and seen when we begin them."""
        if not self.direct:
            await self.leave()
        elif self.offered:
            self._engine.context.vault.ignored.refuse(self._room.room_id)
            self._engine.rooms.stand(self._room, Standing.REFUSED)

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
            context.emit(RoomLeft(name, context.user))

    # -- members -------------------------------------------------------------------------------------------------------

    async def invite(self, user: str) -> None:
        """Takes a user in, with all of their devices."""
        name = user_name(user)
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
        await self._title(room_name(name), self.topic)

    async def set_topic(self, topic: str) -> None:
        """Says what the room is about. A public room's topic is known to the server; others seal it.

        Raises:
            TextInvalid: It has no characters alone, or is too long.
        """
        topic = valid_text(topic, MAX_TOPIC_BYTES)
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

    async def _set_policy(self, change: Callable[[Policy], Policy]) -> None:
        await self._change(lambda draft: draft.set_policy(change(draft.state.policy)))

    async def rotate(self) -> None:
        """Gives the room a new epoch."""
        await self._change(None)

    async def _change(self, wish: Wish | None, *, urgent: bool = False) -> None:
        engine = self._engine
        if not self._room.in_it:
            raise NotFound("room")
        if self._room.state is not None and self._room.state.policy.kind is Kind.DM and wish is not None:
            raise Forbidden("direct messages are between two")
        await engine.room_changes.commit(self._room, engine.planner.change(wish), urgent=urgent)
