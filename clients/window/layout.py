"""The main window: what stands where, and how it looks."""

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tkinter import ttk
from typing import Final

from chatserv.client import translate
from clients.window.settings import WindowSettings, save_settings
from clients.window.timeline.chat_view import ChatView
from clients.window.timeline.text_area import ChatActions
from clients.window.widgets.connection_bar import ConnectionBar
from clients.window.widgets.entry_bar import EntryBar
from clients.window.widgets.heading import Heading
from clients.window.widgets.hint_view import HintView
from clients.window.widgets.panes import MEMBERS, ROOMS, Panes
from clients.window.widgets.row_list import RowList
from clients.window.widgets.status_bar import StatusBar
from clients.window.widgets.theme import Theme

WIDTH: Final = 1000
HEIGHT: Final = 640
LEAST_WIDTH: Final = 320
LEAST_HEIGHT: Final = 300
SCALE_STEP: Final = 0.1


@dataclass(frozen=True)
class Wiring:
    """What the parts of the window tell."""

    connect: Callable[[], None]
    disconnect: Callable[[], None]
    link: Callable[[str], None]
    go: Callable[[str], None]
    room_menu: Callable[[str, int, int], None]
    member_menu: Callable[[str, int, int], None]
    chat: ChatActions
    send: Callable[[str], bool]
    complete: Callable[[str], Sequence[str]]
    gave_up: Callable[[], None]
    pasted: Callable[[str, str, str], str]
    attach: Callable[[], object]
    pasted_file: Callable[[], bool]
    close: Callable[[], None]
    seconds: Callable[[], float]


