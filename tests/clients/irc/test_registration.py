"""How a client comes in, and who does not."""

import base64
from typing import Any

from clients.irc.registration import CAPS
from clients.irc.settings import Bounds
from tests.clients.irc.irc_world import IrcTestCase


def plain(user: str, password: str) -> str:
    """What SASL PLAIN says."""
    return "AUTHENTICATE " + base64.b64encode(f"\0{user}\0{password}".encode()).decode()


class RegistrationTests(IrcTestCase):
    """With the password, and without."""

    def test_welcome(self) -> None:
        """The nick is the account's, whatever was asked for; rooms are shown with topic and names."""
        self.alice.do(self.alice.room("lobby").set_topic("all of us"))
        peer = self.stranger(self.bob)
        lines = peer.say(f"PASS {self.settings(self.bob).password}", "NICK other", "USER a 0 * :b")
        for code in ("001", "002", "003", "004", "005", "422"):
            self.assert_numeric(lines, code)
        self.assert_line(lines, ":bob!bob@chat JOIN #lobby")
        self.assert_line(lines, ":chatserv 332 bob #lobby :all of us")
        self.assert_line(lines, ":chatserv 353 bob = #lobby :~alice bob")
        self.assert_line(lines, ":chatserv 366 bob #lobby :End of names")
        self.assert_numeric(peer.say("NICK other"), "432", "other")
        self.assertEqual(peer.say("NICK bob"), [])
        for line in ("USER a 0 * :b", "PASS x", "AUTHENTICATE PLAIN"):
            self.assert_numeric(peer.say(line), "462")

    def test_passwords(self) -> None:
        """The word alone, with the profile, with the profile and a client's name; all else is refused and closed."""
        word = self.settings(self.bob).password
        for given, client in ((word, "irc"), (f"bob:{word}", "irc"), (f"bob@phone:{word}", "phone")):
            peer = self.stranger(self.bob)
            peer.say(f"PASS {given}", "NICK x", "USER x 0 * :x")
            self.assertEqual((peer.session.registered, peer.session.client_name), (True, client))
        for given in ("", "wrong", f"carol:{word}", f"bob@no/name:{word}", f"{word}:"):
            peer = self.stranger(self.bob)
            lines = peer.say(f"PASS :{given}", "NICK x", "USER x 0 * :x", seconds=4)
            self.assert_numeric(lines, "464")
            self.assertEqual((peer.closed, lines[-1]), (True, "ERROR :Wrong password"))
            self.assertNotIn(word, "".join(lines))
        self.assert_numeric(self.stranger(self.bob).say("NICK x", "USER x 0 * :x", seconds=4), "464")

    def test_sasl(self) -> None:
        """SASL PLAIN with profile and client."""
        word = self.settings(self.bob).password
        peer = self.stranger(self.bob)
        lines = peer.say("CAP LS 302", "NICK x", "USER x 0 * :x", "CAP REQ :sasl", "AUTHENTICATE PLAIN")
        self.assertIn("AUTHENTICATE +", lines[-1])
        self.assert_numeric(peer.say(plain("bob@laptop", word)), "903")
        self.assert_numeric(peer.say("CAP END"), "001")
        self.assertEqual(peer.session.client_name, "laptop")
        for given in (plain("bob", "wrong"), plain("carol", word), "AUTHENTICATE !!!", "AUTHENTICATE " + "A" * 404):
            peer = self.stranger(self.bob)
            lines = peer.say("CAP LS 302", "AUTHENTICATE PLAIN", given, seconds=4)
            self.assert_numeric(lines, "904")
            self.assertTrue(peer.closed)
        peer = self.stranger(self.bob)
        self.assert_numeric(peer.say("AUTHENTICATE EXTERNAL"), "908", "PLAIN")
        self.assert_numeric(peer.say("AUTHENTICATE *"), "906")

    def test_slow(self) -> None:
        """After three wrong passwords in a minute each answer takes two seconds, also that to the right one."""
        word = self.settings(self.bob).password
        for _ in range(3):
            self.assert_numeric(self.stranger(self.bob).say("PASS x", "NICK x", "USER x 0 * :x", seconds=0), "464")
        peer = self.stranger(self.bob)
        self.assertEqual(peer.say(f"PASS {word}", "NICK x", "USER x 0 * :x", seconds=1), [])
        self.assert_numeric(peer.say(seconds=2), "001")
        self.world.settle(61)
        self.assert_numeric(self.stranger(self.bob).say(f"PASS {word}", "NICK x", "USER x 0 * :x", seconds=0), "001")

    def test_capabilities(self) -> None:
        """LS, REQ of known and unknown ones, LIST, and what is no word of CAP; registration waits for END."""
        peer = self.stranger(self.bob)
        lines = peer.say("CAP LS 302", seconds=0)
        self.assertIn("sasl=PLAIN", lines[0])
        self.assertNotIn("sasl=", self.stranger(self.bob).say("CAP LS", seconds=0)[0])
        self.assertEqual(peer.say("CAP REQ :batch nothing", seconds=0), [":chatserv CAP * NAK :batch nothing"])
        self.assertEqual(peer.say("CAP REQ :batch -cap-notify"), [":chatserv CAP * ACK :batch -cap-notify"])
        self.assertEqual(peer.say("CAP LIST"), [":chatserv CAP * LIST :batch"])
        self.assert_numeric(peer.say("CAP WHAT", seconds=0), "410", "WHAT")
        word = self.settings(self.bob).password
        self.assertEqual(peer.say(f"PASS {word}", "NICK x", "USER x 0 * :x"), [])
        self.assert_numeric(peer.say("CAP END"), "001")
        every = self.stranger(self.bob)
        self.assertIn(" ACK ", every.say(f"CAP REQ :{' '.join(CAPS)}")[0])

    def test_before(self) -> None:
        """Nothing else is done before the password; what there is not is said so."""
        peer = self.stranger(self.bob)
        self.assert_numeric(peer.say("JOIN #lobby"), "451")
        self.assert_numeric(peer.say("NICK"), "461", "NICK")
        self.assert_numeric(peer.say("NONSENSE"), "421", "NONSENSE")
        self.assertEqual(peer.say("PING :me"), [":chatserv PONG chatserv :me"])


