"""Messages of several lines, both ways."""

from twisted.internet.task import Clock

from chatserv.client import MessageReceived
from clients.irc.lines import Line
from clients.irc.multiline import Batch, BatchReader
from clients.irc.settings import Bounds
from clients.irc.texts import outgoing_pieces
from tests.clients.irc.irc_world import MODERN, IrcPeer, IrcTestCase, bare, tags

MULTILINE = f"{MODERN} draft/multiline"
FAILED = ":chatserv FAIL BATCH"


def batch(*lines: str, target: str = "#lobby", front: str = "") -> list[str]:
    """What a client says; a line that begins with "+" goes on where the one before ends."""
    said = [
        f"@batch=1{';draft/multiline-concat' * line.startswith('+')} PRIVMSG {target} :{line.removeprefix('+')}"
        for line in lines
    ]
    return [f"{front}BATCH +1 draft/multiline {target}", *said, "BATCH -1"]


class BoundedTestCase(IrcTestCase):
    """With small bounds."""

    bounds = Bounds(multiline_bytes=20, multiline_lines=4)


class ComingTests(BoundedTestCase):
    """From an IRC client."""

    def setUp(self) -> None:
        """Bob has one."""
        super().setUp()
        self.peer_ = self.peer(self.bob, MULTILINE)

    def said(self) -> list[str | None]:
        """What has become of it."""
        return [text for _, text in self.alice.texts("lobby")]

    def assert_failed(self, lines: list[str], *words: str) -> IrcPeer:
        """A batch is refused with these words, and nothing was said."""
        (line,) = self.peer_.say(*lines)
        self.assertTrue(bare(line).startswith(" ".join((FAILED, *words)) + " :"), line)
        self.assertEqual(self.said(), [])
        return self.peer_

    def test_one_message(self) -> None:
        """All lines are one message, with line ends or without; blank ones too, and formatting goes."""
        self.peer_.say(*batch("one", "", "\x02two\x02", "+ three"))
        self.assertEqual(self.said(), ["one\n\ntwo three"])
        self.peer_.say("PRIVMSG #lobby :after", *batch("x"), *batch("\x01ACTION waves", "twice\x01"))
        self.assertEqual(self.said()[1:], ["after", "x", "waves\ntwice"])
        self.assertEqual([each.action for each in self.alice.events(MessageReceived)], [False, False, False, True])

    def test_tags(self) -> None:
        """Label and answer stand at the beginning of the batch, and the echo is a batch that has them there alone."""
        (line,) = self.peer_.say("PRIVMSG #lobby :who comes?")
        about = tags(line)["msgid"]
        lines = self.peer_.say(*batch("me", "and you", front=f"@label=7;+reply={about} "))
        self.assertEqual(
            [bare(line) for line in lines],
            [
                ":bob!bob@chat BATCH +b1 draft/multiline :#lobby",
                ":bob!bob@chat PRIVMSG #lobby :me",
                ":bob!bob@chat PRIVMSG #lobby :and you",
                ":chatserv BATCH -b1",
            ],
        )
        self.assertEqual(set(tags(lines[0])), {"label", "time", "msgid", "account", "+reply", "+draft/reply"})
        self.assertEqual((tags(lines[0])["label"], tags(lines[0])["+reply"]), ("7", about))
        self.assertEqual([tags(line) for line in lines[1:]], [{"batch": "b1"}, {"batch": "b1"}, {}])

    def test_lines(self) -> None:
        """So many lines and no more."""
        self.assert_failed(batch(*"abcde"), "MULTILINE_MAX_LINES 4")
        self.peer_.say(*batch(*"abcd"))
        self.assertEqual(self.said(), ["a\nb\nc\nd"])

    def test_bytes(self) -> None:
        """So many bytes of UTF-8 and no more, line ends included; what comes behind is not kept."""
        self.assert_failed(batch("é" * 5, "x" * 10), "MULTILINE_MAX_BYTES 20")
        self.assert_failed(batch("é" * 5, f"+{'x' * 11}", "y" * 5000), "MULTILINE_MAX_BYTES 20")
        self.peer_.say(*batch("é" * 5, "x" * 9))
        self.peer_.say(*batch("é" * 5, f"+{'x' * 10}"))
        self.assertEqual(self.said(), [f"ééééé\n{'x' * 9}", f"ééééé{'x' * 10}"])

    def test_target(self) -> None:
        """All lines go where the batch goes, in any case of letters."""
        begin, line, end = batch("x")
        self.assert_failed([begin, line.replace("#lobby", "alice"), end], "MULTILINE_INVALID_TARGET #lobby alice")
        self.peer_.say(begin, line.replace("#lobby", "#Lobby"), end)
        self.assertEqual(self.said(), ["x"])

    def test_invalid(self) -> None:
        """Other lines, other kinds, none at all, what is not open; the label goes with the error."""
        begin, line, end = batch("x")
        for lines in (
            [begin, end],
            [begin, line.replace("PRIVMSG", "NOTICE"), line, end],
            [begin, "@batch=1 PRIVMSG #lobby", end],
            [line],
            [end],
            ["BATCH +1 chathistory #lobby"],
            ["BATCH +1 draft/multiline"],
            ["BATCH"],
        ):
            self.assert_failed(lines, "MULTILINE_INVALID")
        (told,) = self.peer_.say(f"@label=9 {begin}", end)
        self.assertEqual(tags(told), {"label": "9"})

    def test_never_ended(self) -> None:
        """A batch may take a minute; then what has come of it is forgotten, and another one may begin."""
        one, two = batch("half"), batch("whole")
        self.peer_.say(*one[:2], seconds=59)
        self.peer_.say(one[2])
        self.assertEqual(self.said(), ["half"])
        (line,) = self.peer_.say(*one[:2], seconds=61)
        self.assertTrue(bare(line).startswith(f"{FAILED} TIMEOUT 1 :"), line)
        (line,) = self.peer_.say(one[2])
        self.assertTrue(bare(line).startswith(f"{FAILED} MULTILINE_INVALID :"), line)
        self.peer_.say(*two)
        self.assertEqual(self.said(), ["half", "whole"])
        self.peer_.say(*one[:2])
        self.peer_.connection.connectionLost()
        self.world.settle(61)
        self.assertEqual(self.peer_.take(), [])

    def test_one_open(self) -> None:
        """One is open at a time; it takes nothing of another, and what is in none of them is done meanwhile."""
        begin, line, end = batch("x")
        lines = self.peer_.say(
            begin,
            begin.replace("+1", "+2"),
            line.replace("=1", "=2"),
            "PING here",
            "PRIVMSG #lobby :at once",
            line,
            end,
        )
        self.assertEqual([bare(line).startswith(f"{FAILED} MULTILINE_INVALID :") for line in lines[:2]], [True, True])
        self.assertEqual(bare(lines[2]), ":chatserv PONG chatserv :here")
        self.assertEqual(self.said(), ["at once", "x"])

    def test_refused(self) -> None:
        """What the room does not take is refused as of PRIVMSG, with the label; so is what has nothing to be seen."""
        (told,) = self.peer_.say(*batch("", "", front="@label=3 "))
        self.assertEqual((tags(told)["label"], bare(told).split()[1]), ("3", "412"))
        self.alice.do(self.alice.room("lobby").mute("bob"))
        self.world.settle()
        self.peer_.take()
        (told,) = self.peer_.say(*batch("a", "b", front="@label=4 "))
        self.assertEqual((tags(told)["label"], bare(told).split()[1]), ("4", "404"))

    def test_without(self) -> None:
        """Who has not asked for it has no such command, and what it says is said line by line."""
        plain = self.peer(self.bob, MODERN)
        begin, line, end = batch("x")
        lines = plain.say(begin, line, end)
        self.assertEqual([bare(line).split()[1] for line in lines if " 421 " in line], ["421", "421"])
        self.assertEqual(self.said(), ["x"])

    def test_kept(self) -> None:
        """However much comes in a batch, no more is kept than may be sent."""
        reader = BatchReader(self.bounds, Clock(), self.fail)
        self.assertIsNone(reader.take(Line("BATCH", ("+1", "draft/multiline", "#lobby"))))
        for _ in range(1000):
            self.assertIsNone(reader.take(Line("PRIVMSG", ("#lobby", "x" * 9), tags={"batch": "1"})))
        self.assertEqual(len(reader._text), 19)
        whole = reader.take(Line("BATCH", ("-1",)))
        assert isinstance(whole, Batch)
        self.assertEqual((whole.params, whole.failure), ((), ("MULTILINE_MAX_BYTES", "20")))


