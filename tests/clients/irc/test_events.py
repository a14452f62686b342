"""What happens, as IRC clients are told it: alarms, the service, and texts of people who mean harm."""

import gettext
from typing import Any, Final

from chatserv import i18n
from chatserv.client import (
    Alarm,
    Announced,
    ClientEvent,
    GapSeen,
    IdentityChanged,
    KeysBroken,
    MessageReceived,
    RoomLeft,
    Status,
    StatusChanged,
)
from chatserv.client.events import MessagesMissing, RoomRewound, SendHeld
from clients.irc.events import Events
from clients.irc.texts import for_irc
from tests.clients.irc.irc_world import MODERN, IrcPeer, IrcTestCase, bare
from tests.support import catalogues

SERVICE: Final = ":*chatserv!chatserv@chat"
HOSTILE: Final = (
    "a\r\nQUIT :b",
    "a\nPRIVMSG #lobby :b",
    "a\0b",
    "\x01DCC SEND x 1 2 3\x01",
    "\x1b]0;title\x07",
    ":alice!alice@chat PRIVMSG #lobby :forged",
    "@time=1 :x",
    "a\u2028b\u2029c\x85d\ve\ff",
    "\u202eevil",
    "\x03" + "04,12red",
    "é" * 3000,
    "x" * 8000,
    "\udcff",
    "\r",
    "👨‍👩‍👧",
)


class WarningTests(IrcTestCase):
    """What is wrong."""

    def tell(self, peer: IrcPeer, event: ClientEvent) -> list[str]:
        """Tells one client something."""
        Events(peer.session).happened(event)
        return peer.take()

    def test_places(self) -> None:
        """Each stands in every room that it is about, with the command that ends it as it is said here."""
        bob = self.peer(self.bob)
        lobby = self.bob.room("lobby").room_id
        events: tuple[Any, ...] = (
            SendHeld("lobby", ("alice",), lobby),
            GapSeen("lobby", 3, 4, lobby),
            MessagesMissing("lobby", "alice", 2, "", lobby),
            RoomRewound("lobby", 9, 3, lobby),
            KeysBroken("lobby", "alice", lobby),
            Alarm("room_stuck", room_id=lobby),
            IdentityChanged("alice", was_verified=True),
        )
        for event in events:
            lines = self.tell(bob, event)
            self.assertTrue(lines, event)
            for line in lines:
                self.assertTrue(line.startswith(f"{SERVICE} NOTICE #lobby :"), line)
        self.assertIn("/msg *chatserv verify", self.tell(bob, events[0])[0])
        self.assertTrue(self.tell(bob, Alarm("log_forked"))[0].startswith(f"{SERVICE} NOTICE bob :"))

    def test_direct(self) -> None:
        """What is about direct messages stands in their window, and is marked."""
        alice, bob = self.peer(self.alice), self.peer(self.bob)
        alice.say("PRIVMSG bob :hello", seconds=8)
        bob.say("ACCEPT alice", seconds=8)
        lines = self.tell(bob, IdentityChanged("alice", was_verified=False))
        self.assertEqual(sum(line.startswith(":alice!chatserv@chatserv NOTICE bob :*chatserv: ") for line in lines), 1)
        self.assertEqual(sum(line.startswith(f"{SERVICE} NOTICE #lobby :") for line in lines), 1)

    def test_again(self) -> None:
        """It is told to each client that comes, until it is over."""
        event = SendHeld("lobby", ("alice",), self.bob.room("lobby").room_id)
        self.patch(self.bob.client._lifecycle.notifier.troubles, "open", lambda _: [event])
        for client in ("one", "two"):
            peer = self.stranger(self.bob)
            password = self.settings(self.bob).password
            lines = peer.say(f"PASS bob@{client}:{password}", "NICK x", "USER x 0 * :x")
            self.assertTrue(any("/msg *chatserv verify" in line for line in lines), lines)

    def test_commands(self) -> None:
        """Commands in our texts, and nothing else that has a slash."""
        self.assertEqual(
            for_irc("type /verify bob or /trust."), "type /msg *chatserv verify bob or /msg *chatserv trust."
        )
        self.assertEqual(
            for_irc("and/or 1/2 http://x/y /msg *chatserv who"), "and/or 1/2 http://x/y /msg *chatserv who"
        )
        self.assertEqual(for_irc("(/delete-account bob)"), "(/msg *chatserv delete-account bob)")
        for same in ("/home/bob /log/x /log.txt /delete-me //who a/who", "use /msg bob; /me waves"):
            self.assertEqual(for_irc(same), same)

    def test_status(self) -> None:
        """The connection is told once when it goes, and when it comes back; why it ends for good."""
        bob = self.peer(self.bob)
        events = Events(bob.session)
        for status, lines in ((Status.OFFLINE, 1), (Status.OFFLINE, 0), (Status.ONLINE, 1), (Status.ONLINE, 0)):
            events.happened(StatusChanged(status))
            self.assertEqual(len(bob.take()), lines, status)
        events.happened(StatusChanged(Status.FAILED))
        self.assertIn("NOTICE bob", bob.take()[0])

    def test_announced(self) -> None:
        """An announcement is marked as not encrypted."""
        (line,) = self.tell(self.peer(self.bob), Announced("news\r\nQUIT", 0))
        self.assertEqual(
            line, f"{SERVICE} NOTICE bob :From the server's administrators, not end-to-end encrypted: news⏎QUIT"
        )

    def test_closed(self) -> None:
        """A room that was closed."""
        lines = self.tell(self.peer(self.bob), RoomLeft("lobby", room_id=self.bob.room("lobby").room_id, closed=True))
        self.assertIn("is closed, for everybody", lines[0])
        self.assertEqual(lines[1], ":bob!bob@chat PART #lobby")


