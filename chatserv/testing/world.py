"""People who talk: clients of the library against a whole server in memory, with time of its own.

For tests of programs that use `chatserv.client`, without network, threads, disk or waiting::

    world = World()
    alice = world.person("alice", admin=True)      # makes the lobby
    bob = world.person("bob")
    bob.say("lobby", "hello")
    alice.texts("lobby")                           # [("bob", "hello")]

    phone = world.new_device(bob, code=bob.recovery_code)      # all that a person has, on another machine
    tablet = world.approved_device(bob)                        # the same, with bob's other device at hand

    bot = world.person("bot", listens=False)       # bot.client has no callback: `async for event in bot.client`
    running = Deferred.fromCoroutine(my_program(bot.client))
    alice.say("lobby", "@bot hello")
    world.settle()                                 # some seconds pass, in no time
    world.close()
"""

import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from chatserv.client.account.profile import Profile
from chatserv.client.client import Client
from chatserv.client.events import ClientEvent, MessageReceived, Status, StatusChanged
from chatserv.client.recovery.guest import Guest
from chatserv.client.recovery.login import log_in
from chatserv.client.room_handle import RoomHandle
from chatserv.domain.roles import Role
from chatserv.testing.memory_server import PASSWORD, MemoryServer, server_id
from chatserv.wire.link import ServerLink

T = TypeVar("T")
E = TypeVar("E", bound=ClientEvent)
PATIENCE_SECONDS = 120


class Person:
    """One account with its client."""

    def __init__(
        self,
        world: "World",
        name: str,
        profile: Profile,
        token: bytes | None,
        *,
        follow: bool = True,
        listens: bool = True,
    ) -> None:
        self.world, self.name, self.profile, self._listens = world, name, profile, listens
        self._code = ""
        self.told: list[ClientEvent] = []
        self.client = self._make(follow=follow)
        self.client.start(token)

    def _make(self, *, follow: bool) -> Client:
        on_event = self.told.append if self._listens else None
        return Client(self.profile, self.world.reactor, on_event, follow=follow, **self.world.surroundings)

    # -- life ----------------------------------------------------------------------------------------------------------

    def leave_the_machine(self) -> None:
        """Stops the program."""
        self.client.stop()
        self.world.run()

    def come_back(self, *, follow: bool = True) -> None:
        """Starts the program again, with nothing but its files."""
        self.told.clear()
        self.client = self._make(follow=follow)
        self.client.start()
        self.world.settle()

    @property
    def online(self) -> bool:
        """Whether everything is here."""
        statuses = [event.status for event in self.told if isinstance(event, StatusChanged)]
        return bool(statuses) and statuses[-1] is Status.ONLINE

    # -- doing ---------------------------------------------------------------------------------------------------------

    def do(self, work: "Coroutine[Any, Any, T] | Deferred[T]") -> T:
        """Waits for something, while time passes; gives its result or raises its error."""
        return self.world.do(work)

    def room(self, name: str) -> RoomHandle:
        """One of our rooms."""
        return self.client.room(name)

    def say(self, room: str, text: str) -> int:
        """Sends a text and waits until it is stored."""
        return self.do(self.client.send(room, text))

    @property
    def recovery_code(self) -> str:
        """The code that opens our backup; the first time it is made."""
        if not self._code:
            self._code = self.do(self.client.account.new_recovery()).code
        return self._code

    # -- what was seen -------------------------------------------------------------------------------------------------

    def events(self, kind: type[E]) -> list[E]:
        """The events of one kind, in order."""
        return [event for event in self.told if isinstance(event, kind)]

    def texts(self, room: str) -> list[tuple[str, str | None]]:
        """Who said what, as it was shown."""
        return [(event.sender, event.text) for event in self.events(MessageReceived) if event.room == room]


