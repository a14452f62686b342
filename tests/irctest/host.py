"""The IRC gateway as irctest wants a server: whoever says ``NICK name`` is the account of that name, made as it comes.

Run by ``chatserv_controller``, which says on standard input ``open PORT PASSWORD`` (``-``: none), ``register NAME PASSWORD``
and ``close``, and waits for ``ok`` each time. The chat server and the clients are in memory, and time passes there while a
line is carried out, and at no other time: what somebody said has arrived everywhere before the next line is read.
"""

import re
import sys
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from chatserv.client import ChatError, ClientEvent, RoomOffered
from chatserv.testing.memory_server import keyring
from chatserv.testing.world import Person, World
from clients.irc.connection import IrcConnection
from clients.irc.names import user_of
from clients.irc.settings import FILE_NAME, Bounds, IrcSettings
from clients.irc.surroundings import Account, Surroundings
from clients.irc.table import TABLE

_SECONDS: Final = 8
"""Of the world's time, for each line: commits take some."""
_NAMES: Final = ("foo", "bar", "baz", "qux", "alice", "bob", "carol", "chanop")
"""Whose keys are made at the beginning: irctest waits for a second at most, and RSA takes longer at times."""
_DAY: Final = 86_400.0
_UNFINISHED_BYTES: Final = 65_536
_BAN: Final = re.compile(r"^#\S+ \+b ([a-z]+)!\*@\*$")
_SERVER: Final = "My.Little.Server"
"""What irctest expects a server to be called."""


class Ground:
    """A server, and the accounts that have come so far.

    Args:
        password: What IRC clients have to say, beside a nick; empty: nothing.
    """

    def __init__(self, password: str) -> None:
        self.password, self.world = password, World()
        self.people: dict[str, Person] = {}
        self.accounts: dict[str, Account] = {}
        self.away: set[str] = set()
        self.registered: set[str] = set()
        self.spelled: dict[bytes, bytes] = {}
        """Nicks as irctest spells them: names of accounts have no capitals."""
        bounds = Bounds(register_seconds=_DAY, wrong_passwords=1000)
        self.around = Surroundings(self.accounts, bounds, self.world.reactor, self.world.server.now_ms, TABLE)

    def login(self, nick: str, said: str) -> str:
        """What PASS has to say for this nick; a nick that is no name gets a password that is none."""
        if self.password and said != self.password:
            return "wrong"
        try:
            name = self.come(nick)
            if name in self.away:
                self._back(name)
        except ChatError:
            return "wrong"
        if nick != name:
            self.spelled[name.encode()] = nick.encode()
        return f"{name}:{self.accounts[name].settings.password}"

    def _back(self, name: str) -> None:
        person = self.people[name]
        self.away.remove(name)
        person.come_back()
        self._serve(person, self.accounts[name].settings)
        for handle in person.client.handles():
            if handle.offered and handle.direct:
                handle.accept()
        self.world.settle(_SECONDS)

    def gone(self, name: str) -> None:
        """An IRC client has gone; with the last one of somebody their program ends, as irctest expects it of people.

        Accounts that it has registered stay: it logs in to them before it says who comes.
        """
        if name not in self.registered and all(
            each.account is None or each.client.user != name for each in self.around.sessions
        ):
            self._leave(name)

    def ban(self, banned: "re.Match[str] | None") -> None:
        """Irctest bans nicks that nobody has yet; here they are accounts."""
        if banned is not None and banned[1] not in self.people:
            self.come(banned[1])
            self._leave(banned[1])

    def _leave(self, name: str) -> None:
        self.people[name].leave_the_machine()
        self.away.add(name)

    def come(self, nick: str, password: str = "") -> str:
        """Makes the account, if there is none yet, and lets it and all others know of each other. Gives its name."""
        name = user_of(nick)
        if name in self.people:
            return name
        person = self.world.person(name)
        if password:
            person.profile.write(FILE_NAME, msgspec.json.encode({"password": password}))
        settings = IrcSettings(person.profile)
        settings.set("create_on_join", "public")
        self._serve(person, settings)
        for other in self.people.values():
            self.world.do(person.client.direct(other.name))
        self.world.settle(_SECONDS)
        self.people[name] = person
        return name

    def _serve(self, person: Person, settings: IrcSettings) -> None:
        self.accounts[person.name] = Account(person.client, settings)

        def accept(event: ClientEvent) -> None:
            if isinstance(event, RoomOffered) and event.room.startswith("@"):
                person.client.room_by_id(event.room_id).accept()

        person.client.listen(accept, name="accepts")


