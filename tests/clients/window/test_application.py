"""Tests of the whole window with a client that is none, on a screen."""

import gettext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred, fail
from twisted.internet.testing import MemoryReactorClock

import chatserv.i18n
from chatserv.client import Alarm, Client, ClientEvent, Profile, RoomHandle, WaitingMessage, format_link
from chatserv.client.account.seal import Seal, Way
from chatserv.client.errors import Quota, StorageError, TooLarge
from chatserv.client.events import (
    HistoryReceived,
    MessageReceived,
    RoomLeft,
    SendQueued,
    Status,
    StatusChanged,
    TypingSeen,
)
from chatserv.client.history_results import Imported
from chatserv.wire.link import ServerLink
from clients.shared.paste import MAX_LINE_CHARACTERS
from clients.window.arguments import Arguments
from clients.window.session import State
from clients.window.timeline.spans import ROW
from clients.window.widgets.rows import Row
from tests.client.slash_fakes import AT_MS, NUMBER, FakeRoom, member, message
from tests.clients.program_fakes import StartedClient
from tests.clients.window.screens import ScreenTestCase

if TYPE_CHECKING:
    from clients.window.application import Application
    from clients.window.context import WindowContext

FINGERPRINT = b"f" * 32
LINK = ServerLink("chat.example", 5001, FINGERPRINT, b"i" * 32)


class FakeProfile:
    """An account, or none; left unsealed by choice."""

    seal, sealing, key = Seal(Way.NONE), Way.NONE, None

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory
        self.registered: bool | None = True  # None: no keys yet
        self.enrolling = False
        self.address = ("127.0.0.1", 5000)

    def keyring(self) -> Any:
        """Who we are."""
        if self.registered is None:
            return None
        host, port = self.address
        fields = {"user": "alice", "host": host, "port": port, "registered": self.registered, "server_id": FINGERPRINT}
        fields["enrolling"] = self.enrolling
        return type("Keyring", (), fields)()

    def move(self, host: str, port: int, others: tuple[tuple[str, int], ...] = ()) -> None:
        """Another address."""
        self.address, self.others = (host, port), others

    def read_json(self, name: str, kind: type[Any]) -> None:
        """Nothing is kept."""

    def write(self, name: str, data: bytes) -> None:
        """Nor is anything afterwards."""


class ApplicationTestCase(ScreenTestCase):
    """Alice's window; ``self.client`` is her client once it is connected."""

    arguments = Arguments(offline=True)

    def setUp(self) -> None:
        """A window that is not connected."""
        super().setUp()
        from clients.window.application import Application

        self.reactor, self.profile = MemoryReactorClock(), FakeProfile(Path(self.mktemp()))
        self.calls: list[Any] = []
        self.clients: list[StartedClient] = []
        self.application: Application = self.make(self.arguments)

    def make(self, arguments: Arguments) -> "Application":
        """A window."""
        from clients.window.application import Application

        def client(*args: Any, **options: Any) -> StartedClient:
            self.clients.append(StartedClient(*args, **options))
            self.client.account.recovery = "set"  # else it is spoken of after a moment
            return self.clients[-1]

        application = Application(
            self.reactor,
            self.root,
            cast(Profile, self.profile),
            arguments,
            now_ms=lambda: AT_MS,
            attention=lambda found: self.calls.append(("attention", found)),
            quit=lambda: self.calls.append("quit"),
            make_client=cast(type[Client], client),
        )
        application.begin()
        self.update()
        return application

    @property
    def context(self) -> "WindowContext":
        """What the window's parts share."""
        return self.application.context

    @property
    def client(self) -> StartedClient:
        """The one that was made last."""
        return self.clients[-1]

    def room(self, name: str = "lobby") -> FakeRoom:
        """A room of alice's."""
        return self.client.there[name]

    def online(self) -> None:
        """Connects."""
        self.application.connecting.connect()
        self.tell(StatusChanged(Status.SYNCING), StatusChanged(Status.ONLINE))

    def tell(self, *events: ClientEvent) -> None:
        """The client tells something, and time passes."""
        for event in events:
            self.client.tell(event)
        self.pass_time()

    def pass_time(self, seconds: float = 1.2) -> None:
        """Everything is drawn."""
        self.reactor.pump([0.05] * round(seconds / 0.05))
        self.update()

    def type(self, text: str) -> None:
        """A line is sent."""
        self.context.layout.entry.put(text)
        self.context.layout.entry.take()
        self.pass_time()

    @property
    def chat(self) -> str:
        """What stands in the conversation."""
        return self.context.layout.chat.text.get("1.0", "end-1c")

    def menu(self, fill: Any) -> dict[str, str]:
        """A menu's lines, and whether they can be chosen."""
        import tkinter as tk

        menu = tk.Menu(self.root, tearoff=False)
        fill(menu)
        kinds = [(menu.type(at), at) for at in range((menu.index("end") or 0) + 1)]
        return {menu.entrycget(at, "label"): menu.entrycget(at, "state") for kind, at in kinds if kind != "separator"}