class Layout:
    """The main window without anything that it does.

    Args:
        root: Tk's own window.
        wiring: What to call.
        settings: How it looks; changed here.
        directory: Where that is remembered.
    """

    def __init__(self, root: tk.Tk, wiring: Wiring, settings: WindowSettings, directory: Path) -> None:
        self.root, self.settings, self._directory = root, settings, directory
        self.theme = Theme(root, settings.theme, settings.scale)
        self.theme_name = tk.StringVar(root, settings.theme)
        self._menus: list[tk.Menu] = []
        self._go = wiring.go
        for key in ("<Return>", "<KP_Enter>"):  # ttk's own key is the space bar alone
            root.bind_class("TButton", key, "%W invoke")
        for each in ("TEntry", "TCombobox"):  # Tk's own key on X11 goes to the beginning of the line
            root.bind_class(each, "<Control-a>", _select_all)
        for key in ("<Control-Tab>", "<Control-k>", "<Control-o>"):  # Tk's own would do something in the field besides
            root.unbind_class("Text", key)
        root.protocol("WM_DELETE_WINDOW", wiring.close)
        root.minsize(LEAST_WIDTH, LEAST_HEIGHT)
        width = settings.width or min(round(WIDTH * self.theme.density), root.winfo_screenwidth())
        height = settings.height or min(round(HEIGHT * self.theme.density), root.winfo_screenheight())
        root.geometry(f"{width}x{height}")
        self.bar = ConnectionBar(root, connect=wiring.connect, disconnect=wiring.disconnect, link=wiring.link)
        self.status = StatusBar(root)
        self.panes = Panes(root, settings)
        middle = ttk.Frame(self.panes)
        self.heading = Heading(
            root, rooms=lambda: self._toggle(ROOMS), members=lambda: self._toggle(MEMBERS), open_link=wiring.chat.open
        )
        self.rooms = RowList(self.panes, translate("Rooms"), chosen=self._choose_room, menu=wiring.room_menu)
        self.members = RowList(self.panes, translate("Members"), menu=wiring.member_menu)
        self.chat = ChatView(middle, replace(wiring.chat, type_on=self._type_on), wiring.seconds)
        self.hint = HintView(self.chat)
        self.entry = EntryBar(
            middle, send=wiring.send, complete=wiring.complete, gave_up=wiring.gave_up, pasted=wiring.pasted,
            attach=wiring.attach, pasted_file=wiring.pasted_file,
        )  # fmt: skip
        self.bar.pack(side="top", fill="x")
        self.heading.pack(side="top", fill="x")
        self.status.pack(side="bottom", fill="x")
        for side in ("top", "bottom"):
            ttk.Frame(root, style="Line.TFrame", height=1).pack(side=side, fill="x")
        self.panes.pack(fill="both", expand=True)
        self.entry.pack(side="bottom", fill="x")
        self.chat.pack(fill="both", expand=True)
        self.panes.fill(self.rooms, middle, self.members)
        self._around = (self.entry, self.rooms, self.chat, self.members)
        self._dress()

    # -- how it looks -------------------------------------------------------------------------------------------------

    def _dress(self) -> None:
        self.theme.dress_text(self.chat.text)
        self.entry.dress(self.theme)
        self.panes.dress(self.theme)
        self.rooms.dress(self.theme)
        self.members.dress(self.theme)
        for menu in self._menus:
            self.theme.dress_menu(menu)

    def adopt(self, menu: tk.Menu) -> tk.Menu:
        """A menu that stays: it changes its colours with everything else."""
        self._menus.append(menu)
        self.theme.dress_menu(menu)
        return menu

    def take_theme(self) -> None:
        """The theme that the menu has chosen."""
        self.settings.theme = self.theme_name.get()
        self._apply()

    def rescale(self, steps: int) -> None:
        """Larger or smaller; 0: as it was made."""
        self.settings.scale = 1.0 if steps == 0 else self.theme.scale + steps * SCALE_STEP
        self._apply()

    def _apply(self) -> None:
        self.theme.apply(self.settings.theme, self.settings.scale)
        self.settings.scale = self.theme.scale
        self._dress()
        self.chat.stay()
        self.remember()

    def remember(self) -> None:
        """Writes down how it looks."""
        if self.root.winfo_width() > 1:
            self.settings.width, self.settings.height = self.root.winfo_width(), self.root.winfo_height()
        save_settings(self._directory, self.settings)

    # -- panels --------------------------------------------------------------------------------------------------------

    def _toggle(self, panel: str) -> None:
        """A button for a panel was pressed."""
        if self.panes.toggle(panel) and not self.panes.sees_conversation:
            (self.rooms if panel == ROOMS else self.members).focus_in()
        else:
            self.entry.focus_in()
        self.remember()

    def _choose_room(self, room: str) -> None:
        """A room was chosen: the conversation is wanted again."""
        self.panes.fold()
        self._go(room)

    def show_connection(self, *, on: bool) -> None:
        """Server and port are there while there is no connection, and fold away once there is one."""
        if on and not self.bar.winfo_manager():
            self.bar.pack(side="top", fill="x", before=self.heading)
        elif not on:
            self.bar.pack_forget()

    # -- the keyboard -------------------------------------------------------------------------------------------------

    @property
    def focused(self) -> bool:
        """Whether a person looks at this program."""
        try:
            return self.root.focus_displayof() is not None
        except KeyError:  # a widget that Tk made by itself, such as a menu's copy
            return True

    def next_pane(self, by: int) -> str:
        """Takes the keyboard to the next part."""
        focus = f"{self.root.tk.call('focus')}."
        here = next((at for at, pane in enumerate(self._around) if focus.startswith(f"{pane}.")), -by)
        there = self._around[(here + by) % len(self._around)]
        if there in {self.rooms, self.members}:
            self.panes.show(ROOMS if there is self.rooms else MEMBERS)
        else:
            self.panes.fold()
        there.focus_in()
        return "break"

    def leave_bar(self) -> None:
        """Server and port fold away: the keyboard goes to the field, unless it is somewhere else, such as in a dialog."""
        focus = str(self.root.tk.call("focus"))
        if focus in {"", str(self.root)} or f"{focus}.".startswith(f"{self.bar}."):
            self.entry.focus_in()

    def _type_on(self, text: str) -> None:
        """Somebody types in the conversation."""
        self.entry.type_on(text)

    def to_entry(self) -> None:
        """Back to the field, from wherever."""
        self.panes.fold()
        self.entry.focus_in()


def _select_all(event: "tk.Event[tk.Misc]") -> str:
    if isinstance(event.widget, ttk.Entry):
        event.widget.selection_range(0, "end")
        event.widget.icursor("end")
    return "break"
