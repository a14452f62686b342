"""A person at a terminal, without a server and without a terminal."""

from chatserv.client import (
    DeviceGone,
    ProfileError,
    RoomJoined,
    RotationDone,
    RotationOpen,
    SendFailed,
    Status,
    StatusChanged,
    WaitingMessage,
)
from chatserv.errors import AuthFailed, ChatError, Muted, ServerFull, TooLarge
from clients.terminal.styled_lines import text_of
from tests.client.slash_fakes import message
from tests.clients.terminal.conversation_fakes import ID, ConversationTestCase


class ConversationTests(ConversationTestCase):
    """`clients.terminal.conversation.Conversation`."""

    # -- begin and end -------------------------------------------------------------------------------------------------

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

    def test_open_matters(self) -> None:
        """A new device that waits, and a key to be renewed, stay in sight until they are over."""
        begun = self.begin()
        (waits,) = map(text_of, begun.notices())
        self.assertEqual(
            waits,
            "New device: ice turkey dish hundred butter until. Same words there? /approve and the words. Not yours? "
            "/approve no",
        )
        self.client.devices.waiting = ()
        self.client.tell(DeviceGone(b"d" * 16))
        self.assertEqual(begun.notices(), [])
        self.client.devices.rotation_open = ("phone",)
        self.client.tell(RotationOpen(("phone",)))
        self.assertIn("has yet to be renewed", text_of(begun.notices()[0]))
        self.client.devices.rotation_open = ()
        self.client.tell(RotationDone())
        self.assertEqual(begun.notices(), [])

    def test_password(self) -> None:
        """What is secret is asked for apart from the line."""
        begun = self.begin()
        begun.line_typed("/password")
        self.assertEqual(self.fresh(), ["Your password is changed. It is asked for when you log in on a new device."])
        self.assertEqual(self.screen.questions, ["New password: ", "Once more: "])
        self.assertEqual(self.client.calls[-1], ("change_password", self.screen.secret))

    def test_newcomer(self) -> None:
        """Whoever registers just now comes into the lobby when it is there."""

        def prepare() -> None:
            self.client.there.clear()

        self.prepare = prepare  # type: ignore[method-assign]
        self.begin()
        self.assertEqual(self.first[-1], "-- Connected as alice.")
        self.client.add("lobby")
        self.client.tell(RoomJoined("lobby"))
        self.assertEqual(self.fresh(), ["-- You joined #lobby.", "── #lobby ──"])

    def test_unread_at_the_start(self) -> None:
        """Rooms where something was said meanwhile have their count."""

        def prepare() -> None:
            self.client.there["plans"].unread = 4
            # What was kept is told before one is connected, and is in the count.
            self.client.tell(message(7, room="plans"))

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
        self.assertIn("Lines waiting for the server: 1.", self.fresh()[0])
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

    def test_at_which_address(self) -> None:
        """Where the server can be reached at several, it is said at which one it was found."""
        self.begin()
        self.client.tell(StatusChanged(Status.OFFLINE, None))
        self.client.addresses = ("[::1]:5001", "a.example:5000")
        self.client.tell(StatusChanged(Status.ONLINE))
        self.assertEqual(self.fresh()[-1], "-- Connected again. Server: [::1]:5001")

    # -- talk ----------------------------------------------------------------------------------------------------------

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

    def test_too_long(self) -> None:
        """What is too long for a message is refused in words, and stands where it was typed; what is muted does not."""

        def refuse(error: ChatError) -> None:
            def send(_text: str, **_named: object) -> None:
                raise error

            self.patch(self.client.there["lobby"], "send", send)

        conversation = self.begin()
        refuse(TooLarge())
        conversation.line_typed("one\ntwo")
        self.assertEqual(self.fresh(), ["-- Not sent: That is too long to send."])
        refuse(Muted())
        conversation.line_typed("three")
        self.assertEqual(self.fresh(), ["-- Not sent: You are muted and cannot write here."])
        self.assertEqual(self.screen.given_back, ["one\ntwo"])

    def test_commands(self) -> None:
        """Commands answer with lines, and are completed; what is refused is news."""
        conversation = self.begin()
        conversation.line_typed("/topic")
        conversation.line_typed("/nonsense")
        self.assertEqual(
            self.fresh(), ["#lobby has no topic.", "-- There is no command /nonsense; /help shows all commands."]
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
