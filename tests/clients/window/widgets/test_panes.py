"""Which panels are to be seen, at which size and scale."""

import json

from twisted.trial.unittest import SynchronousTestCase

from clients.window.settings import FILE_NAME
from tests.clients.window.test_application import ApplicationTestCase

ROOMS, MEMBERS = "rooms", "members"
BOTH = {ROOMS, MEMBERS}


class ArrangedTests(SynchronousTestCase):
    """What there is room for."""

    def test_the_conversation_comes_first_then_the_rooms(self) -> None:
        """Each size, with what is seen beside the conversation."""
        from clients.window.widgets.panes import arranged

        for width, panels in ((1000, BOTH), (740, BOTH), (739, {ROOMS}), (640, {ROOMS}), (500, set()), (333, set())):
            self.assertEqual(arranged(width, BOTH, ""), (panels, True), width)

    def test_what_is_not_wanted_leaves_its_place(self) -> None:
        """To the conversation, or to the members."""
        from clients.window.widgets.panes import arranged

        self.assertEqual(arranged(1000, {ROOMS}, ""), ({ROOMS}, True))
        self.assertEqual(arranged(640, {MEMBERS}, ""), ({MEMBERS}, True))
        self.assertEqual(arranged(1000, set(), ""), (set(), True))

    def test_what_is_asked_for_is_seen(self) -> None:
        """Beside the conversation in place of the rooms, or in place of the conversation."""
        from clients.window.widgets.panes import arranged

        self.assertEqual(arranged(640, BOTH, MEMBERS), ({MEMBERS}, True))
        self.assertEqual(arranged(500, BOTH, MEMBERS), ({MEMBERS}, False))
        self.assertEqual(arranged(500, BOTH, ROOMS), ({ROOMS}, False))
        self.assertEqual(arranged(1000, BOTH, ROOMS), (BOTH, True))


class FoldingTests(ApplicationTestCase):
    """The window itself."""

    def resize(self, width: int, steps: int = 0) -> None:
        """Another size, another scale."""
        self.context.layout.rescale(steps)
        self.root.geometry(f"{width}x500")
        for _ in range(3):
            self.update()

    def widths(self) -> tuple[int, int, int]:
        """Of the list of rooms, the conversation, the list of members; 0 for what is not to be seen."""
        layout = self.context.layout
        found = [
            each.winfo_width() if each.winfo_viewable() else 0 for each in (layout.rooms, layout.chat, layout.members)
        ]
        return found[0], found[1], found[2]

    def test_the_conversation_is_the_widest_at_every_size(self) -> None:
        """And the field to write in is most of it."""
        self.online()
        for width, steps in ((1000, 0), (640, 0), (500, 0), (360, 0), (1000, 5), (640, 5), (500, 5)):
            self.resize(width, steps)
            rooms, chat, members = self.widths()
            self.assertGreater(chat, max(rooms, members), (width, steps))
            entry = self.context.layout.entry
            self.assertGreater(entry.field.winfo_width(), chat // 2, (width, steps))
            right = entry.button.winfo_rootx() + entry.button.winfo_width()
            self.assertLessEqual(right, self.root.winfo_rootx() + width)

    def test_buttons_unfold_what_there_is_no_room_for(self) -> None:
        """A room that is chosen, Escape, and the button itself bring the conversation back."""
        self.online()
        self.resize(500)
        layout = self.context.layout
        for back in (
            lambda: layout.rooms._choose("plans"),
            lambda: self.application.actions.rooms.go(self.application.presenter.lists.room_at(2)),
            lambda: self.application.actions.rooms.go("lobby"),
            layout.to_entry,
            layout.heading.rooms_button.invoke,
        ):
            layout.heading.rooms_button.invoke()
            self.update()
            self.assertEqual([bool(each) for each in self.widths()], [True, False, False])
            back()
            self.update()
            self.assertEqual([bool(each) for each in self.widths()], [False, True, False])
        layout.heading.members_button.invoke()
        self.update()
        self.assertEqual([bool(each) for each in self.widths()], [False, False, True])

    def test_a_panel_that_is_not_wanted_is_remembered(self) -> None:
        """Though there is room for it; the keyboard gets to it nevertheless."""
        self.online()
        self.resize(1000)
        layout = self.context.layout
        layout.heading.members_button.invoke()
        self.update()
        self.assertEqual([bool(each) for each in self.widths()], [True, True, False])
        saved = json.loads((self.profile.directory / FILE_NAME).read_text())
        self.assertEqual((saved["rooms"], saved["members"]), (True, False))
        layout.entry.field.focus_force()
        self.update()
        layout.next_pane(-1)
        self.update()
        self.assertTrue(all(self.widths()))

    def test_server_and_port_fold_away(self) -> None:
        """While there is a connection; without room for all of them, buttons stand below."""
        layout = self.context.layout
        self.resize(1000)
        self.assertTrue(layout.bar.winfo_viewable())
        self.assertEqual(layout.bar.host_field.winfo_rooty(), layout.bar.port_field.winfo_rooty())
        for width, below in ((1000, False), (400, True)):
            self.resize(width)
            self.assertEqual(layout.bar.connect_button.winfo_rooty() > layout.bar.host_field.winfo_rooty() + 20, below)
            right = layout.bar.link_button.winfo_rootx() + layout.bar.link_button.winfo_width()
            self.assertLessEqual(right, self.root.winfo_rootx() + width)
        self.online()
        self.assertFalse(layout.bar.winfo_viewable())
        self.application.connecting.disconnect()
        self.pass_time()
        self.assertTrue(layout.bar.winfo_viewable())