class ConnectingTests(ApplicationTestCase):
    """Until there is a connection, and when it ends."""

    def test_the_fields_show_where_the_account_is(self) -> None:
        """Connect goes there; the state is told below, and what is kept is there to be read."""
        self.assertEqual(self.context.layout.bar.port.get(), "5000")
        self.assertEqual(self.context.layout.status.text, "Not connected.")
        self.online()
        self.assertEqual(self.context.layout.status.text, "Connected as alice.")
        self.assertIn("Connected to #lobby as alice.", self.chat)
        self.assertEqual(self.root.title(), "(1) #lobby - alice - chatserv")

    def test_while_it_connects_a_bar_moves_and_connect_cannot_be_pressed(self) -> None:
        """Disconnect can."""
        layout = self.context.layout
        self.application.connecting.connect()
        self.assertTrue(layout.status.working)
        self.assertTrue(layout.bar.connect_button.instate(["disabled"]))
        self.assertTrue(layout.bar.disconnect_button.instate(["!disabled"]))
        self.tell(StatusChanged(Status.SYNCING), StatusChanged(Status.ONLINE))
        self.assertFalse(layout.status.working)

    def test_without_an_account_a_link_is_asked_for(self) -> None:
        """And then whether there is an account elsewhere; who is new enters name and password."""
        self.profile.registered = None
        self.application.connecting.connect()
        self.assertEqual(self.dialog_title, "Use a link")
        self.application.connecting.use_link(format_link(LINK))
        self.assertEqual(self.context.layout.bar.host.get(), "chat.example")
        self.application.connecting.connect()
        self.assertEqual(self.dialog_title, "Your account")
        self.press("I am new here")
        self.assertEqual(self.dialog_title, "Register")

    def test_a_link_from_the_bar_goes_on(self) -> None:
        """As the one that is asked for does, also where somebody has given up before."""
        self.profile.registered = None
        for _ in range(2):
            self.context.layout.bar.link_button.invoke()
            (entry,) = self.parts("TEntry")
            entry.insert(0, format_link(LINK))
            self.press("Use it")
            self.assertEqual(self.dialog_title, "Your account")
            self.press("Cancel")

    def test_a_link_that_is_pasted_into_the_field_is_a_link(self) -> None:
        """It fills both fields, whatever was copied along with it."""
        for around in ("{}", "<{}>.", "\u201c{}\u201d", "here: {}"):
            self.context.layout.bar.show("", 1)
            self.context.layout.bar.host.set(around.format(format_link(LINK)))
            self.update()
            self.assertEqual(self.context.layout.bar.host.get(), "chat.example", around)
            self.assertEqual(self.context.layout.bar.port.get(), "5001")

    def test_a_link_of_another_server_is_refused(self) -> None:
        """The profile belongs to one."""
        self.application.connecting.use_link(format_link(ServerLink("evil.example", 5000, b"e" * 32)))
        self.assertEqual(self.dialog_title, "Bad link")
        self.assertEqual(self.context.layout.bar.host.get(), "127.0.0.1")

    def test_a_bad_link_is_told(self) -> None:
        """Whoever gave it on the command line sees a dialog."""
        self.application.connecting.use_link("chatserv://nothing")
        self.assertEqual(self.dialog_title, "Bad link")

    def test_a_server_that_is_no_name_is_told(self) -> None:
        """Nothing is connected."""
        self.context.layout.bar.host.set("not a host")
        self.application.connecting.connect()
        self.assertEqual((self.dialog_title, self.context.session.state), ("Bad server", State.OFF))

    def test_a_failed_attempt_opens_a_dialog(self) -> None:
        """Where the account was not known to be: the client is stopped, and Connect can be pressed again."""
        self.context.layout.bar.port.set("5001")
        self.application.connecting.connect()
        self.tell(StatusChanged(Status.OFFLINE, OSError("refused")))
        self.assertEqual(self.dialog_title, "Connection failed")
        self.assertEqual(self.context.session.state, State.OFF)
        self.assertTrue(self.context.layout.bar.connect_button.instate(["!disabled"]))

    def test_it_is_said_at_which_address_the_server_is(self) -> None:
        """Where it can be reached at several: below, in the room, and in the fields when there is no connection any more."""
        self.begin_at("a.example", "b.example")
        self.assertEqual(self.context.layout.status.text, "Connected as alice. Server: a.example:5000")
        self.assertIn("Connected to #lobby as alice. Server: a.example:5000", self.chat)
        self.tell(StatusChanged(Status.OFFLINE))
        self.begin_at("b.example", "a.example")
        self.assertEqual(self.context.layout.status.text, "Connected as alice. Server: b.example:5000")
        self.assertIn("Connected again. Server: b.example:5000", self.chat)
        self.assertEqual(
            (self.context.layout.bar.host.get(), self.context.layout.bar.port.get()), ("b.example", "5000")
        )

    def begin_at(self, *hosts: str) -> None:
        """The client has found the server at the first one."""
        if self.context.session.state is State.OFF:
            self.application.connecting.connect()
        self.client.addresses = tuple(f"{host}:5000" for host in hosts)
        self.profile.address = (hosts[0], 5000)
        self.tell(StatusChanged(Status.SYNCING), StatusChanged(Status.ONLINE))

    def test_a_lost_connection_is_told_below(self) -> None:
        """No dialog; and told when it is there again."""
        self.online()
        self.tell(StatusChanged(Status.OFFLINE))
        self.assertEqual(self.context.layout.status.text, "Connection lost. Trying again...")
        self.assertIsNone(self.dialog())
        self.tell(StatusChanged(Status.ONLINE))
        self.assertIn("Connected again.", self.chat)

    def test_disconnect_keeps_the_account(self) -> None:
        """Nothing is sent meanwhile; Connect goes on."""
        self.online()
        self.application.connecting.disconnect()
        self.pass_time()
        self.type("hello")
        self.assertIn("Not connected: nothing was sent.", self.chat)
        self.assertEqual(self.context.layout.entry.text, "hello")
        self.assertFalse(self.clients[0].running or self.clients[1].running)
        self.assertIn("lobby", [row.key for row in self.context.layout.rooms.rows])
        self.online()
        self.assertTrue(self.client.running)

    def test_the_window_remembers_how_it_looks(self) -> None:
        """When it ends."""
        from clients.window.settings import load_settings

        self.context.layout.theme_name.set("dark")
        self.context.layout.take_theme()
        self.context.layout.rescale(2)
        self.successResultOf(self.application.stop())
        settings = load_settings(self.profile.directory)
        self.assertEqual((settings.theme, settings.scale), ("dark", 1.2))


