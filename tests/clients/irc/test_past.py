"""What was said before: asked for, and told when a client comes."""

from chatserv.client import MessageReceived
from clients.irc.settings import Bounds
from clients.irc.words import time_tag
from tests.clients.irc.irc_world import MODERN, IrcTestCase, bare, tags


class HistoryTests(IrcTestCase):
    """CHATHISTORY, SEARCH and MARKREAD."""

    bounds = Bounds(page=4)

    def setUp(self) -> None:
        """Five lines."""
        super().setUp()
        for number in range(1, 6):
            self.alice.say("lobby", f"line {number}")
            self.world.settle(2)
        self.said = [each for each in self.bob.events(MessageReceived) if each.text and each.text.startswith("line")]
        self.modern = self.peer(self.bob, MODERN + " draft/chathistory")

    def texts(self, question: str) -> list[str]:
        """What a question finds."""
        lines = self.modern.say(f"CHATHISTORY {question}")
        self.assertIn(" BATCH +", lines[0])
        self.assertIn(" chathistory ", lines[0])
        return [bare(line).partition(":line ")[2] for line in lines[1:-1]]

    def test_asked(self) -> None:
        """By message and by moment, to either side, up to the bound of a page."""
        ids = [f"msgid={each.message_id.hex()}" for each in self.said]
        times = [f"timestamp={time_tag(each.at_ms)}" for each in self.said]
        for question, found in (
            ("LATEST #lobby * 2", "45"),
            ("LATEST #lobby * 5", "2345"),
            (f"LATEST #lobby {ids[3]} 4", "5"),
            (f"LATEST #lobby {times[2]} 4", "45"),
            (f"BEFORE #lobby {ids[2]} 4", "12"),
            (f"BEFORE #lobby {times[2]} 1", "2"),
            (f"AFTER #lobby {ids[2]} 4", "45"),
            (f"AFTER #lobby {times[2]} 1", "4"),
            (f"AFTER #lobby {times[4]} 1", ""),
            (f"BETWEEN #lobby {ids[0]} {ids[4]} 4", "234"),
            (f"BETWEEN #lobby {ids[0]} {ids[4]} 2", "23"),
            (f"BETWEEN #lobby {ids[4]} {ids[0]} 2", "34"),
            (f"BETWEEN #lobby {times[0]} {times[3]} 4", "23"),
        ):
            self.assertEqual("".join(self.texts(question)), found, question)
        self.assertIn("3", self.texts(f"AROUND #lobby {ids[2]} 3"))

    def test_targets(self) -> None:
        """Rooms by their newest message."""
        lines = self.modern.say(
            "CHATHISTORY TARGETS timestamp=2000-01-01T00:00:00.000Z timestamp=2100-01-01T00:00:00.000Z 9"
        )
        self.assertIn(f"CHATHISTORY TARGETS #lobby :{time_tag(self.said[-1].at_ms)}", lines[1])
        lines = self.modern.say(
            "CHATHISTORY TARGETS timestamp=2000-01-01T00:00:00.000Z timestamp=2001-01-01T00:00:00.000Z 9"
        )
        self.assertEqual(len(lines), 2)

    def test_refused(self) -> None:
        """Questions that make no sense, rooms that are not ours, messages that are not here."""
        for question, code in (
            ("LATEST #lobby", "INVALID_PARAMS"),
            ("LATEST #lobby * 0", "INVALID_PARAMS"),
            ("LATEST #lobby * x", "INVALID_PARAMS"),
            ("BEFORE #lobby * 5", "INVALID_PARAMS"),
            ("BEFORE #lobby timestamp=yesterday 5", "INVALID_PARAMS"),
            ("TARGETS x y 5", "INVALID_PARAMS"),
            ("WHAT #lobby * 5", "UNKNOWN_COMMAND"),
            ("LATEST #attic * 5", "INVALID_TARGET"),
            ("LATEST nobody * 5", "INVALID_TARGET"),
            (f"BEFORE #lobby msgid={'0' * 32} 5", "MESSAGE_ERROR"),
            ("BEFORE #lobby msgid=xyz 5", "MESSAGE_ERROR"),
        ):
            (line,) = self.modern.say(f"CHATHISTORY {question}")
            self.assertIn(f"FAIL CHATHISTORY {code} ", line, question)

    def test_search(self) -> None:
        """Words, in a room or in all."""
        lines = self.modern.say("SEARCH in=#lobby;text=line\\s3")
        self.assertIn("soju.im/search", lines[0])
        self.assertEqual([bare(line) for line in lines[1:-1]], [":alice!alice@chat PRIVMSG #lobby :line 3"])
        self.assertEqual(len(self.modern.say("SEARCH text=line;limit=2")), 4)
        self.assert_numeric(self.modern.say("SEARCH in=#attic;text=x"), "442")

    def test_read(self) -> None:
        """The read marker, by the time of a message; a nonsense time is refused."""
        at = time_tag(self.said[2].at_ms)
        (line,) = self.modern.say(f"MARKREAD #lobby timestamp={at}")
        self.assertEqual(bare(line), f":chatserv MARKREAD #lobby :timestamp={at}")
        self.assertEqual(self.bob.room("lobby").read, self.said[2].seq)
        self.assertEqual(self.modern.say("MARKREAD #lobby"), [line])
        self.assertIn("INVALID_PARAMS", self.modern.say("MARKREAD #lobby timestamp=x")[0])


