"""The menu bar, the menus that belong to a room, a message or a member, and the keys that do the same."""

import tkinter as tk
from collections.abc import Callable
from typing import Final

from chatserv.client import translate
from clients.window.actions.connecting import Connecting
from clients.window.actions.registry import PersonActions
from clients.window.actions.sealing import SealingActions
from clients.window.context import WindowContext
from clients.window.dialogs.help import show_keys
from clients.window.lists import Lists
from clients.window.menus.account_menu import AccountMenu
from clients.window.menus.member_menu import MemberMenu
from clients.window.menus.menu_lines import Command, add, add_below, underlined
from clients.window.menus.message_menu import MessageMenu
from clients.window.settings import DARK, LIGHT

ROOM_KEYS: Final = 9


class MenuBar:
    """Builds menus. Menus of a thing are made when they are wanted, with what our role permits.

    Args:
        context: What all parts share.
        actions: What they do.
        lists: Knows the order of the rooms.
        connecting: Connects.
        sealing: Seals what this device keeps.
    """

    def __init__(
        self,
        context: WindowContext,
        actions: PersonActions,
        lists: Lists,
        connecting: Connecting,
        sealing: SealingActions,
    ) -> None:
        self._context, self._actions, self._lists, self._connecting = context, actions, lists, connecting
        self._popup: tk.Menu | None = None
        self.of_message = MessageMenu(context, actions, self._dress)
        self.of_account = AccountMenu(context, actions, sealing)
        self.of_member = MemberMenu(context, actions, self._dress)

    def _dress(self, menu: tk.Menu) -> None:
        self._context.layout.theme.dress_menu(menu)

    # -- the bar ------------------------------------------------------------------------------------------------------

    def build(self) -> None:
        """Makes the menu bar and binds the keys."""
        root = self._context.root
        bar = self._context.layout.adopt(tk.Menu(root))
        for label, fill in (
            (translate("&Server"), self._server),
            (translate("&Rooms"), self._rooms),
            (translate("&Message"), self.of_message.fill),
            (translate("&People"), lambda menu: self.of_member.fill(menu, self._context.layout.members.selected)),
            (translate("Acc&ount"), self.of_account.fill),
            (translate("&View"), self._view),
            (translate("&Help"), self._help),
        ):
            menu = self._context.layout.adopt(tk.Menu(bar, tearoff=False))
            menu.configure(postcommand=lambda menu=menu, fill=fill: self._refill(menu, fill))  # type: ignore[misc]
            fill(menu)
            add_below(bar, label, menu)
        root.configure(menu=bar)
        self._bind(root)

    @staticmethod
    def _refill(menu: tk.Menu, fill: Callable[[tk.Menu], None]) -> None:
        menu.delete(0, "end")
        fill(menu)

    def _bind(self, root: tk.Tk) -> None:
        layout, actions = self._context.layout, self._actions
        keys: dict[str, Command] = {
            "<Control-q>": self._context.quit,
            "<Control-l>": lambda: self._connecting.use_link(""),
            "<Control-k>": self._connecting.connect,
            "<Control-K>": self._connecting.disconnect,
            "<Control-f>": actions.messages.search,
            "<Control-o>": actions.files.choose,
            "<Control-n>": actions.rooms.create_room,
            "<Control-j>": actions.rooms.join_room,
            "<Control-plus>": lambda: layout.rescale(1),
            "<Control-equal>": lambda: layout.rescale(1),
            "<Control-KP_Add>": lambda: layout.rescale(1),
            "<Control-minus>": lambda: layout.rescale(-1),
            "<Control-KP_Subtract>": lambda: layout.rescale(-1),
            "<Control-0>": lambda: layout.rescale(0),
            "<F6>": lambda: layout.next_pane(1),
            "<Shift-F6>": lambda: layout.next_pane(-1),
            "<Control-Tab>": lambda: layout.next_pane(1),
            "<Alt-a>": lambda: actions.rooms.go(self._lists.next_unread()),
            "<Escape>": layout.to_entry,
        }
        for number in range(1, ROOM_KEYS + 1):
            keys[f"<Alt-Key-{number}>"] = lambda number=number: actions.rooms.go(self._lists.room_at(number))  # type: ignore[misc]
        for key, command in keys.items():
            root.bind_all(key, lambda event, command=command: self._pressed(event, command))  # type: ignore[misc]

    def _pressed(self, event: "tk.Event[tk.Misc]", command: Command) -> str | None:
        """Keys of the main window do nothing in dialogs."""
        root = self._context.root
        if isinstance(event.widget, tk.Misc) and event.widget.winfo_toplevel() is root:
            command()
            return "break"
        return None

    def _server(self, menu: tk.Menu) -> None:
        actions, here = self._actions, self._context.client is not None
        admin = here and self._context.client is not None and self._context.client.is_admin
        add(menu, translate("&Connect"), self._connecting.connect, "Ctrl+K", on=not here)
        add(menu, translate("&Disconnect"), self._connecting.disconnect, "Ctrl+Shift+K", on=here)
        add(menu, translate("Use a &link…"), lambda: self._connecting.use_link(""), "Ctrl+L", on=not here)
        menu.add_separator()
        add(menu, translate("&Invite somebody to the server"), actions.admin.invite, on=admin)
        add(menu, translate("&Announce…"), self._announce, on=admin)
        if admin:
            add(menu, translate("&Reset an identity…"), actions.admin.reset_identity)
            add(menu, translate("Delete an accou&nt…"), actions.admin.delete_user)
        add(menu, translate("&Whom you ignore"), lambda: actions.doing.command("/ignore"), on=here)
        menu.add_separator()
        add(menu, translate("&Quit"), self._context.quit, "Ctrl+Q")

    def _announce(self) -> None:
        text = translate("Everybody who is online sees it. It is not end-to-end encrypted.")
        self._actions.doing.one_word(
            translate("Announce"), translate("Text"), translate("Announce"), "announce", text=text
        )

    def _rooms(self, menu: tk.Menu) -> None:
        actions, handle = self._actions, self._context.here()
        here = self._context.client is not None
        room = here and handle is not None and not handle.direct
        topic = handle.topic if handle is not None and not handle.offered else ""
        add(menu, translate("&New room…"), actions.rooms.create_room, "Ctrl+N", on=here)
        add(menu, translate("&Join a public room…"), actions.rooms.join_room, "Ctrl+J", on=here)
        add(menu, translate("&Direct messages…"), self._direct, on=here)
        add(
            menu,
            translate("Next with something ne&w"),
            lambda: actions.rooms.go(self._lists.next_unread()),
            "Alt+A",
            on=here,
        )
        menu.add_separator()
        add(menu, translate("&Invite…"), actions.rooms.invite, on=room)
        add(
            menu, translate("&Topic…"),
            lambda: actions.doing.one_word_here(
                translate("Topic"), translate("Topic"), translate("Set"), "topic", topic
            ),
            on=room,
        )  # fmt: skip
        add(
            menu, translate("&Rename…"),
            lambda: actions.doing.one_word_here(translate("Rename"), translate("Name"), translate("Rename"), "name"),
            on=room,
        )  # fmt: skip
        add(menu, translate("&Mark as read, for all to see"), lambda: actions.doing.command("/read", handle), on=room)
        add(menu, translate("&Leave…"), lambda: actions.rooms.ask_to_leave(handle), on=room)
        self._offers(menu)

    def _offers(self, menu: tk.Menu) -> None:
        waiting = [row for row in self._context.layout.rooms.rows if "offered" in row.tags]
        if waiting:
            menu.add_separator()
        for row in waiting[:ROOM_KEYS]:
            said = translate("Invitation to {room}…").format(room=row.text)
            handle = self._context.handle(row.key)
            if handle is not None:
                menu.add_command(label=said, command=lambda handle=handle: self._actions.rooms.go_to(handle))  # type: ignore[misc]

    def _direct(self) -> None:
        self._actions.doing.one_word(translate("Direct messages"), translate("With whom"), translate("Start"), "msg")

    def _view(self, menu: tk.Menu) -> None:
        layout = self._context.layout
        for label, value in ((translate("Li&ght"), LIGHT), (translate("&Dark"), DARK)):
            text, at = underlined(label)
            menu.add_radiobutton(
                label=text, underline=at, value=value,
                variable=layout.theme_name, command=layout.take_theme,
            )  # fmt: skip
        menu.add_separator()
        add(menu, translate("&Larger"), lambda: layout.rescale(1), "Ctrl++")
        add(menu, translate("&Smaller"), lambda: layout.rescale(-1), "Ctrl+-")
        add(menu, translate("&Normal size"), lambda: layout.rescale(0), "Ctrl+0")

    def _help(self, menu: tk.Menu) -> None:
        add(
            menu,
            translate("&Commands"),
            lambda: self._actions.doing.command("/help"),
            on=self._context.client is not None,
        )
        add(menu, translate("&Keys"), lambda: show_keys(self._context.root))

    # -- menus at a place of the screen -------------------------------------------------------------------------------

    def _post(self, x: int, y: int, fill: Callable[[tk.Menu], None]) -> None:
        if self._popup is not None:
            self._popup.destroy()
        self._popup = menu = tk.Menu(self._context.root, tearoff=False)
        self._context.layout.theme.dress_menu(menu)
        fill(menu)
        menu.tk_popup(x, y)

    def message(self, x: int, y: int) -> None:
        """The menu of the marked message."""
        self._post(x, y, self.of_message.fill)

    def member(self, user: str, x: int, y: int) -> None:
        """The menu of a member."""
        self._post(x, y, lambda menu: self.of_member.fill(menu, user))

    def room(self, room: str, x: int, y: int) -> None:
        """The menu of a room."""
        handle = self._context.handle(room)
        if handle is None:
            return
        offered, direct = handle.offered, handle.direct

        def fill(menu: tk.Menu) -> None:
            add(menu, translate("&Open"), lambda: self._actions.rooms.go_to(handle))
            if offered:
                add(menu, translate("&Accept"), lambda: self._actions.rooms.accept(handle))
            add(
                menu, translate("&Refuse") if offered else translate("&Leave…"),
                lambda: self._actions.rooms.refuse(handle) if offered else self._actions.rooms.ask_to_leave(handle),
                on=offered or not direct,
            )  # fmt: skip

        self._post(x, y, fill)
