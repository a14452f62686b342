"""People: who they are, and whether they are there."""

from clients.irc.settings import Bounds
from clients.irc.table import TABLE
from tests.clients.irc.irc_world import MODERN, IrcTestCase, bare


class PeopleTests(IrcTestCase):
    """WHO and its like."""

    bounds = Bounds(watched=2)

    def test_who(self) -> None:
        """WHO of a room and of one person; WHOX in its order."""
        bob = self.peer(self.bob)
        lines = bob.say("WHO #lobby")
        self.assert_numeric(lines, "352", "#lobby alice chat chatserv alice H~ :0 alice", " bob H :0 bob")
        self.assert_numeric(lines, "315", "#lobby")
        self.assert_numeric(bob.say("WHO alice"), "352", "* alice")
        self.assertEqual(len(bob.say("WHO nobody")), 1)
        self.assertEqual(len(bob.say("WHO #attic")), 1)
        self.assert_numeric(bob.say("WHO #lobby %tnaf,42"), "354", "bob 42 alice H~ :alice")

    def test_whois(self) -> None:
        """Rooms in common, account, encryption and trust."""
        bob = self.peer(self.bob)
        lines = bob.say("WHOIS alice")
        self.assert_numeric(lines, "319", "~#lobby")
        self.assert_numeric(lines, "330", "alice alice")
        self.assert_numeric(lines, "671", "end-to-end encrypted; identity not verified; devices: 1")
        self.assert_numeric(lines, "318")
        number = self.bob.do(self.bob.client.people.verification("alice")).number
        self.bob.do(self.bob.client.people.compare("alice", number))
        self.assert_numeric(bob.say("WHOIS alice alice"), "671", "identity verified")
        for nick in ("nobody", "a!b"):
            self.assert_numeric(bob.say(f"WHOIS {nick}"), "401")

    def test_away(self) -> None:
        """That somebody is away, for clients that know it, in WHO and WHOIS too."""
        alice, bob = self.peer(self.alice, MODERN), self.peer(self.bob)
        self.assert_numeric(bob.say("AWAY :lunch", seconds=8), "306")
        self.assert_line(alice.take(), ":bob!bob@chat AWAY away")
        self.assert_numeric(alice.say("WHO #lobby"), "352", "bob G")
        self.assert_numeric(alice.say("WHOIS bob"), "301", "away")
        self.assert_numeric(bob.say("AWAY", seconds=8), "305")
        self.assertIn(":bob!bob@chat AWAY", [bare(line).strip() for line in alice.take()])

    def test_monitor(self) -> None:
        """MONITOR by all its signs, up to its bound and one more."""
        bob = self.peer(self.bob)
        self.assert_numeric(bob.say("MONITOR + alice"), "730", "alice!alice@chat")
        self.assert_numeric(bob.say("MONITOR + carol,dora"), "734", "2 dora")
        self.assert_numeric(bob.say("MONITOR S"), "731", "carol")
        self.assert_numeric(bob.say("MONITOR L"), "732", "alice", "carol")
        bob.say("MONITOR - carol")
        self.alice.leave_the_machine()
        self.world.settle(40)
        self.assert_numeric(bob.take(), "731", "alice")
        self.alice.come_back()
        self.assert_numeric(bob.take(), "730", "alice")
        self.assertEqual(bob.say("MONITOR C"), [])
        self.assert_numeric(bob.say("MONITOR L"), "733")

    def test_ison(self) -> None:
        """ISON and USERHOST."""
        bob = self.peer(self.bob)
        self.assert_numeric(bob.say("ISON alice nobody :bob carol"), "303", ":alice bob")
        self.assert_numeric(bob.say("USERHOST alice nobody bob"), "302", "alice=+alice@chat bob=+bob@chat")


class TableTests(IrcTestCase):
    """The short ones, and the table itself."""

    def test_short(self) -> None:
        """Each answers."""
        bob = self.peer(self.bob)
        for line, code in (
            ("PING", "409"),
            ("MOTD", "422"),
            ("TIME", "391"),
            ("VERSION", "351"),
            ("LUSERS", "251"),
            ("INFO", "371"),
            ("HELP", "705"),
            ("HELP JOIN", "706"),
            ("OPER a b", "481"),
            ("KILL bob x", "481"),
            ("REHASH", "481"),
            ("SETNAME x", "421"),
            ("JOIN", "461"),
        ):
            self.assert_numeric(bob.say(line), code)
        self.assertEqual(bob.say("PONG x"), [])
        self.assertEqual((bob.say("QUIT :bye"), bob.closed), (["ERROR bye"], True))

    def test_labels(self) -> None:
        """A labelled command is answered by one line, one batch, or an ACK; one line after the other, in order."""
        bob = self.peer(self.bob, MODERN)
        self.assertEqual(bob.say("@label=a PONG x"), ["@label=a :chatserv ACK"])
        self.assertEqual(bob.say("@label=b PING x"), ["@label=b :chatserv PONG chatserv :x"])
        lines = bob.say("@label=c WHO #lobby")
        self.assertEqual(lines[0], "@label=c :chatserv BATCH +b1 :labeled-response")
        self.assertTrue(all(line.startswith("@batch=b1 ") for line in lines[1:-1]))
        self.assertEqual(lines[-1], ":chatserv BATCH -b1")
        plain = self.peer(self.bob, client="plain")
        self.assertEqual(plain.say("@label=a PONG x"), [])

    def test_handlers(self) -> None:
        """A fault of one command ends nothing, and says so."""
        bob = self.peer(self.bob, "standard-replies")

        async def fails(*_: object) -> None:
            raise ZeroDivisionError

        self.around(self.bob).table = {**TABLE, "BREAK": type(TABLE["PING"])(fails)}
        self.assertIn("FAIL BREAK INTERNAL_ERROR", bob.say("BREAK")[0])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assert_numeric(bob.say("PING"), "409")