class TalkingTests(ApplicationTestCase):
    """A connection."""

    def setUp(self) -> None:
        """It is there; one message of bob's is kept."""
        super().setUp()
        self.application.connecting.connect()
        self.room().kept = [message(1, "kept"), message(2, "mine", sender="alice")]
        self.tell(StatusChanged(Status.SYNCING), *self.room().kept, StatusChanged(Status.ONLINE))

    def test_the_room_is_shown_with_what_was_said(self) -> None:
        """And who is in it."""
        self.assertIn(f"{ROW}kept", self.chat)
        self.assertEqual([row.key for row in self.context.layout.members.rows], ["alice", "bob"])
        self.assertEqual([row.key for row in self.context.layout.rooms.rows], ["@bob", "lobby", "offer", "plans"])

    def test_a_line_goes_to_the_room(self) -> None:
        """The field is empty then; commands work as well."""
        self.type("hello")
        self.assertIn(("lobby", "send", "hello", False, None), self.client.calls)
        self.assertEqual(self.context.layout.entry.text, "")
        self.type("/me waves")
        self.assertIn(("lobby", "send", "waves", True, None), self.client.calls)
        self.type("/nonsense")
        self.assertIn("There is no command /nonsense", self.chat)

    def test_a_text_of_ours_is_seen_on_its_way_and_then_in_the_room(self) -> None:
        """Once at any time; a failed one with its reason."""
        text = WaitingMessage(b"t" * 16, "underway", False, None, AT_MS)
        self.room().texts = [text]
        self.tell(SendQueued("lobby", text.message_id, text.text, AT_MS, False, None))
        self.assertIn(f"{ROW}underway …", self.chat)
        self.room().texts = []
        self.tell(message(3, "underway", sender="alice", message_id=text.message_id))
        self.assertEqual(self.chat.count("underway"), 1)
        self.assertIn(f"{ROW}underway ✓", self.chat)
        self.room().texts = [WaitingMessage(b"u" * 16, "lost", False, None, AT_MS, "failed", Quota("full"))]
        self.tell(SendQueued("lobby", b"u" * 16, "lost", AT_MS, False, None))
        self.assertIn("lost ✗ not sent", self.chat)

    def test_how_many_texts_are_on_their_way(self) -> None:
        """Of thousands that were pasted the newest are drawn, and the others are counted."""
        self.room().texts = [
            WaitingMessage(number.to_bytes(16, "big"), f"line {number}", False, None, AT_MS) for number in range(2000)
        ]
        self.tell(SendQueued("lobby", bytes(16), "line 0", AT_MS, False, None))
        self.assertEqual(self.chat.count("line "), 100)
        self.assertIn("line 1999 … and 1900 more", self.chat)

    def test_a_failed_text_is_sent_again_or_given_up(self) -> None:
        """From its menu."""
        failed = WaitingMessage(b"u" * 16, "lost", False, None, AT_MS, "failed", Quota("full"))
        self.room().texts = [failed]
        self.tell(SendQueued("lobby", b"u" * 16, "lost", AT_MS, False, None))
        self.context.layout.chat._end_of(1)
        lines = self.menu(self.application.menus.of_message.fill)
        self.assertEqual((lines["Send again"], lines["Discard"]), ("normal", "normal"))
        self.application.actions.messages.resend(failed)
        self.assertIn(("lobby", "resend", failed.message_id), self.client.calls)
        self.application.actions.messages.discard(failed)
        self.assertIn(("lobby", "discard", failed.message_id), self.client.calls)

    def choose(self, seq: int) -> None:
        """Marks a message."""
        layout = self.context.layout
        number = self.context.conversations.here.number(message(seq).message_id)
        assert number is not None
        layout.chat._choose_line(number - layout.chat._first + 1)

    def test_an_own_message_is_changed_in_the_field(self) -> None:
        """Escape leaves it."""
        self.choose(2)
        self.application.actions.messages.act("edit")
        self.assertEqual(self.context.layout.entry.text, "mine")
        self.application.actions.messages.give_up()
        self.assertEqual(self.context.layout.entry.text, "")
        self.application.actions.messages.act("edit")
        self.type("better")
        self.assertIn(("lobby", "edit", message(2).message_id, "better"), self.client.calls)
        self.type("another")
        self.assertIn(("lobby", "send", "another", False, None), self.client.calls)

    def test_a_message_is_answered(self) -> None:
        """The next line alone is the answer."""
        self.choose(1)
        self.application.actions.messages.act("reply")
        self.type("yes")
        self.type("and")
        sent = [call[2:] for call in self.client.calls if call[1] == "send"]
        self.assertEqual(sent, [("yes", False, message(1).message_id), ("and", False, None)])

    def test_a_message_of_somebody_else_is_not_ours_to_change(self) -> None:
        """The menu does not offer it; an owner may take it back."""
        self.choose(1)
        lines = self.menu(self.application.menus.of_message.fill)
        self.assertEqual((lines["Edit"], lines["Delete…"]), ("disabled", "normal"))
        self.room().role = "member"
        self.assertEqual(self.menu(self.application.menus.of_message.fill)["Delete…"], "disabled")
        self.application.actions.messages.act("edit")
        self.assertEqual(self.context.layout.entry.text, "")

    def test_a_sign_is_put_and_taken_away(self) -> None:
        """Ours goes when it is chosen again."""
        self.application.actions.messages.react(message(1), "👍")
        self.room().signs = {message(1).message_id: {"👍": ["alice"]}}
        self.application.actions.messages.react(message(1), "👍")
        reacted = [call[3:] for call in self.client.calls if call[1] == "react"]
        self.assertEqual(reacted, [("👍", True), ("👍", False)])

    def test_the_members_menu_offers_what_our_role_permits(self) -> None:
        """Nothing over equals, and nothing in direct messages."""
        lines = self.menu(lambda menu: self.application.menus.of_member.fill(menu, "bob"))
        self.assertEqual([lines[each] for each in ("Kick…", "Ban…", "Mute", "Role")], ["normal"] * 4)
        self.room().people = [member("alice", "owner"), member("bob", "owner")]
        lines = self.menu(lambda menu: self.application.menus.of_member.fill(menu, "bob"))
        self.assertEqual([lines[each] for each in ("Kick…", "Ban…", "Mute", "Role")], ["disabled"] * 4)
        lines = self.menu(lambda menu: self.application.menus.of_member.fill(menu, "alice"))
        self.assertEqual(set(lines.values()), {"disabled"})

    def test_every_menu_can_be_built(self) -> None:
        """Connected or not, whatever is chosen."""
        menus = self.application.menus
        fills = (menus._server, menus._rooms, menus.of_message.fill, menus._view, menus._help)
        for fill in fills:
            self.assertTrue(self.menu(fill))
        self.application.connecting.disconnect()
        self.pass_time()
        for fill in fills:
            self.assertTrue(self.menu(fill))

    def test_each_letter_that_is_underlined_chooses_one_line(self) -> None:
        """In every menu, in every language."""
        import tkinter as tk

        menus = self.application.menus
        for language in ("en", "es"):
            found = gettext.translation("chatserv", Path(chatserv.i18n.__file__).parent / "locale", [language])
            self.patch(chatserv.i18n, "_translations", found)
            fills = (menus._server, menus._rooms, menus.of_message.fill, menus._view, menus._help)
            for fill in (*fills, lambda menu: menus.of_member.fill(menu, "bob")):
                menu = tk.Menu(self.root, tearoff=False)
                fill(menu)
                lines = [at for at in range((menu.index("end") or 0) + 1) if menu.type(at) != "separator"]
                letters = [
                    str(menu.entrycget(at, "label"))[int(menu.entrycget(at, "underline"))].lower()
                    for at in lines
                    if int(menu.entrycget(at, "underline")) >= 0
                ]
                self.assertEqual(len(letters), len(set(letters)), (language, letters))

    def test_f6_goes_round_and_back(self) -> None:
        """Field, rooms, conversation, members."""
        layout = self.context.layout
        layout.entry.field.focus_force()
        self.update()
        parts = [layout.rooms.tree, layout.chat.text, layout.members.tree, layout.entry.field]
        for key, around in (("<F6>", parts), ("<Shift-F6>", [*parts[2::-1], parts[3]])):
            for part in around:
                focus = self.root.focus_get()
                assert focus is not None
                focus.event_generate(key)
                self.update()
                self.assertIs(self.root.focus_get(), part, key)

    def test_keys_of_the_window_do_nothing_in_dialogs(self) -> None:
        """Escape closes the dialog, and does no more."""
        self.application.actions.rooms.create_room()
        self.update()
        focus = self.root.focus_get()
        assert focus is not None
        self.assertIs(focus.winfo_toplevel(), self.dialog())
        focus.event_generate("<Control-q>")
        self.update()
        self.assertNotIn("quit", self.calls)
        self.root.focus_force()
        self.update()
        self.root.event_generate("<Control-q>")
        self.update()
        self.assertIn("quit", self.calls)

    def test_keys_of_the_window_change_nothing_in_the_field(self) -> None:
        """Tk's own Ctrl+O would break the line, and its Ctrl+K would cut it off."""
        entry = self.context.layout.entry
        entry.put("half a line")
        for key in ("<Control-o>", "<Control-k>"):
            entry.field.mark_set("insert", "1.4")
            entry.field.focus_force()
            self.update()
            entry.field.event_generate(key)
            self.update()
            self.assertEqual(entry.text, "half a line", key)

    def test_what_is_shared_stands_in_the_room_at_once(self) -> None:
        """What was said before we came, by a moderator, or what we kept elsewhere, by another device of ours."""
        ours = HistoryReceived("phone", Imported(1, whole=True))
        past = HistoryReceived("", Imported(1, whole=True), None, "lobby", "bob", bytes(16))
        for number, event in enumerate((past, ours)):
            said = f"said before {number}"
            self.room().kept.insert(0, message(1, said, message_id=bytes([8 + number]) * 16))
            self.tell(event)
            self.assertLess(self.chat.index(said), self.chat.index("kept"))

    def test_another_room_is_shown_when_it_is_chosen(self) -> None:
        """By the list, by a command, by a key; a room that waits for consent asks for it."""
        self.application.actions.rooms.go("plans")
        self.assertEqual(self.context.conversations.current, "plans")
        self.type("/room lobby")
        self.assertEqual(self.context.conversations.current, "lobby")
        self.application.actions.rooms.go(self.application.presenter.lists.room_at(1))
        self.assertEqual(self.context.conversations.current, "@bob")
        self.application.actions.rooms.go("offer")
        self.assertEqual(self.dialog_title, "Invitation to #offer")
        self.application.actions.rooms.accept(cast(RoomHandle, self.room("offer")))
        self.assertEqual(self.context.conversations.current, "offer")

    def test_the_room_on_the_screen_is_seen(self) -> None:
        """Others count what is unread."""
        self.room("plans").unread = 3
        self.tell(message(3), message(4, room="plans"))
        rows = {row.key: row.facts for row in self.context.layout.rooms.rows}
        self.assertEqual(rows["plans"], "3")
        self.assertEqual(self.application.presenter.lists.next_unread(), "offer")
        self.root.focus_force()
        self.update()
        self.pass_time()
        self.assertEqual(self.room().read, 2)

    def test_whoever_looks_elsewhere_is_called_when_they_are_mentioned(self) -> None:
        """And for direct messages; not for anything else, nor while old messages are fetched."""
        self.tell(
            message(3, "a", room="plans"), message(4, "b", room="plans", mentioned=True), message(5, "c", room="@bob")
        )
        self.assertEqual([found.text for _, found in self.calls], ["b", "c"])
        self.tell(StatusChanged(Status.OFFLINE), StatusChanged(Status.SYNCING), message(6, "d", room="@bob"))
        self.assertEqual(len(self.calls), 2)

    def test_who_is_put_out_stands_nowhere(self) -> None:
        """What is being typed reaches nobody else; who leaves by themselves goes home."""
        self.application.actions.rooms.go("plans")
        plans = self.client.there.pop("plans")
        self.tell(RoomLeft("plans", "bob"))
        self.type("secret for plans")
        self.assertEqual([call for call in self.client.calls if call[1] == "send"], [])
        self.assertEqual(self.context.conversations.current, "plans")
        self.client.there["plans"] = plans
        self.application.actions.rooms.go("plans")
        del self.client.there["plans"]
        self.tell(RoomLeft("plans", "alice"))
        self.assertEqual(self.context.conversations.current, "lobby")

    def test_room_chosen_while_a_command_leads_elsewhere(self) -> None:
        """It is gone to after the command; what is typed meanwhile is not sent, and stays with the room on the screen."""
        joining: Deferred[None] = Deferred()

        async def join(name: str) -> Any:
            await joining
            return self.client.there[name]

        self.patch(self.client, "join", join)
        self.type("/join plans")
        self.application.actions.rooms.go("@bob")
        self.type("for bob")
        joining.callback(None)
        self.pass_time()
        self.assertEqual(self.context.conversations.current, "@bob")
        self.assertEqual([call for call in self.client.calls if call[1] == "send"], [])
        self.assertEqual(self.context.layout.entry.text, "")
        self.application.actions.rooms.go("lobby")
        self.assertEqual(self.context.layout.entry.text, "for bob")

    def test_who_types_is_told_for_a_moment(self) -> None:
        """In the status line."""
        self.tell(TypingSeen("lobby", "bob"))
        self.assertEqual(self.context.layout.status.text, "bob is typing in #lobby")
        self.pass_time(6)
        self.assertEqual(self.context.layout.status.text, "Connected as alice.")

    def test_tab_completes_commands_and_names(self) -> None:
        """Several are shown."""
        entry = self.context.layout.entry
        entry.put("/kic")
        entry._tab()
        self.assertEqual(entry.text, "/kick ")
        entry.put("/un")
        entry._tab()
        self.assertIn("/unban ", str(entry.about.cget("text")))

    def test_several_lines_that_are_pasted_are_one_message(self) -> None:
        """They stand in the field, and are no command; of what is too long nothing is taken, and it is said why."""
        entry = self.context.layout.entry
        self.root.clipboard_clear()
        self.assertEqual(entry._pasted("CLIPBOARD"), "break")
        self.root.clipboard_append("/quit\r\n  two\n")
        entry._pasted("CLIPBOARD")
        self.assertEqual(entry.text, "//quit\n  two")
        entry.field.tag_add("sel", "1.0", "1.6")
        entry._pasted("CLIPBOARD")
        self.assertEqual(entry.text, "//quit\n  two\n  two")
        entry.take()
        self.assertEqual([call[2] for call in self.client.calls if call[1] == "send"], ["/quit\n  two\n  two"])
        entry.put("draft")
        self.root.clipboard_append("x" * MAX_LINE_CHARACTERS)
        entry._pasted("CLIPBOARD")
        self.assertEqual((self.dialog_title, entry.text), ("Paste", "draft"))

    def test_what_is_too_long_for_a_message_is_given_back(self) -> None:
        """It is said, and stands in the field, unless something else does by now."""

        def send(_text: str, **_named: object) -> None:
            raise TooLarge

        self.patch(self.room(), "send", send)
        self.type("one\ntwo")
        self.assertIn("too long to send", self.chat)
        self.assertEqual(self.context.layout.entry.text, "one\ntwo")
        self.context.layout.entry.give_back("another")
        self.assertEqual(self.context.layout.entry.text, "one\ntwo")

    def test_a_long_message_opens_and_folds(self) -> None:
        """By a click on the place that says how much there is more; what is copied is whole, with its lines."""
        self.tell(message(9, "x\n" * 99 + "end"))
        chat = self.context.layout.chat
        self.assertIn("… 88 more lines", self.chat)
        chat._choose_line(1 + self.chat[: self.chat.index("88 more")].count("\n"))
        for shown in (True, False):
            chat._actions.act("unfold")
            self.pass_time()
            self.assertEqual(("end" in self.chat, "88 more" in self.chat), (shown, not shown))
        chat._actions.act("copy")
        self.assertEqual(self.root.clipboard_get(), "x\n" * 99 + "end")

    def test_a_number_that_is_the_same_verifies(self) -> None:
        """Another one is told as such, loudly."""
        from clients.window.dialogs.verification import Verifying

        made: list[Verifying] = []
        original = Verifying.__init__

        def init(dialog: Verifying, *args: Any) -> None:
            original(dialog, *args)
            made.append(dialog)

        self.patch(Verifying, "__init__", init)
        self.type("/verify bob")
        self.assertEqual(self.dialog_title, "Verify bob")
        made[0].given.insert(0, "11111")
        made[0]._go()
        self.assertIn("do NOT match", str(made[0].said.cget("text")))
        made[0].given.delete(0, "end")
        made[0].given.insert(0, NUMBER)
        made[0]._go()
        self.pass_time()
        self.assertFalse(made[0].is_open)
        self.assertIn("bob is verified.", self.chat)

    def test_what_is_found_is_shown_where_it_was_said(self) -> None:
        """In its room."""
        from clients.window.dialogs.search import Searching

        self.room("plans").history = lambda limit=50, before=None: [message(7, "needle", room="plans")]  # type: ignore[method-assign]  # noqa: ARG005
        self.room("plans").kept = [message(7, "needle", room="plans")]
        search = Searching(self.root, self.client.search, self.application.actions.messages._go_to_message)
        search.words.insert(0, "needle")
        search.search()
        self.assertEqual([found.seq for found in search.found], [7])
        search._chosen()
        self.pass_time()
        self.assertEqual(self.context.conversations.current, "plans")
        chosen = self.context.layout.chat.chosen
        self.assertEqual(isinstance(chosen, MessageReceived) and chosen.text, "needle")


