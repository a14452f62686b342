"""A person at a terminal, without a server and without a terminal."""

import io
import sys
from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import (
    Alarm,
    Client,
    MessageEdited,
    Profile,
    ProfileError,
    RoomJoined,
    RoomLeft,
    RoomOffered,
    RoomTitled,
    SendFailed,
    Status,
    StatusChanged,
    WaitingMessage,
)
from chatserv.errors import AuthFailed, Muted, ServerFull
from clients.arguments import parse_arguments
from clients.terminal.conversation import MOST_KEPT, Conversation
from clients.terminal.rendering import Line, text_of
from tests.client.slash_fakes import message
from tests.clients.program_fakes import StartedClient

ID = b"\1" * 16


class FakeScreen:
    """Notes what is drawn."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.lines: list[str] = []
        self.rings = self.drawn = 0
        self.open = False

    def start(self) -> None:
        """Draws."""
        self.open = True

    def write(self, line: Line) -> None:
        """Prints."""
        self.lines.append(text_of(line))

    def refresh(self) -> None:
        """Draws anew."""
        self.drawn += 1

    def bell(self) -> None:
        """Rings."""
        self.rings += 1

    def leave(self) -> "Deferred[None]":
        """Gives it back."""
        self.open = False
        return succeed(None)


class ConversationTests(SynchronousTestCase):
    """`clients.terminal.conversation.Conversation`."""

    client: StartedClient

    def begin(self, *argv: str, online: bool = True) -> Conversation:
        """A conversation that has been started; ``self.fresh()`` gives the lines since then."""
        self.errors = io.StringIO()
        self.patch(sys, "stderr", self.errors)
        self.reactor = MemoryReactorClock()
        made = Conversation(
            self.reactor,
            parse_arguments([*argv, "--notify", "bell"]),
            cast(Profile, None),
            FakeScreen,
            self.make_client,
        )
        self.screen = cast(FakeScreen, made._screen)
        self.codes: list[Any] = []
        Deferred.fromCoroutine(made.run(None)).addBoth(self.codes.append)
        if online:
            self.client.tell(StatusChanged(Status.ONLINE))
        self.first = self.fresh()
        return made

    def prepare(self) -> None:
        """What the client has at the start; tests replace it."""

    @property
    def make_client(self) -> type[Client]:
        """Makes the client, prepared."""
        test = self

        class Prepared(StartedClient):
            """With rooms that hold something."""

            def start(self, token: bytes | None = None) -> None:
                """Connects, and tells so as the library does."""
                super().start(token)
                test.client = self
                test.prepare()
                self.tell(StatusChanged(Status.CONNECTING))

        return cast(type[Client], Prepared)

    def fresh(self) -> list[str]:
        """What was printed since the last call, times and days left out."""
        self.reactor.advance(0)
        lines, self.screen.lines = self.screen.lines, []
        return [line[8:] if line.startswith("[") else line for line in lines if "2025" not in line]

    def bar(self) -> str:
        """The rooms below."""
        return text_of(self.screen.conversation.bar(200)).partition(") ")[2]

    # -- begin and end ----------------------------------------------------------------------------------------------------

    def test_begin(self) -> None:
        """One sees the room as it was left, before there is a connection, with a line before what is new."""

        def prepare() -> None:
            lobby = self.client.there["lobby"]
            lobby.kept, lobby.read, lobby.unread, lobby.topic = [message(1, "old"), message(2, "fresh")], 1, 1, "all"

        self.prepare = prepare  # type: ignore[method-assign]
        self.begin(online=False)
        self.assertEqual(self.first[:-1], ["── #lobby: all ──", "<bob> old", "── new ──", "<bob> fresh"])
        self.assertEqual(self.client.there["lobby"].read, 2)
        self.assertTrue(self.screen.open)
        self.client.tell(StatusChanged(Status.ONLINE))
        self.assertEqual(self.fresh(), ["-- Connected as alice."])
        self.assertEqual(self.bar(), "[1:#lobby] 2:#plans 3:@bob")

    def test_newcomer(self) -> None:
        """Whoever registers just now comes into the lobby when it is there."""

        def prepare() -> None:
            self.client.there.clear()

        self.prepare = prepare  # type: ignore[method-assign]
        self.begin()
        self.assertEqual(self.first[-1], "-- Connected as alice.")
        self.client.add("lobby")
        self.client.tell(RoomJoined("lobby"))
        self.assertEqual(self.fresh(), ["-- You are in #lobby now.", "── #lobby ──"])

    def test_unread_at_the_start(self) -> None:
        """Rooms where something was said meanwhile have their count."""

        def prepare() -> None:
            self.client.there["plans"].unread = 4
            self.client.tell(
                message(7, room="plans")
            )  # what was kept is told before one is connected, and is in the count

        self.prepare = prepare  # type: ignore[method-assign]
        self.begin()
        self.assertEqual(self.bar(), "[1:#lobby] 2:#plans (4) 3:@bob")

    def test_quit(self) -> None:
        """``/quit`` and Ctrl-D end with 0, and give the terminal back; Ctrl-C twice with 130; nothing is drawn behind it."""
        for way, code in (("/quit", 0), ("", 0), ("^C", 130)):
            conversation = self.begin()
            if way == "^C":
                conversation.interrupted()
            elif way:
                conversation.line_typed(way)
            else:
                conversation.leave()
            self.assertEqual((self.codes, self.screen.open), ([code], False))
            self.assertFalse(self.client.running)
            self.client.tell(message(1))
            for act in (conversation.leave, conversation.active_room_wanted, conversation.interrupted):
                act()
            conversation.room_wanted(2)
            conversation.line_typed("x")
            self.assertEqual((self.fresh(), self.client.calls), ([], []))
            self.assertEqual((conversation.waiting(), conversation.candidates("b")), ([], (0, [])))

    def test_quit_waits(self) -> None:
        """Lines under way are waited for, unless it is said twice."""
        conversation = self.begin()
        self.client.unacknowledged = 1
        conversation.leave()
        self.assertIn("Lines that wait for the server: 1.", self.fresh()[0])
        conversation.leave()
        self.assertEqual(self.codes, [1])
        self.assertIn("not stored: 1", self.errors.getvalue())

    def test_refused(self) -> None:
        """What the server refuses for good ends it with words on standard error."""
        self.begin(online=False)
        self.client.tell(StatusChanged(Status.FAILED, AuthFailed()))
        self.assertEqual((self.codes, self.screen.open), ([5], False))

    def test_terminal_gone(self) -> None:
        """A terminal that ends, ends the talk; one that breaks is an error."""
        self.begin().broken(EOFError())
        self.assertEqual(self.codes, [0])
        self.begin().broken(ValueError("x"))
        self.assertEqual(self.codes, [1])
        self.assertIn("The terminal cannot be used: ValueError('x')", self.errors.getvalue())

    def test_profile_in_use(self) -> None:
        """What cannot be started leaves the terminal alone."""

        def prepare() -> None:
            raise ProfileError("in use")

        self.prepare = prepare  # type: ignore[method-assign]
        self.begin(online=False)
        self.assertIsInstance(self.codes[0].value, ProfileError)
        self.assertEqual((self.screen.open, self.screen.lines), (False, []))

    def test_connection(self) -> None:
        """A lost connection is told once, however often it is tried; what comes while it catches up is marked as new."""
        self.begin()
        for error in (None, ServerFull(), ServerFull()):
            self.client.tell(StatusChanged(Status.OFFLINE, error))
        lines = self.fresh()
        self.assertEqual((lines[0], len(lines)), ("-- Connection lost. Trying again...", 2))
        self.assertIn("no connection", text_of(self.screen.conversation.bar(80)))
        self.client.tell(StatusChanged(Status.SYNCING))
        self.client.tell(message(1, "one"))
        self.client.tell(message(2, "two"))
        self.client.tell(StatusChanged(Status.ONLINE))
        self.assertEqual(self.fresh(), ["── new ──", "<bob> one", "<bob> two", "-- Connected again."])

    # -- talk -------------------------------------------------------------------------------------------------------------

    def test_talk(self) -> None:
        """A line goes to the room; it is printed when it comes back in the room's order, and what is seen is marked so."""
        conversation = self.begin()
        conversation.line_typed("hello")
        self.assertEqual((self.fresh(), self.client.calls), ([], [("lobby", "send", "hello", False, None)]))
        self.client.tell(message(1, "hello", "alice"))
        self.client.tell(message(2, "hi"))
        self.assertEqual(self.fresh(), ["<alice> hello", "<bob> hi"])
        self.assertEqual(self.client.there["lobby"].read, 2)

    def test_waiting(self) -> None:
        """What is on its way stands above the prompt; why it failed is told there, and in lines only elsewhere."""
        conversation = self.begin()
        self.assertEqual(conversation.waiting(), [])
        error = Muted()
        self.client.there["lobby"].texts = [WaitingMessage(ID, "x", False, None, 0, "failed", error)]
        drawn = self.screen.drawn
        self.client.tell(SendFailed(ID, error))
        self.assertGreater(self.screen.drawn, drawn)
        self.assertEqual(self.fresh(), [])
        self.assertEqual(text_of(conversation.waiting()[0]), "✗ <alice> x")
        self.client.tell(SendFailed(b"2" * 16, error))
        self.assertEqual(self.fresh(), ["-- Not sent: You are muted and cannot write here."])

    def test_commands(self) -> None:
        """Commands answer with lines, and are completed; what is refused is news."""
        conversation = self.begin()
        conversation.line_typed("/topic")
        conversation.line_typed("/nonsense")
        self.assertEqual(
            self.fresh(), ["#lobby has no topic.", "-- There is no /nonsense here; /help tells what there is."]
        )
        self.assertEqual(conversation.candidates("/qui"), (4, ["/quit"]))
        self.assertEqual(text_of(conversation.prompt()), "#lobby> ")

    def test_shown_once(self) -> None:
        """A message that stood there when the room was entered is not printed again."""
        self.begin()
        plans = self.client.there["plans"]
        plans.kept, plans.read = [message(5, "five", room="plans")], 5
        self.screen.conversation.room_wanted(2)
        self.client.tell(message(5, "five", room="plans"))
        self.client.tell(message(6, "six", room="plans"))
        self.assertEqual(self.fresh(), ["── #plans ──", "<bob> five", "<bob> six"])

    # -- rooms ------------------------------------------------------------------------------------------------------------

    def test_other_rooms(self) -> None:
        """What is said elsewhere is counted and not printed; who is called is told so once, without the text, and rung."""
        self.begin()
        self.client.tell(message(1, "secret", room="plans"))
        self.assertEqual((self.fresh(), self.screen.rings), ([], 0))
        self.client.tell(message(2, "secret", room="plans", mentioned=True))
        self.client.tell(message(1, "secret", room="@bob"))
        self.client.tell(message(2, "secret", room="@bob"))
        self.assertEqual(self.fresh(), ["-- bob calls you in #plans: Alt+2", "-- bob writes to you: Alt+3"])
        self.assertEqual(self.screen.rings, 1)
        self.assertEqual(self.bar(), "[1:#lobby] 2:#plans (2!) 3:@bob (2!)")
        self.client.tell(message(3, "mine", "alice", room="plans"))
        self.assertEqual(self.bar(), "[1:#lobby] 2:#plans (2!) 3:@bob (2!)")

    def test_rings_here(self) -> None:
        """A mention in the current room rings too, a line of one's own does not."""
        self.begin()
        self.client.tell(message(1, "x", "alice", mentioned=True))
        self.assertEqual(self.screen.rings, 0)
        self.client.tell(message(2, "x", mentioned=True))
        self.assertEqual(self.screen.rings, 1)

    def test_change(self) -> None:
        """Alt and a digit, and Alt-A, enter rooms: a header, what was said last, and from then on lines go there."""
        conversation = self.begin()
        plans = self.client.there["plans"]
        plans.kept, plans.read = [message(1, "one", room="plans")], 1
        conversation.room_wanted(2)
        conversation.room_wanted(9)
        self.assertEqual(self.fresh(), ["── #plans ──", "<bob> one"])
        conversation.line_typed("x")
        self.assertEqual(self.client.calls, [("plans", "send", "x", False, None)])
        conversation.active_room_wanted()
        self.assertEqual(self.fresh(), [])
        self.client.tell(message(1, room="@bob"))
        conversation.active_room_wanted()
        self.assertEqual(self.fresh()[1:], ["── @bob ──"])
        self.assertEqual(self.bar(), "1:#lobby 2:#plans [3:@bob]")

    def test_many_unread(self) -> None:
        """Of very many unread messages the last ones are shown, and the others counted."""
        self.begin()
        plans = self.client.there["plans"]
        plans.kept = [message(seq % 250, str(seq), room="plans") for seq in range(1000)]
        plans.unread = 1000
        self.screen.conversation.room_wanted(2)
        lines = self.fresh()
        self.assertEqual(lines[1], "-- 800 more were not read; /log shows them.")
        self.assertEqual(sum(line.startswith("<bob>") for line in lines), MOST_KEPT)

    def test_commands_that_lead_elsewhere(self) -> None:
        """A command that goes to another room shows the room in place of its answer, and messages only once."""
        conversation = self.begin()
        self.client.there["offer"].kept = [message(1, "meanwhile", room="offer")]
        conversation.line_typed("/accept #offer")
        self.assertEqual(self.fresh(), ["── #offer ──", "── new ──", "<bob> meanwhile"])
        self.assertEqual(self.bar(), "1:#lobby 2:#plans 3:@bob [4:#offer]")

    def test_put_out(self) -> None:
        """Whoever is put out of the current room is told, and stands in the lobby."""
        conversation = self.begin()
        conversation.room_wanted(2)
        self.fresh()
        del self.client.there["plans"]
        self.client.tell(RoomLeft("plans", "bob"))
        self.assertEqual(self.fresh(), ["-- bob has put you out of #plans.", "── #lobby ──"])
        self.assertEqual(self.bar(), "[1:#lobby] 2:@bob")
        del self.client.there["lobby"]
        self.client.tell(RoomLeft("lobby"))
        self.assertEqual(self.fresh(), ["-- You are not in #lobby any more."])
        self.assertEqual(self.bar(), "1:@bob")
        conversation.line_typed("x")
        self.assertIn("Not sent: There is no room #lobby", self.fresh()[0])

    def test_renamed(self) -> None:
        """A room that gets another name stays the current one, without being entered again."""
        conversation = self.begin()
        conversation.room_wanted(2)
        self.fresh()
        room = self.client.there.pop("plans")
        room.name = "ideas"
        self.client.there["ideas"] = room
        self.client.tell(RoomTitled("ideas", "plans", "", "bob"))
        self.assertEqual(len(self.fresh()), 1)
        self.assertEqual(self.bar(), "1:#lobby [2:#ideas] 3:@bob")

    def test_news(self) -> None:
        """News of the current room are told, those of others are not; what concerns all is."""
        self.begin()
        self.client.tell(MessageEdited("plans", ID, "bob", "x"))
        self.assertEqual(self.fresh(), [])
        self.client.tell(MessageEdited("lobby", ID, "bob", "x"))
        self.client.tell(Alarm("old_log"))
        self.client.tell(RoomOffered("@eve", "eve"))
        lines = self.fresh()
        self.assertEqual(lines[0], "-- #lobby: bob has changed message ?: x")
        self.assertTrue(lines[1].startswith("-- ALARM"))
        self.assertEqual(lines[2:], ["-- eve wants to talk with you directly: /accept @eve"])
