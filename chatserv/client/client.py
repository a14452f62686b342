"""The client: one account on one server, and everything that a program can ask it for."""

from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.threads import deferToThread

from chatserv.client.account.keyring import Keyring
from chatserv.client.account.profile import Profile
from chatserv.client.admin import Administration
from chatserv.client.commits.committer import ExistingRoom
from chatserv.client.commits.room_changes import direct_policy, public_policy
from chatserv.client.engine import Engine
from chatserv.client.events import ClientEvent, MessageReceived
from chatserv.client.lifecycle import Lifecycle
from chatserv.client.people import People
from chatserv.client.room_handle import RoomHandle
from chatserv.client.state.rooms import Room
from chatserv.clocks import now_ms, steady_seconds
from chatserv.crypto.room_state import MAX_TOPIC_BYTES, Kind, Policy
from chatserv.domain.names import room_name, user_name
from chatserv.domain.texts import valid_text
from chatserv.errors import ChatError, NotMember
from chatserv.local_errors import LocalProtocolError
from chatserv.wire import messages


class Client:
    """One account, through all its connections.

    There are two ways to hear what happens, in order: a callback, for programs with a loop of their own such as windows, or
    ``async for event in client``.

    Args:
        profile: Where keys and everything else of the account are kept.
        reactor: The reactor.
        on_event: Told everything that happens: see `chatserv.client.events`. A message counts as shown when the callback has
            returned; without a callback, when the loop comes back for the next event.
        token: See `start`.
        follow: Whether to be shown messages; without, they are kept for a client that follows.
        endpoint: Where to connect; by default TLS to the address that the keyring remembers.
        plain: Without TLS, which the server has to allow as well. The session inside and the pin protect what is said.
        receipts: Whether senders of direct messages are told that they arrived.
        in_thread: Runs slow functions; by default in the reactor's threads.
        clock: The date, milliseconds since 1970.
        seconds: A clock that never goes back, by which we notice silence and sleep. Timers are the reactor's: a program
            makes them as steady by `chatserv.client.use_steady_clock`.
    """

    def __init__(
        self,
        profile: Profile,
        reactor: Any,
        on_event: Callable[[ClientEvent], None] | None = None,
        *,
        token: bytes | None = None,
        follow: bool = True,
        endpoint: IStreamClientEndpoint | None = None,
        plain: bool = False,
        receipts: bool = True,
        in_thread: Callable[..., Any] = deferToThread,
        clock: Callable[[], int] = now_ms,
        seconds: Callable[[], float] = steady_seconds,
    ) -> None:
        self.profile = profile
        self._lifecycle = Lifecycle(
            profile, reactor, on_event, token, endpoint, follow=follow, plain=plain, receipts=receipts,
            in_thread=in_thread, clock=clock, seconds=seconds,
        )  # fmt: skip

    # -- life ----------------------------------------------------------------------------------------------------------

    def start(self, token: bytes | None = None) -> None:
        """Connects, and reconnects with a jittered back-off (1 to 60 s) until `stop` or a final refusal.

        What was received earlier and never shown is shown first.

        Args:
            token: The invite's token, where the account is not registered yet; empty on a server with open registration.

        Raises:
            ProfileError: Another program uses the profile.
            StorageError: What the profile keeps cannot be used.
        """
        self._lifecycle.start(token)

    def open(self) -> None:
        """Opens what this device keeps, to be read without a connection until `stop`. Raises what `start` raises."""
        self._lifecycle.open()

    def stop(self) -> "Deferred[None]":
        """Ends the session and connects no more; fires when the profile is free for others."""
        return self._lifecycle.stop()

    async def online(self) -> None:
        """Returns when everything is here; waits as long as the server is away. Raises a final refusal of the server."""
        await self._lifecycle.notifier.online()

    @property
    def engine(self) -> Engine:
        """Does the work; not for programs. Raises `LocalProtocolError` where the client is not started."""
        return self._lifecycle.engine

    @property
    def keyring(self) -> Keyring:
        """Who we are, and which server is ours."""
        return self._lifecycle.keyring

    # -- as an asynchronous context manager and iterator ---------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Starts, and waits until everything is here. Raises what `start` raises, and a final refusal of the server."""
        self.start()
        await self.online()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops. The event that was in hand is told again the next time where an exception ends the block."""
        if kind is None and self._lifecycle.stream is not None:
            self._lifecycle.stream.handled()
        await self.stop()

    def __aiter__(self) -> AsyncIterator[ClientEvent]:
        """Events, until the client is stopped. A final refusal of the server is raised."""
        if self._lifecycle.stream is None:
            raise LocalProtocolError("events go to the callback")
        return self._lifecycle.stream

    # -- who and where we are ------------------------------------------------------------------------------------------

    @property
    def user(self) -> str:
        """The name of our account."""
        return self.keyring.user

    @property
    def _running(self) -> Engine | None:
        return self._lifecycle.running

    @property
    def people(self) -> People:
        """Identities, safety numbers, devices."""
        engine = self.engine
        return People(engine.context, engine.requests, engine.rooms, engine.certificates, engine.outbox)

    @property
    def admin(self) -> Administration:
        """What administrators of the server can do."""
        return Administration(self.engine.requests, self.keyring)

    @property
    def is_admin(self) -> bool:
        """Whether our account is an administrator of the server."""
        return self.engine.role == "admin"

    @property
    def distrusted(self) -> bool:
        """Whether the server is proven to break the rules of its log: nothing is sent any more, also after a restart."""
        return self._running is not None and self._running.auditor.proven

    @property
    def unacknowledged(self) -> int:
        """How many sent messages are not known to be stored."""
        return 0 if self._running is None else self._running.outbox.unacknowledged

    @property
    def refusal(self) -> ChatError | None:
        """Why the server did not store the last message for now, such as a full disk there; the client tries again."""
        return None if self._running is None else self._running.outbox.refusal

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

    def _handle(self, room: Room) -> RoomHandle:
        notifier = self._lifecycle.notifier
        return RoomHandle(self.engine, room, notifier.await_acknowledgement, notifier.withdraw)

    # -- what is asked for ---------------------------------------------------------------------------------------------

    def send(self, room: str, text: str) -> "Deferred[int]":
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
        """Shows no more messages; they are kept for a client that follows."""
        self.engine.backlog.follow(False)

    def forget_unsent(self) -> int:
        """Gives up on messages of this run that are not acknowledged: they will not go out later. Returns how many.

        What `send` gave for them does not fire. What an earlier run has left still goes out.
        """
        self._lifecycle.notifier.withdraw_all()
        return self.engine.outbox.forget_unsent()

    async def create_room(self, name: str, *, public: bool = False, topic: str = "") -> RoomHandle:
        """Makes a room. The server learns name and topic of a public one; those of others are sealed.

        Raises:
            NameInvalid, NameTaken, TextInvalid: Name or topic cannot be used.
            Quota: There are too many rooms.
        """
        title, topic = room_name(name), valid_text(topic, MAX_TOPIC_BYTES)
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
        engine.context.require_account(name)
        room, begun = engine.rooms.direct(name), False
        if room is None:
            try:
                room = await engine.room_changes.create(direct_policy(), "", "", (name,))
            except ExistingRoom as existing:
                room = engine.rooms.look_at(existing.room_id)
                if not room.in_it:  # we were given too many rooms, and this one had to yield; it comes back now
                    await room.reach(0)
                begun = True
        if not room.in_it:
            raise NotMember(f"@{name}")
        handle = self._handle(room)
        if room.hidden or begun:
            await engine.agreements.agreed(room)  # first: the server may not carry it until then
            handle.accept()
        return handle

    async def public_rooms(self) -> list[messages.PublicRoom]:
        """All public rooms of the server, in order of name."""
        return await self.engine.requests.rows(
            messages.RoomList, messages.ListRooms, lambda page: page.rooms, lambda room: room.name
        )

    def search(self, words: str, room: str = "", limit: int = 50) -> list[MessageReceived]:
        """The newest messages on this device that hold all of these words, or words that begin so; the newest first.

        Args:
            words: What to look for; case, accents and signs do not count.
            room: Where, by default in all rooms that we are in. Raises `NotMember` for another.
            limit: How many at most.
        """
        engine, words = self.engine, valid_text(words)
        where = engine.rooms.find(room).room_id if room else None
        found = []
        for message in engine.context.vault.archive.search(words, where, limit):
            of = engine.rooms.get(message.room_id)
            if of is not None:
                found.append(engine.contents.received(of, message))
        return found

    async def set_away(self, *, away: bool) -> None:
        """Says whether the person is there; others in common rooms, and the server, see it.

        It holds until it is said anew, over lost connections too.
        """
        await self.engine.set_away(away=away)
