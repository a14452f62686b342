"""What is said, both ways."""

from twisted.internet.defer import fail

from chatserv.client import MessageReceived, Reacted
from tests.clients.irc.irc_world import MODERN, IrcTestCase, bare, tags

ID = "0" * 32


class TalkTests(IrcTestCase):
    """PRIVMSG and its like."""

    def test_rooms(self) -> None:
        """A text goes to the room, without formatting; others see it, and we only where we want it back."""
        peer, other, modern = self.peer(self.bob), self.peer(self.bob, client="b"), self.peer(self.bob, MODERN, "c")
        self.assertEqual(peer.say("PRIVMSG #lobby :hello \x02all\x02"), [])
        self.assertEqual(self.alice.texts("lobby")[-1], ("bob", "hello all"))
        said = ":bob!bob@chat PRIVMSG #lobby :hello all"
        self.assertEqual(other.take(), [said])
        self.assert_line(modern.take(), said)
        (line,) = modern.say("@label=7 PRIVMSG #lobby :again")
        self.assertEqual((tags(line)["label"], bare(line)), ("7", ":bob!bob@chat PRIVMSG #lobby :again"))
        self.assertEqual(set(tags(line)), {"label", "time", "msgid", "account"})

    def test_direct(self) -> None:
        """The first words begin direct messages; the other side is asked, and an answer agrees."""
        alice, bob = self.peer(self.alice), self.peer(self.bob)
        self.assertEqual(bob.say("PRIVMSG Alice :psst", seconds=8), [])
        self.assert_numeric(alice.take(), "718", "bob bob@chat")
        self.assertEqual(alice.say("PRIVMSG bob :yes?", seconds=8), [":bob!bob@chat PRIVMSG alice :psst"])
        self.assertEqual(bob.take(), [":alice!alice@chat PRIVMSG bob :yes?"])
        self.assert_numeric(bob.say("PRIVMSG nobody :x", seconds=8), "401", "nobody")
        modern = self.peer(self.bob, "znc.in/self-message", "other")
        bob.say("PRIVMSG alice :more", seconds=8)
        self.assertEqual(modern.take(), [":bob!bob@chat PRIVMSG alice :more"])

    def test_accept(self) -> None:
        """ACCEPT agrees too, and lists who waits."""
        alice = self.peer(self.alice)
        self.peer(self.bob).say("PRIVMSG alice :psst", seconds=8)
        self.assert_numeric(alice.say("ACCEPT *"), "281", "bob")
        self.assert_line(alice.say("ACCEPT bob", seconds=8), ":bob!bob@chat PRIVMSG alice :psst")
        self.assert_numeric(alice.say("ACCEPT nobody"), "401")

    def test_refused(self) -> None:
        """Nothing to say, nobody to say it to, too much, muted; a NOTICE never draws an error."""
        peer = self.peer(self.bob)
        self.assert_numeric(peer.say("PRIVMSG"), "411")
        self.assert_numeric(peer.say("PRIVMSG #lobby"), "412")
        self.assert_numeric(peer.say("PRIVMSG #lobby :\x02 \x0f"), "412")
        self.assert_numeric(peer.say("PRIVMSG #attic :x"), "403")
        self.assert_numeric(peer.say("PRIVMSG #a!b :x"), "476")
        self.assert_numeric(peer.say("PRIVMSG #lobby :" + "é" * 4090), "417")
        self.assertEqual(peer.say("NOTICE #attic :x"), [])
        self.alice.do(self.alice.room("lobby").mute("bob"))
        self.world.settle()
        peer.take()
        self.assert_numeric(peer.say("PRIVMSG #lobby :x"), "404")

    def test_notice(self) -> None:
        """A NOTICE becomes a message."""
        self.peer(self.bob).say("NOTICE #lobby :note")
        self.assertEqual(self.alice.texts("lobby")[-1], ("bob", "note"))

    def test_ctcp(self) -> None:
        """ACTION both ways; nothing else of CTCP goes out, and none can come in."""
        alice, bob = self.peer(self.alice), self.peer(self.bob)
        bob.say("PRIVMSG #lobby :\x01ACTION waves\x01")
        self.assertTrue(self.alice.events(MessageReceived)[-1].action)
        self.assertEqual(alice.take(), [":bob!bob@chat PRIVMSG #lobby :\x01ACTION waves\x01"])
        (line,) = bob.say("PRIVMSG alice :\x01DCC SEND x 1 2 3\x01")
        self.assertIn("CTCP and DCC are not passed on", line)
        self.assertEqual(bob.say("NOTICE alice :\x01VERSION x\x01"), [])
        self.bob.say("lobby", "\x01VERSION\x01")
        self.world.settle()
        self.assertEqual(alice.take(), [":bob!bob@chat PRIVMSG #lobby :\ufffdVERSION\ufffd"])

    def test_replies(self) -> None:
        """An answer has its tag, or the beginning of what it answers in front; to an unknown id it is none."""
        alice, bob, plain = self.peer(self.alice, MODERN), self.peer(self.bob, MODERN), self.peer(self.bob, client="p")
        (line,) = alice.say("PRIVMSG #lobby :who comes?")
        about = tags(line)["msgid"]
        bob.say(f"@+reply={about} PRIVMSG #lobby :me")
        (line,) = alice.take()
        self.assertEqual((tags(line)["+reply"], tags(line)["+draft/reply"]), (about, about))
        self.assertEqual(plain.take()[-1], ":bob!bob@chat PRIVMSG #lobby :(alice: who comes?) me")
        bob.say(f"@+reply={ID} PRIVMSG #lobby :to nothing")
        self.assertNotIn("+reply", tags(alice.take()[-1]))

    def test_edits(self) -> None:
        """Edits, deletions and signs, for clients with tags and without; who may not is told."""
        alice, bob, plain = self.peer(self.alice, MODERN), self.peer(self.bob, MODERN), self.peer(self.bob, client="p")
        (line,) = bob.say("PRIVMSG #lobby :tpyo")
        about = tags(line)["msgid"]
        self.bob.do(self.bob.room("lobby").edit(bytes.fromhex(about), "typo"))
        self.world.settle()
        line = alice.take()[-1]
        self.assertEqual((bare(line), tags(line)["+reply"]), (":bob!bob@chat PRIVMSG #lobby :✎ typo", about))
        self.assertEqual(plain.take()[-1], ":bob!bob@chat PRIVMSG #lobby :✎ typo")
        bob.take()
        alice.say(f"@+draft/react=👍;+reply={about} TAGMSG #lobby")
        self.assertEqual(self.bob.events(Reacted)[-1].emoji, "👍")
        self.assertEqual(plain.take(), [':alice!alice@chat NOTICE #lobby :reacts 👍 to "typo"'])
        self.assertEqual([tags(line).get("+draft/react") for line in bob.take()], ["👍", None])
        alice.say(f"@+draft/unreact=👍;+reply={about} TAGMSG #lobby")
        self.assertIn("takes 👍 off", plain.take()[0])
        bob.take()
        alice.take()
        (line,) = alice.say("PRIVMSG #lobby :hers")
        hers = tags(line)["msgid"]
        bob.take()
        self.assertIn("FAIL REDACT REDACT_FORBIDDEN #lobby", bob.say(f"REDACT #lobby {hers}")[0])
        self.assertIn("FAIL REDACT UNKNOWN_MSGID #lobby", bob.say(f"REDACT #lobby {ID}")[0])
        self.assertIn("FAIL REDACT INVALID_TARGET", bob.say(f"REDACT #attic {hers}")[0])
        plain.take()
        alice.say(f"REDACT #lobby {about}")
        self.assert_line(bob.take(), f":alice!alice@chat REDACT #lobby :{about}")
        self.assertEqual(plain.take(), [":alice!alice@chat NOTICE #lobby :deletes a message"])

    def test_reaction_setting(self) -> None:
        """Signs in words: to one's own messages, to all, to none."""
        peer = self.peer(self.bob)
        self.alice.say("lobby", "hers")
        message = self.alice.events(MessageReceived)[-1]
        for setting, told in (("own", False), ("all", True), ("none", False)):
            self.assertTrue(self.settings(self.bob).set("reactions", setting))
            peer.take()
            for on in (True, False):
                self.alice.do(self.alice.room("lobby").react(message.message_id, "👍", on=on))
            self.world.settle()
            self.assertEqual(bool(peer.take()), told, setting)

    def test_typing(self) -> None:
        """That somebody types, for clients with tags; to the service it goes nowhere."""
        alice, plain, bob = (
            self.peer(self.alice, MODERN),
            self.peer(self.alice, client="p"),
            self.peer(self.bob, MODERN),
        )
        self.assertEqual(bob.say("@+typing=active;+other=x TAGMSG #lobby"), [])
        (line,) = alice.take()
        self.assertEqual(bare(line), ":bob!bob@chat TAGMSG #lobby")
        self.assertEqual(tags(line)["+typing"], "active")
        self.assertEqual(plain.take(), [])
        self.assertEqual(bob.say("@+typing=active TAGMSG *chatserv"), [])
        self.assert_numeric(bob.say("@+typing=active TAGMSG #attic"), "403")

    def test_long(self) -> None:
        """A long text comes in several lines, of which the first has the tags; lines of a text are lines."""
        self.settings(self.alice).set("line_bytes", "400")
        peer = self.peer(self.alice, MODERN)
        self.bob.say("lobby", "one\n\n" + "x" * 500)
        self.world.settle()
        lines = peer.take()
        self.assertEqual([len(bare(line).partition(" :")[2]) for line in lines], [3, 1, 400, 100])
        self.assertEqual(["msgid" in tags(line) for line in lines], [True, False, False, False])

    def test_waits(self) -> None:
        """What is typed while the server is away: one word about it in the room, an outage, and it goes out later."""
        peer = self.peer(self.bob)
        self.patch(self.world.server, "connect", lambda _: fail(ConnectionRefusedError()))
        self.world.server.cut()
        self.assertIn("cannot be reached", peer.say()[0])
        lines = peer.say("PRIVMSG #lobby :one", "PRIVMSG #lobby :two", seconds=4)
        self.assertEqual(lines, [":*chatserv!chatserv@chat NOTICE #lobby :What you write waits for the server."])
        del self.world.server.connect
        self.assertIn("Connected again.", peer.say(seconds=90)[0])
        self.assertEqual(self.alice.texts("lobby")[-2:], [("bob", "one"), ("bob", "two")])

    def test_failed(self) -> None:
        """What the server does not take is told to whoever spoke, with the command that sends it again."""
        peer, other = self.peer(self.bob), self.peer(self.bob, client="other")
        self.alice.do(self.alice.client.admin.mute("bob"))
        self.world.settle()
        lines = peer.say("PRIVMSG #lobby :not taken", seconds=8)
        self.assert_numeric(lines, "404", "#lobby")
        self.assertIn('Not sent: "not taken". /msg *chatserv #lobby resend', lines[-1])
        self.assertEqual(other.take(), [])
