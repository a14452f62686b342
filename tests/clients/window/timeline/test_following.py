"""Where a room opens, when it follows, and what counts as read."""

from dataclasses import replace

from chatserv.client import SendQueued, Status, StatusChanged, WaitingMessage
from tests.client.slash_fakes import AT_MS, message
from tests.clients.window.test_application import ApplicationTestCase
from tests.clients.window.timeline.test_chat_view import said


class FollowingTests(ApplicationTestCase):
    """Alice's window; much has been said in #lobby and #plans."""

    def setUp(self) -> None:
        """She is in #lobby, and looks at the window."""
        super().setUp()
        from clients.window.layout import Layout

        self.patch(Layout, "focused", True)  # whatever else is on the screen
        self.root.geometry("800x400")
        self.application.connecting.connect()
        self.lobby, self.plans = self.room(), self.room("plans")
        self.lobby.kept = [said(seq) for seq in range(1, 101)]
        self.plans.kept = [replace(said(seq), room="plans") for seq in range(1, 101)]
        self.lobby.read = self.plans.read = 100
        self.tell(StatusChanged(Status.SYNCING), StatusChanged(Status.ONLINE))
        for room in ("plans", "lobby"):  # each is looked at
            self.go(room)

    def go(self, room: str) -> None:
        """Another room is chosen."""
        self.application.actions.rooms.go(room)
        self.pass_time()

    @property
    def at_end(self) -> bool:
        """Whether the newest line is to be seen."""
        return self.context.layout.chat.at_end

    @property
    def top(self) -> str:
        """The first line that is to be seen, and the one below it."""
        return self.context.layout.chat.text.get("@0,0 linestart", "@0,0 +1 lines lineend")

    def test_a_room_that_was_read_opens_at_its_end(self) -> None:
        """Whatever was looked at in the one before."""
        self.assertTrue(self.at_end)
        self.context.layout.chat.text.yview_moveto(0.3)
        self.update()
        self.go("plans")
        self.assertTrue(self.at_end)

    def test_our_own_line_is_seen(self) -> None:
        """Although something older was looked at, even if that is all that is held."""
        self.context.layout.chat.text.yview_moveto(0.3)
        self.update()
        self.assertFalse(self.at_end)
        text = WaitingMessage(b"t" * 16, "mine", False, None, AT_MS)
        self.type("mine")
        self.lobby.texts = [text]
        self.tell(SendQueued("lobby", text.message_id, text.text, AT_MS, False, None))
        self.assertTrue(self.at_end)
        self.assertIn("mine …", self.chat)

    def test_what_others_say_moves_nothing_further_up(self) -> None:
        """It is counted as unread, and is read when somebody goes to the end."""
        self.context.layout.chat.text.yview_moveto(0.3)
        self.update()
        top, self.lobby.unread = self.top, 1
        self.lobby.kept.append(said(101))
        self.tell(said(101))
        self.assertEqual((self.top, self.lobby.read), (top, 100))
        self.assertEqual([row.facts for row in self.context.layout.rooms.rows if row.key == "lobby"], ["1"])
        self.context.layout.chat.to_newest.invoke()
        self.update()
        self.pass_time()
        self.assertEqual((self.at_end, self.lobby.read), (True, 101))

    def test_a_room_opens_at_the_first_line_that_was_not_read(self) -> None:
        """What is below it counts as read when it was reached."""
        self.plans.read = 50
        self.go("plans")
        self.assertIn("new messages", self.top)
        self.assertEqual((self.at_end, self.plans.read), (False, 50))
        self.context.layout.chat._end_of(1)
        self.update()
        self.pass_time()
        self.assertEqual(self.plans.read, 100)

    def test_what_was_said_meanwhile_begins_where_it_was_not_read(self) -> None:
        """When the connection is there again."""
        self.tell(StatusChanged(Status.OFFLINE), StatusChanged(Status.SYNCING))
        for seq in range(101, 151):
            self.lobby.kept.append(said(seq))
            self.client.tell(said(seq))
        self.pass_time()
        self.assertEqual(self.lobby.read, 100)
        self.lobby.unread = 50
        self.tell(StatusChanged(Status.ONLINE))
        self.assertIn("new messages", self.top)
        self.assertFalse(self.at_end)

    def test_much_that_was_not_read_is_read_page_by_page(self) -> None:
        """From the first to the last one."""
        self.plans.kept = [replace(said(seq), room="plans") for seq in range(1, 1001)]
        self.go("plans")
        self.assertIn("new messages", self.top)
        self.assertNotIn("text 900", self.chat)
        for _ in range(100):
            self.context.layout.chat.text.yview_moveto(1)
            self.update()
            self.pass_time(0.1)
            if self.at_end and not self.context.conversations.here.detached:
                break
        self.assertIn("text 101\n", self.chat)
        self.assertTrue(self.chat.rstrip().endswith("text 1000"), self.chat[-50:])
        self.pass_time()
        self.assertEqual(self.plans.read, 1000)
        self.tell(message(1, "more", room="plans", message_id=b"m" * 16))
        self.assertTrue(self.at_end)

    def test_direct_messages_that_begin_anew(self) -> None:
        """What was said before a reset and after it is one conversation, with a line between; ours from anywhere is ours."""
        before, after = b"b" * 16, b"a" * 16
        self.room("@bob").kept = [
            replace(message(1, "old words", room="@bob", room_id=before), seq=-2),
            replace(message(2, "old answer", "alice", room="@bob", room_id=before), seq=-1),
            message(3, "new words", room="@bob", room_id=after),
        ]
        self.application.actions.rooms.go("@bob")
        self.pass_time()
        lines = [line for line in self.chat.splitlines() if line.strip()]
        (line,) = [at for at, each in enumerate(lines) if "the conversation begins anew" in each]
        at = {text: next(at for at, each in enumerate(lines) if text in each) for text in ("old words", "new words")}
        self.assertLess(at["old words"], line)
        self.assertLess(line, at["new words"])
        self.assertIn("old answer ✓", self.chat)
