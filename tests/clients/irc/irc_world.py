"""A server, people, and IRC clients of theirs, in memory."""

from collections.abc import Callable
from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.world import Person, World
from clients.irc.connection import IrcConnection, IrcFactory
from clients.irc.lines import parse_tags
from clients.irc.session import Session
from clients.irc.settings import Bounds, IrcSettings
from clients.irc.surroundings import Account, Surroundings
from clients.irc.table import TABLE

PLAIN = ""
MODERN = (
    "account-tag away-notify batch draft/channel-rename draft/message-redaction draft/read-marker echo-message "
    "extended-join invite-notify labeled-response message-tags multi-prefix server-time standard-replies soju.im/search"
)


class Wire(StringTransport):
    """A transport that ends the connection when it is asked to."""

    abortCalled = False  # noqa: N815 - Twisted's word
    gone: Callable[[], object]

    def loseConnection(self) -> None:
        """Soon."""
        if not self.disconnecting:
            super().loseConnection()
            self.gone()

    def abortConnection(self) -> None:
        """At once."""
        self.abortCalled = True
        self.loseConnection()


class IrcPeer:
    """One IRC client."""

    def __init__(self, world: World, around: Surroundings) -> None:
        self._world = world
        self.wire = Wire()
        self.connection: IrcConnection = IrcFactory(around).buildProtocol(None)
        self.wire.gone = lambda: world.reactor.callLater(0, self.connection.connectionLost)
        self.connection.makeConnection(self.wire)

    @property
    def session(self) -> Session:
        """What the other side knows of it."""
        assert self.connection.session is not None
        return self.connection.session

    @property
    def closed(self) -> bool:
        """Whether it was cut off."""
        return self.wire.disconnecting

    def give(self, data: bytes) -> None:
        """Bytes, as they are."""
        self.connection.dataReceived(data)

    def say(self, *lines: str, seconds: int = 2) -> list[str]:
        """Sends lines, lets time pass, and gives what has come."""
        self.give("".join(f"{line}\r\n" for line in lines).encode())
        self._world.settle(seconds)
        return self.take()

    def take(self) -> list[str]:
        """The lines that have come since."""
        found: str = self.wire.value().decode()
        self.wire.clear()
        return found.split("\r\n")[:-1]


class IrcTestCase(SynchronousTestCase):
    """Alice, who owns the lobby, and bob, with IRC clients."""

    bounds = Bounds()

    def setUp(self) -> None:
        """They register."""
        self.world = World()
        self.addCleanup(self.world.close)
        self.alice = self.world.person("alice", admin=True)
        self.bob = self.world.person("bob")
        self._around: dict[str, Surroundings] = {}

    def around(self, person: Person) -> Surroundings:
        """What the IRC clients of somebody have in common."""
        if person.name not in self._around:
            accounts = {person.name: Account(person.client, IrcSettings(person.profile))}
            self._around[person.name] = Surroundings(
                accounts, self.bounds, self.world.reactor, self.world.server.now_ms, TABLE
            )
        return self._around[person.name]

    def settings(self, person: Person) -> IrcSettings:
        """What is kept of the IRC side of somebody."""
        return self.around(person).accounts[person.name].settings

    def stranger(self, person: Person) -> IrcPeer:
        """A client that has said nothing yet."""
        return IrcPeer(self.world, self.around(person))

    def peer(self, person: Person, caps: str = PLAIN, client: str = "irc") -> IrcPeer:
        """A client that is there, and has read how things stand."""
        peer = self.stranger(person)
        password = self.settings(person).password
        more = ("CAP LS 302", f"CAP REQ :{caps}") if caps else ()
        peer.say(
            *more, f"PASS {person.name}@{client}:{password}", "NICK x", "USER x 0 * :x", *(("CAP END",) if caps else ())
        )
        self.assertTrue(peer.session.registered)
        return peer

    def assert_line(self, lines: list[str], wanted: str) -> None:
        """One of the lines is this one; tags do not count."""
        self.assertIn(wanted, [bare(line) for line in lines])

    def assert_numeric(self, lines: list[str], code: str, *words: str) -> None:
        """One of the lines is this numeric, with these words."""
        found = [line for line in map(bare, lines) if line.split(" ")[1:2] == [code]]
        self.assertTrue(found, lines)
        for word in words:
            self.assertTrue(any(word in line for line in found), (word, found))


def bare(line: str) -> str:
    """A line without its tags."""
    return line.partition(" ")[2] if line.startswith("@") else line


def tags(line: str) -> dict[str, Any]:
    """The tags of a line."""
    return parse_tags(line[1:].partition(" ")[0]) if line.startswith("@") else {}
