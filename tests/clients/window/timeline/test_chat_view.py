"""Tests of `clients.window.timeline.chat_view`, on a screen."""

from dataclasses import replace
from typing import Any

from chatserv.client import MessageReceived, WaitingMessage, clock
from clients.shared.dates import day_text
from clients.window.timeline.entries import Note, copied, entry_line, waiting_line
from clients.window.timeline.spans import ROW, Line, Span, plain
from clients.window.timeline.transcript import MAX_ENTRIES, Transcript
from tests.client.slash_fakes import AT_MS, message
from tests.clients.window.screens import ScreenTestCase
from tests.clients.window.timeline.test_entries import waiting


def said(seq: int) -> MessageReceived:
    """A message."""
    return replace(message(1, f"text {seq}"), seq=seq, message_id=seq.to_bytes(16, "big"))


class ChatViewTests(ScreenTestCase):
    """A view of one conversation."""

    def setUp(self) -> None:
        """An empty one."""
        super().setUp()
        from clients.window.timeline.chat_view import ChatView
        from clients.window.timeline.text_area import ChatActions

        self.calls: list[Any] = []
        self.more, self.arrived = 0, list[bool]()
        actions = ChatActions(
            draw=entry_line,
            copy=lambda entry: copied(entry, entry_line(entry), "bob") if not isinstance(entry, WaitingMessage) else "",
            open=lambda text: self.calls.append(("open", text)),
            menu=lambda *_: self.calls.append("menu"),
            act=self.calls.append,
            older=lambda: self.calls.append("older"),
            more=self.wants_more,
            arrived=lambda: self.arrived.append(self.view.at_end),
            type_on=lambda text: self.calls.append(("typed", text)),
        )
        self.view: ChatView = ChatView(self.root, actions, lambda: 0.0)
        self.view.pack(fill="both", expand=True)
        self.root.geometry("400x300")
        self.transcript = Transcript()
        self.transcript.load_newest(lambda *_: [])
        self.view.show(self.transcript)
        self.update()

    def wants_more(self) -> None:
        """Something is left to be drawn."""
        self.more += 1

    def say(self, *seqs: int) -> None:
        """Messages come, and are drawn."""
        for seq in seqs:
            self.transcript.receive(said(seq))
        self.draw()

    def draw(self) -> None:
        """Draws until nothing is left."""
        while self.view.pending:
            self.view.refresh()
        self.update()

    @property
    def lines(self) -> list[str]:
        """What stands there."""
        return self.view.text.get("1.0", "end-1c").splitlines()

    @property
    def texts(self) -> list[str]:
        """The messages' texts, without who and when: all of them go on what the first one says."""
        return [line.split(ROW)[-1] for line in self.lines if line != day_text(AT_MS)]

    def test_messages_are_lines(self) -> None:
        """With their tags."""
        self.say(1, 2)
        self.assertEqual(self.texts, ["text 1", "text 2"])
        self.assertIn("other", self.view.text.tag_names("3.end-2c"))

    def test_who_goes_on_is_named_once(self) -> None:
        """Where lines begin that name nobody, no name ever stands; the first one that is drawn says who."""
        self.say(*range(1, 140))
        self.view.show(self.transcript)
        self.draw()
        named = [line for line in self.lines if line.startswith("bob")]
        self.assertEqual(len(named), 1)
        self.assertTrue(self.lines[0].startswith("bob"))
        self.assertIn("line", self.view.text.tag_names("1.0"))
        self.assertIn("more", self.view.text.tag_names("2.0"))
        self.view.draw_older()
        self.draw()
        self.assertEqual(len([line for line in self.lines if line.startswith("bob")]), 1)
        self.assertTrue(self.lines[1].startswith("bob"))

    def test_a_link_is_opened_by_a_click(self) -> None:
        """On it, not beside it."""
        self.transcript.receive(replace(said(1), text="see https://example.org/a, please"))
        self.draw()
        self.view.text.focus_force()
        for at, calls in (("2.0", []), ("2.0 lineend -12 chars", [("open", "https://example.org/a")])):
            self.calls.clear()
            x, y, width, height = self.view.text.bbox(at) or (0, 0, 0, 0)
            for event in ("<Motion>", "<Button-1>", "<ButtonRelease-1>"):
                self.view.text.event_generate(event, x=x + width // 2, y=y + height // 2)
            self.update()
            self.assertEqual(self.calls, calls)

    def test_a_few_at_a_time_are_drawn(self) -> None:
        """The rest is asked for."""
        for seq in range(1, 100):
            self.transcript.receive(said(seq))
        self.more = 0
        self.view.refresh()
        self.assertEqual((len(self.lines), self.more), (50, 1))
        self.draw()
        self.assertEqual(len(self.texts), 99)

    def test_when_very_many_come_the_last_ones_are_drawn(self) -> None:
        """The others are drawn when somebody scrolls up."""
        for seq in range(1, 1001):
            self.transcript.receive(said(seq))
        self.draw()
        self.assertEqual((self.texts[0], self.texts[-1]), ("text 901", "text 1000"))
        self.view.draw_older()
        self.assertEqual(self.texts[0], "text 801")
        self.assertFalse(self.view.all_drawn_above)

    def test_what_is_drawn_is_bounded(self) -> None:
        """However long it goes on."""
        for begin in range(1, MAX_ENTRIES + 400, 100):
            self.say(*range(begin, begin + 100))
        self.assertLessEqual(len(self.lines), MAX_ENTRIES)
        self.assertEqual(self.texts[-1], f"text {MAX_ENTRIES + 400 - 400 % 100}")
        self.assertEqual(len(self.lines), self.view.lines)

    def test_a_change_is_drawn_in_its_place(self) -> None:
        """Also after lines have gone."""
        self.say(1, 2, 3)
        self.transcript.change(said(2).message_id, text="other", edited=True)
        self.draw()
        self.assertEqual(self.texts, ["text 1", "other (edited)", "text 3"])

    def test_texts_on_their_way_stand_below(self) -> None:
        """Each once, and above them what comes."""
        first, second = waiting(message_id=b"1" * 16, text="one"), waiting(message_id=b"2" * 16, text="two")

        def show(*messages: Any) -> None:
            self.view.show_waiting([(each, waiting_line(each, "alice")) for each in messages])

        self.say(1)
        show(first, second)
        self.assertEqual(self.texts, ["text 1", "one …", "two …"])
        self.say(2)
        self.assertEqual(self.texts, ["text 1", "text 2", "one …", "two …"])
        show(replace(first, state="stored"), second)
        self.assertEqual(self.texts, ["text 1", "text 2", "one ✓", "two …"])
        show(second)
        self.assertEqual(self.texts, ["text 1", "text 2", "two …"])
        show()
        self.assertEqual(self.texts, ["text 1", "text 2"])

    def test_another_conversation_takes_the_place(self) -> None:
        """Nothing of the one before stays."""
        self.say(1, 2)
        other = Transcript()
        other.note(Note("nothing yet", AT_MS))
        self.view.show(other)
        self.update()
        self.assertEqual(len(self.lines), 1)
        self.assertTrue(self.lines[0].startswith("nothing yet"))

    def test_the_newest_line_is_seen_unless_somebody_reads_further_up(self) -> None:
        """What comes does not take them away from there."""
        self.say(*range(1, 80))
        self.assertTrue(self.view.at_end)
        self.view.text.yview_moveto(0.3)
        self.update()
        self.say(80)
        self.assertFalse(self.view.at_end)

    def test_it_opens_at_its_end_and_follows(self) -> None:
        """Also when it becomes smaller, or what it says larger."""
        for seq in range(1, 140):
            self.transcript.receive(said(seq))
        self.view.show(self.transcript)
        self.draw()
        self.assertTrue(self.view.at_end)
        self.root.geometry("300x150")
        self.update()
        self.update()
        self.assertTrue(self.view.at_end)
        self.say(140)
        self.assertTrue(self.view.at_end)

    def test_it_opens_where_it_was_not_read(self) -> None:
        """With the line above; what comes is drawn below and moves nothing. Where all of it can be seen, at the end."""
        kept = [said(seq) for seq in range(1, 140)]
        for read, first, at_end in ((100, "text 100", False), (137, "", True)):
            self.transcript.load_newest(lambda *_: kept, read)
            self.view.show(self.transcript)
            self.draw()
            top = self.view.text.get("@0,0 linestart", "@0,0 lineend")
            self.assertTrue(top.endswith(first), top)
            self.assertEqual(self.view.at_end, at_end)
            self.say(200 + read)
            self.assertEqual(self.view.at_end, at_end)

    def test_a_button_leads_to_the_newest(self) -> None:
        """It is there while they cannot be seen; whoever is at the end by then is told of."""
        self.say(*range(1, 80))
        self.assertFalse(self.view.to_newest.winfo_manager())
        self.view.text.yview_moveto(0.3)
        self.update()
        self.assertTrue(self.view.to_newest.winfo_manager())
        self.arrived.clear()
        self.view.to_newest.invoke()
        self.update()
        self.assertFalse(self.view.to_newest.winfo_manager())
        self.assertTrue(self.view.at_end)
        self.assertEqual(self.arrived, [True])

    def test_scrolling_to_the_beginning_asks_for_older_ones_and_stays(self) -> None:
        """The line that was at the top is still there."""
        self.say(*range(1, 140))
        self.view.show(self.transcript)
        self.draw()
        self.view.text.yview_moveto(0)
        self.update()
        self.assertIn("older", self.calls)
        top = self.view.text.get("@0,0 linestart", "@0,0 lineend")
        self.view.draw_older()
        self.update()
        # Named further up now.
        self.assertEqual(self.view.text.get("@0,0 linestart", "@0,0 lineend"), top.split(ROW)[-1])
        self.assertTrue(self.view.all_drawn_above)

    def test_keys_choose_a_message_and_act_on_it(self) -> None:
        """Up from the end; letters act; the menu key asks for the menu."""
        self.say(1, 2)
        self.view.focus_in()
        self.view._step(-1)
        chosen = self.view.chosen
        self.assertEqual(isinstance(chosen, MessageReceived) and chosen.seq, 1)
        self.view.text.focus_force()
        self.update()
        for key in ("<r>", "<Delete>", "<Menu>", "<Shift-F10>"):
            self.view.text.event_generate(key)
        self.update()
        self.assertEqual(self.calls, ["reply", "delete", "menu", "menu"])

    def test_typing_after_a_click_means_the_field(self) -> None:
        """Letters act on a message only where it was reached by keys; other letters never do."""
        self.say(1, 2)
        self.view.text.focus_force()
        self.update()
        self.view.text.event_generate("<Button-1>", x=20, y=20)
        for key in ("r", "e", "x"):
            self.view.text.event_generate(f"<{key}>")
        self.update()
        self.assertEqual(self.calls, [("typed", "r"), ("typed", "e"), ("typed", "x")])
        self.calls.clear()
        self.view.text.event_generate("<Up>")
        self.view.text.event_generate("<r>")
        self.view.text.event_generate("<x>")
        self.update()
        self.assertEqual(self.calls, ["reply", ("typed", "x")])

    def test_a_message_is_shown_where_it_was_said(self) -> None:
        """And is the chosen one."""
        for seq in range(1, 400):
            self.transcript.receive(said(seq))
        number = self.transcript.number(said(20).message_id)
        self.view.show(self.transcript, number)
        self.update()
        self.assertEqual(self.view.chosen, said(20))

    def test_everything_can_be_copied(self) -> None:
        """With Tk's clipboard."""
        self.say(1, 2)
        self.view._select_all()
        self.view._copy()
        self.assertEqual(
            self.root.clipboard_get().splitlines()[1:],
            [f"[{clock(AT_MS)}] <bob> text 1", f"[{clock(AT_MS)}] <bob> text 2"],
        )
        self.view.text.tag_remove("sel", "1.0", "end")
        self.view.text.tag_add("sel", "3.2", "3.4")
        self.view._copy()
        self.assertEqual(self.root.clipboard_get(), "xt")

    def test_characters_beyond_the_basic_plane_are_shown(self) -> None:
        """As many as were written."""
        line: Line = (Span("👍🏽 𝄞 ok", "other"),)
        self.view._actions = replace(self.view._actions, draw=lambda *_: line)
        self.say(1)
        self.assertEqual(self.lines[-1], plain(line))
