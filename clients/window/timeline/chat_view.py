"""The area where a conversation stands, and what a person does there."""

import tkinter as tk
from collections.abc import Callable
from typing import Final

from chatserv.client import MessageReceived, WaitingMessage
from clients.window.timeline.drawing import Drawing
from clients.window.timeline.entries import Entry, Newer
from clients.window.timeline.spans import ROW
from clients.window.timeline.text_area import ChatActions
from clients.window.timeline.transcript import Transcript

_KEYS: Final = (
    ("r", "reply"), ("e", "edit"), ("<Delete>", "delete"), ("<plus>", "react"), ("s", "save"), ("o", "open"), ("v", "view")
)  # fmt: skip
_OF_FILES: Final = ("save", "open", "view")
CLICKED: Final = ("unfold", "save", "open", "view", "pause")
_MODIFIERS: Final = 0x4 | 0x8  # Control and Alt, as X11 says it


class ChatView(Drawing):
    """A conversation in which one entry is meant: the one that was clicked on, or walked to.

    Args:
        parent: What it stands in.
        actions: What it tells.
        seconds: A clock.
    """

    def __init__(self, parent: tk.Misc, actions: ChatActions, seconds: Callable[[], float]) -> None:
        super().__init__(parent, actions, seconds)
        self.chosen: Entry | WaitingMessage | None = None
        self._by_keys = False  # whether the chosen line was reached by keys: then letters act on it
        self._bind_keys()

    def show(self, transcript: Transcript, number: int | None = None) -> None:
        """See `Drawing.show`; the entry of this number is the one that is meant."""
        self.chosen = None
        super().show(transcript, number)
        if number is not None:
            self._choose_line(number - self._first + 1)

    def _bind_keys(self) -> None:
        bind = self.text.bind
        bind("<Button-1>", self._clicked, add=True)
        bind("<Button-3>", self._right_clicked)
        bind("<Up>", lambda _: self._step(-1))
        bind("<Down>", lambda _: self._step(1))
        bind("<Home>", lambda _: self._end_of(0))
        bind("<End>", lambda _: self._end_of(1))
        bind("<Control-a>", lambda _: self._select_all())
        bind("<Control-c>", lambda _: self._copy())
        bind("<Escape>", lambda _: self._let_go())
        for key in ("<Shift-F10>", "<Menu>"):
            bind(key, lambda _: self._menu_by_key())
        for key, what in _KEYS:
            bind(key, self._acting(what))
        bind("<Key>", self._typed)
        self.text.tag_bind("link", "<ButtonRelease-1>", self._open_link)
        for what in CLICKED:
            self.text.tag_bind(f"act-{what}", "<ButtonRelease-1>", self._asking(what))
        for tag in ("link", *(f"act-{what}" for what in CLICKED)):
            for key, cursor in (("<Enter>", "hand2"), ("<Leave>", "arrow")):
                self.text.tag_bind(tag, key, self._pointing(cursor))

    def _pointing(self, cursor: str) -> "Callable[[tk.Event[tk.Misc]], None]":
        def point(_event: "tk.Event[tk.Misc]") -> None:
            self.text.configure(cursor=cursor)

        return point

    def _asking(self, what: str) -> "Callable[[tk.Event[tk.Misc]], None]":
        return lambda _event: self._actions.act(what)

    def _acting(self, what: str) -> "Callable[[tk.Event[tk.Misc]], str]":
        return lambda event: self._act(what, event.char)

    # -- the entry that is meant --------------------------------------------------------------------------------------

    def _at_line(self, line: int) -> Entry | WaitingMessage | None:
        if 1 <= line <= self.lines:
            return self.transcript.entry(self._first + line - 1)
        at = line - self.lines - 1
        return self._waiting[at][0] if 0 <= at < len(self._waiting) else None

    def _choose_line(self, line: int) -> None:
        self.chosen = self._at_line(line)
        self.text.tag_remove("chosen", "1.0", "end")
        if self.chosen is not None:
            self.text.tag_add("chosen", f"{line}.0", f"{line + 1}.0")
            self.text.mark_set("insert", f"{line}.0")
            self.text.see("end-1c" if line == self.lines + len(self._waiting) else f"{line}.0")

    @property
    def _chosen_line(self) -> int:
        """The marked line; 0 for none."""
        ranges = self.text.tag_ranges("chosen")
        return int(str(ranges[0]).split(".", maxsplit=1)[0]) if ranges else 0

    def _step(self, by: int) -> str:
        self._by_keys = True
        total = self.lines + len(self._waiting)
        now = self._chosen_line or (total + 1 if by < 0 else total)
        if total:
            self._choose_line(min(max(now + by, 1), total))
        return "break"

    def _end_of(self, which: int) -> str:
        if which and self.transcript.detached:
            self._actions.act("newest")
            return "break"
        total = self.lines + len(self._waiting)
        if total:
            self._choose_line(total if which else 1)
        return "break"

    def focus_in(self) -> None:
        """Takes the keyboard; a line is chosen for the keys."""
        self.text.focus_set()
        self._by_keys = True
        if not self._chosen_line:
            self._step(-1)

    # -- what a person does -------------------------------------------------------------------------------------------

    def _line_under(self, event: "tk.Event[tk.Misc]") -> int:
        return int(self.text.index(f"@{event.x},{event.y}").split(".")[0])

    def _clicked(self, event: "tk.Event[tk.Misc]") -> None:
        self.text.focus_set()
        self._by_keys = False
        self._choose_line(self._line_under(event))
        if isinstance(self.chosen, Newer):
            self._actions.act("newest")

    def _right_clicked(self, event: "tk.Event[tk.Misc]") -> str:
        self._choose_line(self._line_under(event))
        self._actions.menu(event.x_root, event.y_root)
        return "break"

    def _menu_by_key(self) -> str:
        line = self._chosen_line
        if line:
            box = self.text.bbox(f"{line}.0")
            x, y = (box[0], box[1] + box[3]) if box else (20, 20)
            self._actions.menu(self.text.winfo_rootx() + x, self.text.winfo_rooty() + y)
        return "break"

    def _act(self, what: str, typed: str) -> str:
        brings = isinstance(self.chosen, MessageReceived) and self.chosen.file is not None
        if (self._by_keys and (brings or what not in _OF_FILES)) or not typed.isprintable():
            self._actions.act(what)
        else:
            self._actions.type_on(typed)
        return "break"

    def _typed(self, event: "tk.Event[tk.Misc]") -> str | None:
        """Whoever clicks here and types on means the field."""
        if not event.char or not event.char.isprintable() or int(event.state) & _MODIFIERS:
            return None
        self._actions.type_on(event.char)
        return "break"

    def _select_all(self) -> str:
        self.text.tag_add("sel", "1.0", "end-1c")
        return "break"

    def _let_go(self) -> None:
        """Nothing is marked any more; the window takes the keyboard elsewhere."""
        self.text.tag_remove("sel", "1.0", "end")
        self.text.tag_remove("chosen", "1.0", "end")
        self.chosen = None

    def _copy(self) -> str:
        """Puts what is selected on the clipboard, else the entry that is meant; of several, each says who and when."""
        ranges = self.text.tag_ranges("sel") or self.text.tag_ranges("chosen")
        if not ranges:
            return "break"
        (first, begin), (last, end) = (map(int, str(each).split(".")) for each in (ranges[0], ranges[-1]))
        last -= end == 0  # up to the beginning of a line
        if first == last and (begin or end):
            text = self.text.get(ranges[0], ranges[-1]).strip("\n").replace(ROW, " ")
        else:
            entries = [self._at_line(line) for line in range(first, last + 1)]
            text = "\n".join(self._actions.copy(entry) for entry in entries if entry is not None)
        self.clipboard_clear()
        self.clipboard_append(text)
        return "break"

    def _open_link(self, event: "tk.Event[tk.Misc]") -> None:
        """A link was clicked on, and nothing selected."""
        found = self.text.tag_prevrange("link", f"@{event.x},{event.y} +1 chars")
        if found and not self.text.tag_ranges("sel"):
            self._actions.open(self.text.get(*found))