class World:
    """A server and its people.

    Args:
        directory: For profiles; by default one that goes with the process.
        **limits: Limits of the server.
    """

    def __init__(self, directory: str = "", **limits: Any) -> None:
        self._temporary = None if directory else tempfile.TemporaryDirectory()
        self.directory = directory or f"{self._temporary.name}/profiles"  # type: ignore[union-attr]
        self.server = self._make_server(**limits)
        self.people: list[Person] = []

    def _make_server(self, **limits: Any) -> MemoryServer:
        return MemoryServer(**limits)

    def person(
        self,
        name: str,
        role: Role = Role.USER,
        *,
        admin: bool = False,
        wait: bool = True,
        follow: bool = True,
        listens: bool = True,
    ) -> Person:
        """Registers somebody, who is in the lobby then, if an administrator was there before, or is one.

        Args:
            name: User name.
            role: On the server.
            admin: The same as ``Role.ADMIN``.
            wait: Whether to let time pass until everything is done.
            follow: See `Client`.
            listens: Whether `Person.told` gets the events; without, the client is one to iterate over.
        """
        token = self.server.invite(name, Role.ADMIN if admin else role)
        Path(self.directory).mkdir(mode=0o700, exist_ok=True)
        profile = self.server.profile(f"{self.directory}/{name}", name)
        person = Person(self, name, profile, token, follow=follow, listens=listens)
        self.people.append(person)
        if wait:
            self.settle()
        return person

    # -- further devices -----------------------------------------------------------------------------------------------

    def guest(self, name: str, device: str = "new") -> Guest:
        """Logs somebody in on a machine that has no account; to be closed.

        Args:
            name: User name.
            device: What the machine's profile is called; one that is there already is taken again.
        """
        profile = Profile.named(f"{name}-{device}", Path(self.directory))
        around = {key: self.surroundings[key] for key in ("endpoint", "in_thread", "clock", "seconds")}
        link = ServerLink("chat.example", 5000, server_id())
        return self.do(log_in(profile, link, name, PASSWORD, reactor=self.reactor, **around))

    def new_device(self, person: Person, code: str, device: str = "new", *, wait: bool = True) -> Person:
        """A further device of somebody, by the recovery code; their other devices need not be there.

        Args:
            person: Whose.
            code: `Person.recovery_code`.
            device: What its profile is called.
            wait: Whether to let time pass until it is in all rooms.
        """
        guest = self.guest(person.name, device)
        self.do(guest.recover(code))
        return self._arrived(person, guest, device, wait=wait)

    def approved_device(
        self, person: Person, device: str = "approved", *, hand_over: bool = False, wait: bool = True
    ) -> Person:
        """A further device of somebody, approved by the one that is given, which has to be online.

        Args:
            person: Whose, and on which device it is approved.
            device: What its profile is called.
            hand_over: Whether it gets the identity key.
            wait: Whether to let time pass until it is in all rooms.
        """
        guest, words = self.guest(person.name, device), list[str]()
        asking = Deferred.fromCoroutine(guest.ask(words.append, _same))
        self.run()
        (waiting,) = [each for each in person.client.devices.waiting if each.words in words]
        self.do(person.client.devices.approve(waiting.device_id, hand_over=hand_over))
        self.do(asking)
        return self._arrived(person, guest, device, wait=wait)

    def _arrived(self, person: Person, guest: Guest, device: str, *, wait: bool) -> Person:
        self.do(guest.close())
        profile = Profile.named(f"{person.name}-{device}", Path(self.directory))
        arrived = Person(self, person.name, profile, None)
        self.people.append(arrived)
        if wait:
            self.settle(30)
        return arrived

    # -- for clients that somebody else makes --------------------------------------------------------------------------

    @property
    def reactor(self) -> Any:
        """The reactor of this world, whose time passes in `settle` and `do`."""
        return self.server.reactor

    @property
    def surroundings(self) -> dict[str, Any]:
        """Further arguments of a `Client` that belongs to this world."""
        return {
            "endpoint": self.server.endpoint(),
            "in_thread": maybeDeferred,
            "clock": self.server.now_ms,
            "seconds": self.server.reactor.seconds,
        }

    def link(self, name: str, role: Role = Role.USER) -> ServerLink:
        """The link that lets somebody register."""
        return ServerLink("chat.example", 5000, server_id(), self.server.invite(name, role))

    def do(self, work: "Coroutine[Any, Any, T] | Deferred[T]") -> T:
        """Waits for something, while time passes; gives its result or raises its error."""
        waiting = Deferred.fromCoroutine(work) if isinstance(work, Coroutine) else work
        results: list[Any] = []
        waiting.addBoth(results.append)
        for _ in range(PATIENCE_SECONDS):
            self.run()
            if results:
                break
            self.server.pass_time(1)
        if not results:
            raise AssertionError("nothing comes of it")
        self.run()
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]  # type: ignore[no-any-return]

    def close(self) -> None:
        """Everybody goes."""
        for person in self.people:
            person.client.stop()
        self.run()

    def run(self) -> None:
        """Moves bytes, and ends turns of the reactor, until nothing moves at this moment."""
        for _ in range(1000):
            self.server.reactor.advance(0)
            if not self.server.run():
                return
        raise AssertionError("it never ends")

    def settle(self, seconds: int = 8) -> None:
        """Lets some time pass: what anybody does by themselves after a moment is done then."""
        for _ in range(seconds):
            self.run()
            self.server.pass_time(1)
        self.run()


async def _same(_words: str) -> bool:
    """Somebody has compared them."""
    return True