class HostileTests(IrcTestCase):
    """Texts of members."""

    def check(self, peer: IrcPeer, verbs: set[str]) -> None:
        """Nothing but these came, and no line has what could be another."""
        raw = peer.wire.value()
        self.assertNotIn(b"\0", raw)
        self.assertEqual(raw.count(b"\r"), raw.count(b"\n"))
        self.assertEqual(raw.count(b"\r\n"), raw.count(b"\n"))
        for line in peer.take():
            source, verb = bare(line).split(" ")[:2]
            self.assertIn(verb, verbs, line)
            self.assertIn(source, {":alice!alice@chat", ":bob!bob@chat", SERVICE, ":chatserv"})
            self.assertNotRegex(line, "[\x00\x1b\x7f\x80-\x9f\u2028\u2029\u202e]")

    def test_messages(self) -> None:
        """As messages, actions, edits and signs they are texts, each in its lines, for old clients and new ones."""
        peers = [self.peer(self.bob), self.peer(self.bob, MODERN, "m")]
        events = [Events(each.session) for each in peers]
        room_id = self.bob.room("lobby").room_id
        for text in HOSTILE:
            for action in (False, True):
                message = MessageReceived(
                    "lobby", 9999, 1, "alice", bytes(16), text, own=False, action=action, room_id=room_id
                )
                for peer, each in zip(peers, events, strict=True):
                    each.happened(message)
                    self.check(peer, {"PRIVMSG"})

    def test_really(self) -> None:
        """Through a server: what it lets through arrives in one piece, topics, names and reasons too."""
        peer = self.peer(self.bob, MODERN)
        for text in HOSTILE:
            try:
                self.alice.say("lobby", text)
                message = self.alice.events(MessageReceived)[-1]
                self.alice.do(self.alice.room("lobby").react(message.message_id, text[:8]))
            except Exception:  # noqa: BLE001, S112 - the library does not take everything
                continue
        self.world.settle()
        self.check(peer, {"PRIVMSG", "TAGMSG", "NOTICE"})
        for text in HOSTILE:
            try:
                self.alice.do(self.alice.room("lobby").set_topic(text))
            except Exception:  # noqa: BLE001, S112 - likewise
                continue
        self.world.settle()
        self.check(peer, {"TOPIC"})

    def test_typed(self) -> None:
        """What an IRC client says comes back in no answer as more than a word."""
        peer = self.peer(self.bob, "standard-replies")
        verbs = "JOIN,PART,TOPIC,KICK #lobby,WHO,WHOIS,MODE,MODE #lobby +o,INVITE,NAMES,REDACT,ACCEPT,PRIVMSG,CAP,PING"
        for verb in verbs.split(","):
            for text in (":a b", ":", "::x", ":@a :b", ":#x y", ":\x1b[0m", "*", ":" + "x" * 4000):
                peer.say(f"{verb} {text}", seconds=0)
        self.world.settle()
        raw = peer.wire.value()
        self.assertEqual(raw.count(b"\r\n"), raw.count(b"\n"))
        self.assertFalse(self.flushLoggedErrors())