class BoundTests(IrcTestCase):
    """What a stranger, or a program gone mad, may do."""

    bounds = Bounds(sessions=4, unregistered=2, without_end_bytes=1000, bad_lines=3, queued=5, unsent_bytes=20_000)

    def test_sessions(self) -> None:
        """So many that have not given the password, so many in all; one more is told and closed."""
        for _ in range(2):
            self.assertFalse(self.stranger(self.bob).closed)
        more = self.stranger(self.bob)
        self.assertEqual((more.closed, more.take()), (True, ["ERROR :Too many IRC clients"]))
        self.world.settle(11)  # they took too long
        peers = [self.peer(self.bob, client=f"c{n}") for n in range(4)]
        self.assertTrue(self.stranger(self.bob).closed)
        peers[0].connection.connectionLost()
        self.assertFalse(self.stranger(self.bob).closed)

    def test_time(self) -> None:
        """Who does not give the password in time is closed; who has stays."""
        peer, there = self.stranger(self.bob), self.peer(self.bob)
        self.assertEqual((peer.say(seconds=11)[-1], peer.closed), ("ERROR :No password in time", True))
        self.assertFalse(there.closed)

    def test_bytes_before(self) -> None:
        """4 KiB before the password, and one more."""
        peer = self.stranger(self.bob)
        for _ in range(4):
            peer.give(b"PING :" + b"x" * 1016 + b"\r\n")
        self.assertFalse(peer.closed)
        peer.give(b"\n")
        self.assertTrue(peer.closed)

    def test_browsers(self) -> None:
        """A browser that was sent here gets not a byte, in however many pieces it speaks."""
        for pieces in ((b"GET / HTTP/1.1\r\n",), (b"PO", b"ST /", b" HTTP/1.1\r\nPASS x\r\n")):
            peer = self.stranger(self.bob)
            for each in pieces:
                peer.give(each)
            self.assertEqual((peer.wire.abortCalled, peer.take()), (True, []))

    def test_without_end(self) -> None:
        """So much without an end of line, and one byte more."""
        peer = self.peer(self.bob)
        peer.give(b"x" * 1000)
        self.assertFalse(peer.closed)
        peer.give(b"x")
        self.assertTrue(peer.closed)

    def test_bad_lines(self) -> None:
        """Lines that cannot be read are told, and one too many in a minute ends it."""
        peer = self.peer(self.bob, "standard-replies")
        peer.give(b"PING \xff\r\nPING a\0b\r\nPING x\r\n")
        self.assertEqual(
            peer.take(),
            [
                ":chatserv FAIL * INVALID_UTF8 :Not UTF-8: nothing was done",
                ":chatserv 417 bob :Too long, or no line of IRC: nothing was done",
                ":chatserv PONG chatserv :x",
            ],
        )
        self.world.settle(61)
        peer.give(b"PING \xff\r\n" * 3)
        self.assertFalse(peer.closed)
        peer.give(b"PING \xff\r\n")
        self.assertTrue(peer.closed)

    def test_newlines(self) -> None:
        """Empty lines are nothing."""
        peer = self.peer(self.bob)
        peer.give(b"\r\n" * 10_000)
        self.assertEqual((peer.closed, peer.take()), (False, []))

    def test_queue(self) -> None:
        """Behind a command that takes time so many wait; beyond, nothing is read until they are done; none is lost."""
        peer = self.peer(self.bob)
        peer.give(b"".join([b"LIST\r\n", *(b"PING %d\r\n" % n for n in range(20))]))
        self.assertEqual((peer.take()[:0], peer.wire.producerState), ([], "paused"))
        lines = peer.say(seconds=4)
        self.assertEqual(
            [line for line in lines if "PONG" in line], [f":chatserv PONG chatserv :{n}" for n in range(20)]
        )
        self.assertEqual(peer.wire.producerState, "producing")

    def test_reads_nothing(self) -> None:
        """A client that does not read is cut off, and comes back for the rest; one that reads again has lost nothing."""
        for reads in (True, False):
            peer = self.peer(self.bob)
            transport: Any = peer.wire
            transport.producer.pauseProducing()
            for number in range(3):
                self.alice.say("lobby", f"{number} {'x' * 5000}")
            if reads:
                transport.producer.resumeProducing()
            for number in range(3):
                self.alice.say("lobby", f"{number} {'x' * 5000}")
            self.world.settle()
            self.assertEqual(peer.wire.abortCalled, not reads)
            self.assertEqual("".join(peer.take()).count(" x") == 6, reads)