class Peer(Protocol):
    """A connection of irctest's, in front of one of the gateway's.

    Args:
        ground: Where.
    """

    transport: Any

    def __init__(self, ground: Ground) -> None:
        self._ground, self._said, self._over = ground, "", False
        self._buffer = b""
        self._inner = IrcConnection(ground.around)

    def connectionMade(self) -> None:
        """Somebody is there."""
        self._inner.makeConnection(Wire(self.transport, self._ground))

    def dataReceived(self, data: bytes) -> None:
        """Whole lines are carried out one by one; before NICK the password of that account is given."""
        self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        if len(self._buffer) > _UNFINISHED_BYTES:
            self._give(self._buffer)
            self._buffer = b""
        for line in lines:
            verb, _, rest = line.strip().decode(errors="replace").partition(" ")
            self._ground.ban(_BAN.search(rest))
            registered = self._inner.session is None or self._inner.session.registered
            if verb.upper() == "PASS" and not registered:
                self._said = rest.removeprefix(":")
                continue
            if verb.upper() == "NICK" and rest and not registered:
                self._give(f"PASS {self._ground.login(rest.removeprefix(':'), self._said)}\n".encode())
            self._give(line + b"\n")

    def _give(self, data: bytes) -> None:
        if not self._over:
            self._inner.dataReceived(data)
            self._ground.world.settle(_SECONDS)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over."""
        self._over = True
        session = self._inner.session
        self._inner.connectionLost(reason)
        if session is not None and session.account is not None:
            self._ground.gone(session.client.user)
        self._ground.world.settle(_SECONDS)


class Wire:
    """What the gateway writes to: everything else is the socket's.

    Args:
        transport: The socket.
        ground: Where.
    """

    def __init__(self, transport: Any, ground: Ground) -> None:
        self._transport, self._ground = transport, ground

    def write(self, data: bytes) -> None:
        """One line; offers of direct messages are accepted before anybody could be told of them."""
        if b" 718 " in data:
            return
        for name, spelled in self._ground.spelled.items():
            data = re.sub(rb"\b%b\b" % re.escape(name), spelled, data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Orders(LineOnlyReceiver):
    """Standard input.

    Args:
        reactor: The reactor.
        over: Told when it has ended.
    """

    delimiter = b"\n"
    transport: Any

    def __init__(self, reactor: Any, over: "Deferred[None]") -> None:
        self._reactor, self._over = reactor, over
        self._port: Any = None
        self._ground = Ground("")

    def lineReceived(self, line: bytes) -> None:
        """``open PORT PASSWORD``, ``register NAME PASSWORD`` or ``close``."""
        word, *more = line.decode().split(" ")
        if word == "open":
            self._ground = Ground(more[1].removeprefix("-"))
            factory = Factory.forProtocol(lambda: Peer(self._ground))
            self._port = self._reactor.listenTCP(int(more[0]), factory, interface="127.0.0.1")
            self.sendLine(b"ok")
        elif word == "register":
            self._ground.registered.add(self._ground.come(*more))
            self.sendLine(b"ok")
        else:
            self._port.stopListening().addCallback(lambda _: self._close())

    def _close(self) -> None:
        self._ground.world.close()
        self.sendLine(b"ok")

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002 - irctest is over
        """The end."""
        self._over.callback(None)


def main(reactor: Any) -> "Deferred[None]":
    """Until standard input ends."""
    for name, module in list(sys.modules.items()):
        if name.startswith("clients.irc.") and hasattr(module, "SERVER"):
            vars(module)["SERVER"] = _SERVER
    for name in _NAMES:
        keyring(name)
    over: Deferred[None] = Deferred()
    StandardIO(Orders(reactor, over))
    return over


if __name__ == "__main__":
    react(main)