class ReplayTests(IrcTestCase):
    """What a client missed."""

    bounds = Bounds(replayed=3)

    def come(self, caps: str = "", client: str = "irc") -> list[str]:
        """A client comes; what it is told behind the names."""
        peer = self.stranger(self.bob)
        password = self.settings(self.bob).password
        more = ("CAP LS 302", f"CAP REQ :{caps}") if caps else ()
        lines = peer.say(*more, f"PASS bob@{client}:{password}", "NICK x", "USER x 0 * :x", "CAP END")
        at = next(n for n, line in enumerate(lines) if " 366 " in line)
        self.last = peer
        return [line for line in lines[at + 1 :] if " 410 " not in line]

    def test_missed(self) -> None:
        """Each client is told what it was not shown, once, with its time; of too much the newest, and how much more."""
        self.come()
        self.come(MODERN, "modern")
        for peer in list(self.around(self.bob).sessions):
            peer.end("bye")
        self.world.settle(2)
        for number in range(5):
            self.alice.say("lobby", f"missed {number}")
        self.world.settle()
        lines = self.come()
        self.assertEqual(lines[0], ":*chatserv!chatserv@chat NOTICE #lobby :2 more: /msg *chatserv #lobby log 1000")
        self.assertEqual(len(lines), 4)
        for number, line in enumerate(lines[1:], 2):
            self.assertRegex(
                line, rf"^:alice!alice@chat PRIVMSG #lobby :\[\d{{4}}-\d\d-\d\d \d\d:\d\d\] missed {number}$"
            )
        self.last.session.end("bye")
        self.assertEqual(self.come(), [])
        lines = self.come(MODERN, "modern")[1:]
        self.assertRegex(lines[0], r"BATCH \+b\d+ chathistory :#lobby")
        self.assertEqual([bare(line).partition(" :")[2] for line in lines[1:4]], ["missed 2", "missed 3", "missed 4"])
        self.assertTrue(all("batch" in tags(line) and "time" in tags(line) for line in lines[1:4]))

    def test_asks_itself(self) -> None:
        """A client that knows draft/chathistory is told nothing of before, and what comes now."""
        self.alice.say("lobby", "before")
        self.world.settle()
        self.assertEqual(self.come("draft/chathistory"), [])
        self.alice.say("lobby", "now")
        self.world.settle()
        self.assertEqual(self.last.take(), [":alice!alice@chat PRIVMSG #lobby :now"])

    def test_ends_early(self) -> None:
        """A client that goes while it is told leaves nothing behind."""
        self.alice.say("lobby", "before")
        self.world.settle()
        peer = self.stranger(self.bob)
        password = self.settings(self.bob).password
        peer.say(f"PASS {password}", "NICK x", "USER x 0 * :x", seconds=0)
        peer.connection.connectionLost()
        self.world.settle()
        self.assertEqual(self.around(self.bob).sessions, set())
