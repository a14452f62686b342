"""IRC clients beside the terminal: the same process, the same client."""

from typing import Any, cast
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock

from chatserv.client import Client
from chatserv.testing.world import Person
from clients.irc.beside import IrcBeside, with_irc
from clients.irc.settings import IrcSettings
from clients.shared.arguments import Arguments, parse_arguments
from clients.shared.exit_codes import DONE, USAGE, Exit
from clients.terminal.conversation import Conversation
from tests.clients.irc.irc_world import IrcPeer, IrcTestCase
from tests.clients.terminal.conversation_fakes import FakeScreen


class TerminalTests(IrcTestCase):
    """``chatserv-client --irc``."""

    def setUp(self) -> None:
        """A reactor that listens, too."""
        super().setUp()
        self.ports = MemoryReactorClock()
        for name in ("listenTCP", "addSystemEventTrigger"):
            setattr(self.world.reactor, name, getattr(self.ports, name))

    def begin(self, person: Person, *argv: str) -> Conversation:
        """The terminal of somebody, in place of what they had; ``self.codes`` will have its exit code."""
        person.leave_the_machine()
        world = self.world

        def client(profile: Any, reactor: Any, on_event: Any, *, follow: bool, plain: bool) -> Client:
            del plain
            return Client(profile, reactor, on_event, follow=follow, **world.surroundings)

        def make(reactor: Any, arguments: Arguments, profile: Any) -> Conversation:
            return Conversation(reactor, arguments, profile, FakeScreen, cast(Any, client))

        arguments = parse_arguments(["--profile", person.name, "--notify", "none", "--irc", *argv])
        made = with_irc(make)(world.reactor, arguments, person.profile)
        assert isinstance(made, Conversation)
        self.codes: list[Any] = []
        Deferred.fromCoroutine(made.run()).addBoth(self.codes.append)
        world.settle()
        return made

    def printed(self, conversation: Conversation) -> str:
        """What stands on the terminal."""
        return "\n".join(cast(FakeScreen, conversation._screen).lines)

    def irc(self, conversation: Conversation, person: Person) -> IrcPeer:
        """An IRC client of somebody, who knows the password."""
        (service,) = cast(list[IrcBeside], conversation._beside)
        peer = IrcPeer(self.world, service._face.around)
        peer.say(f"PASS {person.name}:{IrcSettings(person.profile).password}", "NICK x", "USER x 0 * :x")
        return peer

    def test_both_ways(self) -> None:
        """What is typed over IRC stands in the terminal and comes to others; what is typed there comes over IRC."""
        terminal = self.begin(self.bob)
        peer = self.irc(terminal, self.bob)
        self.assertTrue(peer.session.registered)
        peer.say("PRIVMSG #lobby :from irssi")
        self.assertIn("<bob> from irssi", self.printed(terminal))
        self.assertIn(("bob", "from irssi"), self.alice.texts("lobby"))
        terminal.line_typed("from the terminal")
        self.world.settle(2)
        self.assert_line(peer.take(), ":bob!bob@chat PRIVMSG #lobby :from the terminal")

    def test_life(self) -> None:
        """It listens on loopback, shows the password, and ends with the terminal; clients are told."""
        terminal = self.begin(self.bob, "7000")
        listening = [(port, interface) for port, _, _, interface in self.ports.tcpServers]
        self.assertEqual(listening, [(7000, "127.0.0.1"), (7000, "::1")])
        self.assertIn("IRC clients connect to 127.0.0.1, port 7000", self.printed(terminal))
        self.assertIn(IrcSettings(self.bob.profile).password, self.printed(terminal))
        peer = self.irc(terminal, self.bob)
        terminal.leave()
        self.world.settle(2)
        self.assertEqual(self.codes, [DONE])
        self.assertIn("ERROR :This program ends", peer.take())
        self.assertTrue(peer.closed)

    def test_taken(self) -> None:
        """A port that somebody has ends it in words, before anything is drawn or connected."""
        taken = CannotListenError("127.0.0.1", 6667, OSError(98, "Address already in use"))
        with patch.object(self.world.reactor, "listenTCP", side_effect=taken):
            terminal = self.begin(self.bob)
        (failure,) = self.codes
        end = failure.value
        self.assertIsInstance(end, Exit)
        self.assertEqual(end.code, USAGE)
        self.assertIn("Port 6667 of 127.0.0.1 cannot be listened to: Address already in use.", end.message)
        self.assertEqual((self.printed(terminal), cast(FakeScreen, terminal._screen).open), ("", False))

    def test_unasked(self) -> None:
        """Without the option nothing listens."""
        run = object()
        made = with_irc(lambda *_: cast(Any, run))(self.world.reactor, parse_arguments([]), self.bob.profile)
        self.assertIs(made, run)

    def test_another_client(self) -> None:
        """Whoever is there when the client is another one connects anew; without a client no password fits."""
        said: list[str] = []
        service = IrcBeside(self.world.reactor, 6667, said.append)
        service.serve({"bob": (self.bob.profile, self.bob.client)})
        login = (f"PASS {IrcSettings(self.bob.profile).password}", "NICK x", "USER x 0 * :x")
        first = IrcPeer(self.world, service._face.around)
        self.assert_numeric(first.say(*login), "001")
        service.serve({})
        self.assertTrue(first.closed)
        self.assert_numeric(IrcPeer(self.world, service._face.around).say(*login), "464")
        service.serve({"bob": (self.bob.profile, self.bob.client)})
        self.assert_numeric(IrcPeer(self.world, service._face.around).say(*login), "001")