class GoingTests(BoundedTestCase):
    """To IRC clients."""

    def test_told(self) -> None:
        """A text of several lines is a batch for clients that know it, else lines; nothing that is blank for those."""
        knows, other = self.peer(self.alice, MULTILINE), self.peer(self.alice, client="p")
        self.bob.say("lobby", "one\n\ntwo")
        self.world.settle()
        lines = knows.take()
        said = [bare(line).partition(" ")[2] for line in lines]
        self.assertEqual(said[:2], ["BATCH +b1 draft/multiline :#lobby", "PRIVMSG #lobby :one"])
        self.assertEqual(said[2:], ["PRIVMSG #lobby :", "PRIVMSG #lobby :two", "BATCH -b1"])
        self.assertEqual(set(tags(lines[0])), {"time", "msgid", "account"})
        self.assertEqual([bare(line).partition(" :")[2] for line in other.take()], ["one", " ", "two"])
        self.bob.say("lobby", "one line")
        self.world.settle()
        self.assertEqual([bare(line) for line in knows.take()], [":bob!bob@chat PRIVMSG #lobby :one line"])

    def test_bounds(self) -> None:
        """A batch has so many lines and bytes and no more: beyond, and for what somebody does, it is lines."""
        knows = self.peer(self.alice, MULTILINE)
        for text, batched in (("a\nb\nc\nd", True), ("a\nb\nc\nd\ne", False), (f"{'x' * 10}\n{'x' * 9}", True),
                              (f"{'x' * 10}\n{'x' * 10}", False)):  # fmt: skip
            self.bob.say("lobby", text)
            self.world.settle()
            self.assertEqual(" BATCH +" in knows.take()[0], batched, text)
        self.bob.do(self.bob.room("lobby").send("waves\ntwice", action=True))
        self.world.settle()
        self.assertEqual(len(knows.take()), 2)

    def test_history(self) -> None:
        """In what was said before it is a batch inside the batch; an edit is one too."""
        self.bob.say("lobby", "one\ntwo")
        knows = self.peer(self.alice, f"{MULTILINE} draft/chathistory")
        lines = knows.say("@label=5 CHATHISTORY LATEST #lobby * 5")
        outer, inner = (bare(line).split()[2].removeprefix("+") for line in lines[:2])
        self.assertEqual([tags(line).get("batch") for line in lines], [None, outer, inner, inner, outer, None])
        self.assertEqual((tags(lines[0]), bare(lines[0]).split()[3]), ({"label": "5"}, "chathistory"))
        self.bob.do(self.bob.room("lobby").edit(self.bob.events(MessageReceived)[-1].message_id, "one\n2"))
        self.world.settle()
        lines = knows.take()
        self.assertIn("+reply", tags(lines[0]))
        self.assertEqual([bare(line).partition(" :")[2] for line in lines], ["#lobby", "✎ one", "2", ""])

    def test_long(self) -> None:
        """A long line is cut so that its pieces together are the line again."""
        text = "word " * 100 + "x" * 900 + "\n\nend"
        pieces = outgoing_pieces(text, 400)
        self.assertEqual("".join(piece if on else f"\n{piece}" for piece, on in pieces)[1:], text)
        self.assertLessEqual(max(len(piece) for piece, _ in pieces), 400)
        self.assertEqual([on for _, on in pieces[-2:]], [False, False])


class AloneTests(IrcTestCase):
    """With the bounds that there are."""

    def test_capability(self) -> None:
        """It is offered with its bounds to who asks for values, in a line that every client can read."""
        line = self.stranger(self.bob).say("CAP LS 302", seconds=0)[0]
        self.assertIn(" draft/multiline=max-bytes=10000,max-lines=100 ", line)
        self.assertNotIn("multiline=", self.stranger(self.bob).say("CAP LS", seconds=0)[0])
        self.assertLessEqual(len(line) + 2, 512)

    def test_largest(self) -> None:
        """As much as is offered fits into a message, and comes as it was said."""
        lines = ["é" * 49 + "x"] * 99 + ["é" * 50]
        knows, other = self.peer(self.alice, MULTILINE), self.peer(self.bob, MULTILINE)
        other.say(*batch(*lines))
        self.assertEqual(self.alice.texts("lobby")[-1], ("bob", "\n".join(lines)))
        self.assertEqual([bare(line).partition(" :")[2] for line in knows.take()[1:-1]], lines)
