"""The client: one account on one server, and everything that a program can ask it for."""

from dataclasses import replace
from pathlib import Path

from chatserv.client.admin import Administration
from chatserv.client.client_files import ClientFiles
from chatserv.client.commits.room_changes import public_policy
from chatserv.client.events import ClientEvent, MessageReceived, RetentionChanged, Status
from chatserv.client.history.reading import HistoryReader
from chatserv.client.history.writing import HistoryWriter
from chatserv.client.history_results import Exported, Imported
from chatserv.client.outbound.sent import Sent
from chatserv.client.own_account import OwnAccount
from chatserv.client.own_devices import OwnDevices
from chatserv.client.past import Past
from chatserv.client.people import People
from chatserv.client.room_handle import RoomHandle
from chatserv.client.state.rooms import Room
from chatserv.client.storage.history import HistoryTable
from chatserv.client.storage.retention import LEAST_KEPT, MOST_KEPT
from chatserv.client.verification.audit import Audit
from chatserv.crypto.room_state import MAX_TOPIC_BYTES, Kind, Policy
from chatserv.domain.names import new_room_name, room_name, user_name
from chatserv.domain.texts import valid_text
from chatserv.errors import ChatError, NotMember
from chatserv.units import join_address
from chatserv.wire import messages


class Client(ClientFiles):
    """One account on one server, in the hands of a program.

    Its arguments, and how it is started and listened to, are those of `chatserv.client.client_life.ClientLife`.
    """

    # -- who and where we are ------------------------------------------------------------------------------------------

    @property
    def user(self) -> str:
        """The name of our account."""
        return self.keyring.user

    @property
    def address(self) -> str:
        """``HOST:PORT`` of the server: where we are, or were last."""
        return self.addresses[0]

    @property
    def addresses(self) -> tuple[str, ...]:
        """Everywhere that the server may be: `address`, as it has said last, as the last link said, where it was found."""
        return tuple(join_address(*each) for each in self.keyring.everywhere)

    @property
    def people(self) -> People:
        """Identities, safety numbers, devices."""
        return People(self._latest)

    @property
    def devices(self) -> OwnDevices:
        """Our own devices."""
        return OwnDevices(self._latest)

    @property
    def account(self) -> OwnAccount:
        """What we can do to our account: recovery code, password, its end."""
        return OwnAccount(self._latest)

    @property
    def admin(self) -> Administration:
        """What administrators of the server can do."""
        return Administration(self._latest)

    @property
    def is_admin(self) -> bool:
        """Whether our account is an administrator of the server."""
        return self.engine.role == "admin"

    @property
    def status(self) -> Status:
        """How the client stands to its server now: what the last `StatusChanged` said."""
        return self._lifecycle.notifier.status

    @property
    def failure(self) -> Exception | None:
        """Why the connection went or failed, where that is known; None while there is one."""
        return self._lifecycle.notifier.failure

    def troubles(self) -> list[ClientEvent]:
        """What is wrong now, for whoever comes too late for the events that told it, which these are.

        `IdentityChanged` and `SendHeld` until a person has accepted the identity; `KeysBroken`, `RoomRewound`, `SendDelayed`
        until it has passed; an `Alarm` until the room is well again, or else as long as the client runs.
        """
        return [] if self._running is None else self._lifecycle.notifier.troubles.open(self._running)

    @property
    def distrusted(self) -> bool:
        """Whether the server is proven to break the rules of its log: nothing is sent any more, also after a restart."""
        return self._running is not None and self._running.auditor.proven

    @property
    def unacknowledged(self) -> int:
        """How many messages are not known to be stored; without those of other programs that have joined this one."""
        return 0 if self._running is None else self._running.outbox.own + self._running.files.uploads.own

    @property
    def refusal(self) -> ChatError | None:
        """Why the server did not store the last message for now, such as a full disk there; the client tries again."""
        return None if self._running is None else self._running.outbox.refusal

    @property
    def archive_limit(self) -> int:
        """How many messages of each room this device keeps; the oldest go, which `ArchiveFull` says."""
        return self.engine.context.vault.archive.retention.limit

    @property
    def server_keeps(self) -> RetentionChanged:
        """How long the server keeps messages, as it has said last."""
        rule = self.engine.rooms.rule
        return RetentionChanged(rule.age_seconds, rule.bytes)

    def set_archive_limit(self, messages: int) -> int:
        """Keeps so many from now on, whichever program runs; what is beyond goes at once, for good. Returns how many went.

        Raises:
            ValueError: Less than 100, or more than 10,000,000.
        """
        if not LEAST_KEPT <= messages <= MOST_KEPT:
            raise ValueError(f"archive: {LEAST_KEPT} to {MOST_KEPT} messages")
        return self.engine.context.vault.archive.retention.set_limit(messages)

    @property
    def rooms(self) -> list[str]:
        """Names of our rooms, in order; rooms that wait for our consent included."""
        if self._running is None:
            return []
        return [self._running.rooms.name(room) for room in self._running.rooms.seen()]

    def handles(self) -> list[RoomHandle]:
        """Our rooms, in order of name; rooms that wait for our consent included."""
        return [] if self._running is None else [self._handle(room) for room in self._running.rooms.seen()]

    def room(self, name: str) -> RoomHandle:
        """One of our rooms: ``lobby``, ``#lobby`` or ``@bob``. Raises `NotMember`."""
        return self._handle(self.engine.rooms.find(name))

    def room_by_id(self, room_id: bytes) -> RoomHandle:
        """The room of ours with this id, whatever it is called by now. Raises `NotMember`."""
        room = self.engine.rooms.get(room_id)
        if room is None or not room.in_it or room.hidden:
            raise NotMember(f"room {room_id.hex()}")
        return self._handle(room)

    def _handle(self, room: Room) -> RoomHandle:
        notifier = self._lifecycle.notifier
        return RoomHandle(self._latest, room.room_id, notifier.await_acknowledgement, notifier.withdraw)

    # -- what is asked for ---------------------------------------------------------------------------------------------

    def send(self, room: str, text: str) -> Sent:
        """Sends a text to a room; fires with its ``seq`` when it is stored, fails with the `ChatError` when it will not be.

        A client that is stopped first leaves it unknown: the result does not fire, and the message goes out when the profile
        is used again (see `forget_unsent`).

        Raises:
            NotMember: We are not in that room.
            Quota: Too many messages wait for the server already.
            TooLarge: The text does not fit into a message.
        """
        return self.room(room).send(text)

    def unfollow(self) -> None:
        """The same as ``follow(False)``."""
        self.follow(False)

    def forget_unsent(self) -> int:
        """Gives up on messages of this run that are not acknowledged: they will not go out later. Returns how many.

        What `send` gave for them does not fire. What an earlier run has left still goes out.
        """
        dropped = self.engine.outbox.forget_unsent() + self.engine.files.uploads.forget_unsent()
        self._lifecycle.notifier.forget(dropped)
        return len(dropped)

    async def create_room(self, name: str, *, public: bool = False, topic: str = "") -> RoomHandle:
        """Makes a room. The server learns name and topic of a public one; those of others are sealed.

        Raises:
            NameInvalid, NameTaken, TextInvalid: Name or topic cannot be used.
            Quota: There are too many rooms.
        """
        title, topic = new_room_name(name), valid_text(topic, MAX_TOPIC_BYTES)
        policy = public_policy(title, topic) if public else Policy(Kind.ROOM)
        return self._handle(await self.engine.room_changes.create(policy, title, topic))

    async def join(self, name: str) -> RoomHandle:
        """Joins a public room. Raises `NotFound`, `RoomFull`, `Banned` or `RateLimited`."""
        return self._handle(await self.engine.room_changes.join(room_name(name)))

    async def direct(self, user: str) -> RoomHandle:
        """Our direct messages with a user, begun where there are none, or where we had refused them.

        Raises:
            NotFound: There is no such account.
            Forbidden: It is ourselves.
        """
        engine, name = self.engine, user_name(user)
        await engine.auditing.look_for(name)
        engine.context.require_account(name)
        room, agrees = await engine.direct.reach(name)
        handle = self._handle(room)
        if agrees:
            await engine.agreements.agreed(room)  # first: the server may not carry it until then
            handle.accept()
        return handle

    async def public_rooms(self) -> list[messages.PublicRoom]:
        """All public rooms of the server, in order of name."""
        return await self.engine.requests.rows(
            messages.RoomList, messages.ListRooms, lambda page: page.rooms, lambda room: room.name
        )

    def search(
        self, words: str, room: str = "", limit: int = 50, *, before: MessageReceived | None = None
    ) -> list[MessageReceived]:
        """The newest messages on this device that hold all of these words, or words that begin so; the newest first.

        Args:
            words: What to look for; case, accents and signs do not count.
            room: Where, by default in all rooms that we are in.
            limit: How many at most.
            before: The last one that an earlier search has found: goes on behind it.

        Raises:
            NotMember: We are not in ``room``, or have not agreed to it.
        """
        engine, words = self.engine, valid_text(words)
        where = engine.rooms.find(room) if room else None
        if where is not None and where.offered:
            raise NotMember(f"room {room}: not agreed to")
        place = None if before is None else (before.room_id, before.message_id, before.sender)
        found = []
        room_id = None if where is None else where.room_id
        for message in engine.context.vault.archive.search(words, room_id, limit, place):
            of = engine.rooms.get(message.room_id)
            if of is not None:
                past = Past(engine.context.vault.archive, engine.rooms.conversation(of))
                found.append(replace(engine.contents.received(of, message), seq=past.place(of, message.seq)))
        return found

    async def audit(self) -> Audit:
        """What the server's log says about us and everybody with whom we share a room, and whether that holds."""
        return await self.engine.auditing.all()

    async def export_history(self, path: str, room: str = "") -> Exported:
        """Writes what this device keeps to a new file, with what proves it: for another device of ours, `import_history`.

        **The file is not sealed**: whoever reads it reads the messages, and can prove to others who wrote them. Only its
        owner may open it (0600). It works without a connection, after `open`.

        Args:
            path: A file that is not there yet.
            room: Which one, by default all that we have agreed to, those that we have left included.

        Raises:
            NotMember: We are not in ``room``, or have not agreed to it.
            PrivateFileError: It cannot be written; no part of it stays.
        """
        engine = self.engine
        kept = set(HistoryTable(engine.context.vault.database).rooms())
        rooms = [engine.rooms.find(room)] if room else [each for each in engine.rooms.all() if each.room_id in kept]
        if room and rooms[0].offered:
            raise NotMember(f"room {room}: not agreed to")
        wanted = [each for each in rooms if each.row is not None and not each.offered and not each.of_devices]
        return await HistoryWriter(engine.context, engine.rooms).write(Path(path), wanted)

    async def import_history(self, path: str) -> Imported:
        """Takes a file of `export_history` in, made by another device of ours; twice is the same as once.

        Each line is verified: who said it, by their device's certificate and the log. What does not stand is left out and
        named in the result; what was exported without proof is marked (`MessageReceived.unproved`). Messages of rooms that
        this device has never been in are not taken.

        Raises:
            HistoryInvalid: It is another account's, or no history that this version can read.
            LocalFileError: It cannot be read.
        """
        engine = self.engine
        return await HistoryReader(engine.context, engine.rooms, engine.contents).read(Path(path))

    async def set_away(self, *, away: bool) -> None:
        """Says whether the person is there; others in common rooms, and the server, see it.

        It holds until it is said anew, over lost connections too.
        """
        await self.engine.set_away(away=away)