class LookingBackTests(ApplicationTestCase):
    """Old messages are on the screen; the lobby has a thousand."""

    def setUp(self) -> None:
        """One of the first was looked for, in a room that was not shown before."""
        super().setUp()
        self.online()
        self.old = [message(1, f"old{seq}", room="plans") for seq in range(1, 1001)]
        self.old = [
            replace(each, seq=seq, message_id=seq.to_bytes(16, "big")) for seq, each in enumerate(self.old, start=1)
        ]
        plans = self.room("plans")
        plans.kept = self.old

        def history(limit: int = 50, before: int | None = None) -> list[MessageReceived]:
            return [each for each in plans.kept if before is None or each.seq < before][-limit:]

        self.patch(plans, "history", history)
        self.application.actions.messages._go_to_message(self.old[99])
        self.root.focus_force()
        self.pass_time()

    def test_nothing_is_seen_that_is_not_shown(self) -> None:
        """A new message is counted; a line says where it is, and leads there."""
        plans = self.room("plans")
        self.assertEqual(plans.read, 0)
        new = message(1, "NEW", room="plans")
        new = replace(new, seq=1001, message_id=b"n" * 16)
        plans.kept, plans.unread = [*self.old, new], 1
        self.tell(new)
        self.assertEqual(plans.read, 0)
        self.assertNotIn("NEW", self.chat)
        self.assertEqual(self.chat.splitlines()[-1], "Newer messages: End")
        rows = {row.key: row.facts for row in self.context.layout.rooms.rows}
        self.assertEqual(rows["plans"], "1")
        self.context.layout.chat._end_of(1)
        self.pass_time()
        self.assertIn("NEW", self.chat)
        self.assertEqual(plans.read, 1001)

    def test_what_has_to_be_seen_is_seen(self) -> None:
        """The conversation moves there."""
        self.context.layout.chat.text.yview_moveto(0.5)
        self.update()
        self.assertFalse(self.context.layout.chat.at_end)
        self.tell(Alarm("old_log"))
        self.assertIn("ALARM", self.chat)
        self.assertTrue(self.context.layout.chat.at_end)
        self.application.connecting.disconnect()
        self.pass_time()
        self.context.layout.chat.text.yview_moveto(0.5)
        self.type("hello")
        self.assertIn("nothing was sent", self.chat)
        self.assertTrue(self.context.layout.chat.at_end)