class ServiceTests(IrcTestCase):
    """What is said to ``*chatserv``."""

    def test_commands(self) -> None:
        """Slash commands, with and without the slash, in a room that is named in front."""
        peer = self.peer(self.bob)
        for line in ("who", "/who", "#lobby who", "#lobby /who"):
            lines = peer.say(f"PRIVMSG *chatserv :{line}")
            self.assertTrue(any("alice" in each for each in lines), line)
            self.assertTrue(all(each.startswith(f"{SERVICE} PRIVMSG bob :") for each in lines), lines)
        self.assertIn(
            "not in a room",
            peer.say("PRIVMSG *chatserv :#attic who")[0].replace("You are not a member", "not in a room"),
        )
        self.assertTrue(peer.say("PRIVMSG *chatserv :nonsense")[0].startswith(SERVICE))
        self.assertGreater(len(peer.say("PRIVMSG *chatserv :help")), 20)
        self.assertEqual(self.alice.texts("lobby"), [])  # nothing of it was said to anybody
        self.assertGreater(len(peer.say("PRIVMSG *chatserv :verify alice", seconds=8)), 5)

    def test_sentences(self) -> None:
        """Commands in our sentences are such as are typed here, in every language; what people wrote stays."""
        peer = self.peer(self.bob)

        def said(line: str) -> str:
            return "\n".join(peer.say(f"PRIVMSG *chatserv :{line}", seconds=8))

        for language in ("en", "es"):
            catalogue = gettext.translation("chatserv", catalogues.LOCALE, [language], fallback=True)
            self.patch(i18n, "_translations", catalogue)
            for line, wanted in (
                ("verify alice", "verify alice"),
                ("#lobby edit x y", "log"),
                ("#lobby log x", "log"),
                ("help who", "who"),
                ("whoo", "help"),
            ):
                self.assertIn(f"/msg *chatserv {wanted}", said(line), line)
            self.assertIn("/msg ", said("help msg"))
            self.assertNotIn("*chatserv msg", said("help msg"))
        self.alice.say("lobby", "read /log, then /verify bob")
        for line in ("#lobby log 1", "search read", "#lobby show -1"):
            self.assertIn("read /log, then /verify bob", said(line), line)

    def test_settings(self) -> None:
        """What the IRC side does as a person likes it."""
        peer = self.peer(self.bob)
        self.assertEqual(peer.say("PRIVMSG *chatserv :set reactions all"), [f"{SERVICE} PRIVMSG bob :reactions = all"])
        self.assertEqual(self.settings(self.bob).reactions, "all")
        for line in ("set", "set reactions", "set reactions some", "set password x"):
            self.assertIn("reactions own|all|none (now all)", peer.say(f"PRIVMSG *chatserv :{line}")[0])

    def test_quit(self) -> None:
        """``quit`` ends this client."""
        peer = self.peer(self.bob)
        self.assertEqual((peer.say("PRIVMSG *chatserv :quit")[-1], peer.closed), ("ERROR quit", True))

    def test_secrets(self) -> None:
        """A command that would ask for a secret does not: IRC clients write what is typed into their logs."""
        lines = self.peer(self.bob).say("PRIVMSG *chatserv :password")
        self.assertEqual(len(lines), 1)
