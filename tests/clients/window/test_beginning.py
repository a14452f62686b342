"""How the window begins: with an account, with a link, with nothing; and what it says where there is nothing to read."""

from chatserv.client import Status, StatusChanged, format_link
from chatserv.wire.link import ServerLink
from clients.window.arguments import Arguments
from clients.window.session import State
from tests.client.slash_fakes import message
from tests.clients.window.test_application import FINGERPRINT, LINK, ApplicationTestCase


class BeginningTestCase(ApplicationTestCase):
    """A window that begins as a test wants it."""

    def begin(self, *, registered: bool | None = True, link: ServerLink | None = None, offline: bool = False) -> None:
        """Begins anew."""
        self.successResultOf(self.application.stop())
        self.close()
        self.root = self.new_root()
        self.clients.clear()
        self.profile.registered = registered
        self.application = self.make(Arguments(link=None if link is None else format_link(link), offline=offline))
        self.pass_time()

    @property
    def hint(self) -> str:
        """What it says to do next."""
        return self.context.layout.hint.text


class BeginningTests(BeginningTestCase):
    """Connections that nobody asks for."""

    def test_it_connects_where_there_is_an_account(self) -> None:
        """Nothing has to be pressed; the keyboard is in the field then."""
        self.begin()
        self.assertEqual((self.context.session.state, len(self.clients)), (State.CONNECTING, 1))
        self.root.focus_force()
        self.tell(StatusChanged(Status.SYNCING), StatusChanged(Status.ONLINE))
        self.assertIs(self.root.focus_get(), self.context.layout.entry.field)
        self.assertFalse(self.context.layout.bar.winfo_manager())

    def test_it_does_not_take_the_keyboard_from_a_dialog(self) -> None:
        """Nor from a list that somebody walks in; only from where server and port were."""
        self.begin()
        self.root.focus_force()
        self.tell(StatusChanged(Status.OFFLINE, OSError("refused")))
        self.application.actions.messages.search()
        self.update()
        before = self.root.focus_get()
        self.tell(StatusChanged(Status.SYNCING), StatusChanged(Status.ONLINE))
        self.assertEqual((self.dialog_title, self.root.focus_get()), ("Search", before))
        self.begin(offline=True)
        self.context.layout.bar.connect_button.focus_force()
        self.update()
        self.online()
        self.assertIs(self.root.focus_get(), self.context.layout.entry.field)

    def test_it_reads_what_is_kept_while_the_server_is_away(self) -> None:
        """And waits for it, without a dialog."""
        self.begin()
        self.room("plans").kept = [message(1, "kept", room="plans")]
        self.tell(StatusChanged(Status.OFFLINE, OSError("refused")))
        self.assertIsNone(self.dialog())
        self.assertIn("Trying again", self.context.layout.status.text)
        self.assertNotIn("lost", self.context.layout.status.text)
        self.application.actions.rooms.go("plans")
        self.pass_time()
        self.assertIn("kept", self.chat)
        self.type("later")
        self.assertIn(("plans", "send", "later", False, None), self.client.calls)

    def test_what_is_typed_before_there_is_a_room_is_not_lost(self) -> None:
        """It stands in the field of the first one."""
        self.begin(registered=None)
        self.context.layout.entry.put("hello")
        self.profile.registered = True
        self.online()
        self.assertEqual(self.context.conversations.current, "lobby")
        self.assertEqual(self.context.layout.entry.text, "hello")
        self.application.actions.rooms.go("plans")
        self.pass_time()
        self.assertEqual(self.context.layout.entry.text, "")

    def test_a_link_to_the_same_server_is_gone_to(self) -> None:
        """By itself; one of another server is refused, and the account is where it was."""
        self.begin(link=ServerLink("new.example", 5001, FINGERPRINT))
        self.assertEqual((self.context.session.state, self.profile.address), (State.CONNECTING, ("new.example", 5001)))
        self.begin(link=ServerLink("a.example", 5001, FINGERPRINT, others=(("b.example", 1),)))
        self.assertEqual((self.profile.address, self.profile.others), (("a.example", 5001), (("b.example", 1),)))
        self.begin(link=ServerLink("evil.example", 5001, b"e" * 32))
        self.assertEqual(self.dialog_title, "Bad link")
        self.assertNotEqual(self.profile.address[0], "evil.example")

    def test_a_link_without_an_account_asks_whether_there_is_one(self) -> None:
        """Who is new is asked for a name; so is, at once, whose registration was begun before."""
        self.begin(registered=None, link=LINK)
        self.assertEqual(self.dialog_title, "Your account")
        self.begin(registered=False, link=LINK)
        self.assertEqual(self.dialog_title, "Register")

    def test_without_anything_it_says_what_is_needed(self) -> None:
        """Its button asks for a link; where there is an account nothing is said."""
        for registered in (None, False):
            self.begin(registered=registered)
            self.assertEqual(self.clients, [])
            self.assertIn("Welcome", self.hint)
            self.assertIn("link", self.hint)
            self.context.layout.hint.buttons[0].invoke()
            self.update()
            self.assertEqual(self.dialog_title, "Use a link")