class WithoutARoomTests(ApplicationTestCase):
    """Before there is a connection."""

    def test_nothing_is_lost_that_has_to_be_seen(self) -> None:
        """Though the window had the keyboard already."""
        self.root.focus_force()
        self.root.event_generate("<FocusIn>")
        self.pass_time(1.5)
        self.type("hello")
        self.assertIn("Not connected: nothing was sent.", self.chat)
        self.online()
        self.tell(Alarm("old_log"))
        self.assertIn("Not connected: nothing was sent.", self.chat)
        self.assertIn("ALARM", self.chat)

    def test_a_registration_that_is_interrupted_can_be_tried_again(self) -> None:
        """Its fields take texts again."""
        self.profile.registered = None
        connecting = self.application.connecting
        connecting.use_link(format_link(LINK))
        connecting.connect()
        self.press("I am new here")
        registration = connecting.registration
        assert registration is not None
        registration._be_busy("")
        self.profile.registered = False
        registration._made()
        self.assertEqual(self.context.session.state, State.CONNECTING)
        connecting.disconnect()
        self.pass_time()
        self.assertTrue(registration.is_open)
        self.assertFalse(registration.busy)
        self.assertTrue(registration.entries[0].instate(["!disabled"]))
        self.assertIn("Interrupted", str(registration.error.cget("text")))

    def test_a_client_that_cannot_stop_does_not_keep_the_window(self) -> None:
        """It can be closed, and connected again."""
        self.online()
        self.client.stop = lambda: fail(StorageError("disk full"))  # type: ignore[method-assign]
        self.application.connecting.disconnect()
        self.pass_time()
        self.assertEqual(self.context.session.state, State.OFF)
        self.successResultOf(self.application.stop())

    def test_no_row_of_a_text_begins_where_names_stand(self) -> None:
        """At every scale, whether it is the first one of a line or goes on."""
        layout = self.context.layout
        for steps in (0, 5):
            layout.rescale(steps)
            text = layout.chat.text
            margins = {
                text.tag_cget("line", "lmargin2"),
                text.tag_cget("more", "lmargin1"),
                text.tag_cget("more", "lmargin2"),
            }
            self.assertEqual(len(margins), 1)
            self.assertGreaterEqual(int(str(margins.pop())), layout.theme.pixels(10))
            self.assertIn(text.tag_cget("line", "lmargin1"), {"", "0", 0})

    def test_a_row_with_a_key_that_is_there_already_is_left_out(self) -> None:
        """The first counts."""
        rooms = self.context.layout.rooms
        rooms.show([Row("a", "one"), Row("b", "two"), Row("a", "three")])
        self.assertEqual([row.text for row in rooms.rows], ["one", "two"])