class OfflineTests(BeginningTestCase):
    """Without a connection."""

    def setUp(self) -> None:
        """What is kept is there."""
        super().setUp()
        self.room("plans").kept = [message(1, "kept", room="plans")]
        self.room().kept = [message(1, "hello")]
        self.application.actions.rooms.go("plans")
        self.pass_time()

    def test_rooms_and_history_are_there(self) -> None:
        """They can be searched; nothing can be sent, and is not lost."""
        self.assertIn("kept", self.chat)
        self.assertFalse(self.client.running)
        self.application.actions.messages.search()
        self.assertEqual(self.dialog_title, "Search")
        self.type("hello")
        self.assertIn("Not connected: nothing was sent.", self.chat)
        self.assertEqual((self.client.calls, self.context.layout.entry.text), ([], "hello"))
        self.application.actions.doing.command("/who")
        self.assertEqual(self.dialog_title, "Not done")
        self.assertTrue(self.context.layout.bar.winfo_manager())

    def test_the_room_on_the_screen_stays_through_a_connection(self) -> None:
        """When it begins, and when a person ends it."""
        self.online()
        self.assertEqual(self.context.conversations.current, "plans")
        self.application.connecting.disconnect()
        self.pass_time()
        self.assertEqual(
            (self.context.session.state, self.context.conversations.current),
            (State.OFF, "plans"),
        )
        self.assertEqual([row.key for row in self.context.layout.rooms.rows], ["@bob", "lobby", "offer", "plans"])


class HintTests(BeginningTestCase):
    """Rooms in which nobody has said anything."""

    def test_an_empty_room_says_what_to_do(self) -> None:
        """Until somebody speaks; its button asks whom to bring in."""
        self.online()
        self.application.actions.rooms.go("plans")
        self.pass_time()
        self.assertIn("#plans", self.hint)
        self.context.layout.hint.buttons[0].invoke()
        self.update()
        self.assertEqual(self.dialog_title, "Invite")
        self.application.actions.rooms.go("@bob")
        self.pass_time()
        self.assertEqual(("two of you" in self.hint, self.context.layout.hint.buttons), (True, []))
        self.application.actions.rooms.go("plans")
        self.pass_time()
        self.tell(message(1, "first", room="plans"))
        self.assertEqual((self.hint, self.context.layout.hint.winfo_manager()), ("", ""))

    def test_who_is_in_no_room_is_told_how_to_come_into_one(self) -> None:
        """By joining one, or by making one."""
        self.begin()
        self.client.there.clear()
        self.tell(StatusChanged(Status.SYNCING), StatusChanged(Status.ONLINE))
        self.assertIn("not in any room", self.hint)
        self.context.layout.hint.buttons[1].invoke()
        self.update()
        self.assertEqual(self.dialog_title, "New room")
