"""The area where a conversation stands. One entry is one line of the text widget."""

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import Final

from chatserv.client import WaitingMessage
from clients.window.entries import Entry, Line, Newer
from clients.window.text_area import Actions, Writing
from clients.window.transcript import Transcript

BATCH_LINES: Final = 50  # that are drawn at once
CHUNK_LINES: Final = 10  # between two looks at the clock
BATCH_SECONDS: Final = 0.008
SKIP_ABOVE: Final = 150  # lines that wait to be drawn: then the last ones alone are
SHOWN_AT_FIRST: Final = 100
MAX_WAITING_LINES: Final = 100
_MODIFIERS: Final = 0x4 | 0x8  # Control and Alt, as X11 says it
NEAR_THE_TOP: Final = 0.02


class ChatView(ttk.Frame):
    """A text widget that follows a transcript.

    Args:
        parent: What it stands in.
        actions: What it tells.
        seconds: A clock.
    """

    def __init__(self, parent: tk.Misc, actions: Actions, seconds: Callable[[], float]) -> None:
        super().__init__(parent)
        self._actions, self._seconds = actions, seconds
        self.text = tk.Text(
            self, wrap="word", state="disabled", width=50, height=10, padx=8, pady=6, borderwidth=0, relief="flat",
            cursor="arrow", takefocus=True, undo=False,
        )  # fmt: skip
        self._bar = ttk.Scrollbar(self, command=self.text.yview)
        self.text.configure(yscrollcommand=self._scrolled)
        self._bar.pack(side="right", fill="y")
        self.text.pack(side="left", fill="both", expand=True)
        self.transcript = Transcript()
        self._first = self._last = 0  # the entries that are drawn
        self._waiting: list[tuple[WaitingMessage, Line]] = []
        self.chosen: Entry | WaitingMessage | None = None
        self._looking_back = False
        self._by_keys = False  # whether the chosen line was reached by keys: then letters act on it
        self._bind()

    def _bind(self) -> None:
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
        for key, what in (("r", "reply"), ("e", "edit"), ("<Delete>", "delete"), ("<plus>", "react")):
            bind(key, lambda event, what=what: self._act(what, event.char))  # type: ignore[misc]
        bind("<Key>", self._typed)

    # -- drawing ------------------------------------------------------------------------------------------------------

    @property
    def lines(self) -> int:
        """How many entries are drawn."""
        return self._last - self._first

    @property
    def pending(self) -> bool:
        """Whether something waits to be drawn."""
        return self._last < self.transcript.end or bool(self.transcript.changed)

    @property
    def at_end(self) -> bool:
        """Whether the newest line is to be seen."""
        return bool(self.text.yview()[1] >= 0.999)

    def show(self, transcript: Transcript, number: int | None = None) -> None:
        """Begins anew with a transcript: at its end, or at the entry of this number."""
        self.transcript = transcript
        self.chosen = None
        with Writing(self.text):
            self._erase()
        if number is None:
            self._first = self._last = max(transcript.end - SHOWN_AT_FIRST, transcript.first)
        else:
            self._first = self._last = transcript.first
        with Writing(self.text):
            while self._last < transcript.end and (number is None or self._last <= number + BATCH_LINES):
                self._draw_batch()
        if number is not None:
            self._choose_line(number - self._first + 1)
        self._actions.more()

    def refresh(self) -> None:
        """Draws a batch of what is new or other than before; says whether something is left to ``more``."""
        transcript = self.transcript
        following = self.at_end or transcript.urgent  # what is loud has to be seen
        with Writing(self.text):
            self._forget_gone()
            if transcript.end - self._last > SKIP_ABOVE and following:
                self._erase()
                self._first = self._last = transcript.end - SHOWN_AT_FIRST
            self._draw_batch()
            self._draw_changed()
        if following:
            self.text.see("end-1c")
        transcript.urgent &= transcript.end > self._last
        if self.pending:
            self._actions.more()

    def _forget_gone(self) -> None:
        """Entries that the transcript has dropped, at either end."""
        first, end = self.transcript.first, self.transcript.end
        if first > self._last or end < self._first:
            self._erase()
            self._first = self._last = max(first, end - SHOWN_AT_FIRST)
        if self._first < first:
            self.text.delete("1.0", f"{first - self._first + 1}.0")
            self._first = first
        if self._last > end:
            self.text.delete(f"{end - self._first + 1}.0", f"{self._last - self._first + 1}.0")
            self._last = end

    def _erase(self) -> None:
        self.text.delete("1.0", f"{self.lines + 1}.0")
        self._last = self._first

    def _draw_batch(self) -> None:
        limit, stop = min(self._last + BATCH_LINES, self.transcript.end), self._seconds() + BATCH_SECONDS
        while self._last < limit:
            until = min(self._last + CHUNK_LINES, limit)
            self._insert(self.lines + 1, [self._line(number) for number in range(self._last, until)])
            self._last = until
            if self._seconds() > stop:
                break

    def _draw_changed(self) -> None:
        changed = self.transcript.changed
        for number in list(changed)[:BATCH_LINES]:
            del changed[number]
            if self._first <= number < self._last:
                at = number - self._first + 1
                self.text.delete(f"{at}.0", f"{at + 1}.0")
                self._insert(at, [self._line(number)])

    def _line(self, number: int) -> Line:
        entry = self.transcript.entry(number)
        return () if entry is None else self._actions.draw(entry)

    def _insert(self, at: int, lines: Sequence[Line]) -> None:
        pieces: list[str | tuple[str, ...]] = []
        for line in lines:
            for span in line:
                pieces += [span.text, ("line", span.tag)]
            pieces += ["\n", ("line",)]
        if pieces:
            self.text.insert(f"{at}.0", *pieces)  # type: ignore[arg-type]

    def show_waiting(self, waiting: Sequence[tuple[WaitingMessage, Line]]) -> None:
        """Draws the texts that are not in the room yet, below everything else."""
        wanted, following = list(waiting[-MAX_WAITING_LINES:]), self.at_end
        same = 0
        for new, old in zip(wanted, self._waiting, strict=False):
            if new != old:
                break
            same += 1
        begin = self.lines + same + 1
        with Writing(self.text):
            self.text.delete(f"{begin}.0", f"{self.lines + len(self._waiting) + 1}.0")
            self._insert(begin, [line for _, line in wanted[same:]])
        self._waiting = wanted
        if following:
            self.text.see("end-1c")

    # -- older ones ---------------------------------------------------------------------------------------------------

    def _scrolled(self, first: float, last: float) -> None:
        self._bar.set(first, last)  # Tk gives strings
        if float(first) <= NEAR_THE_TOP and float(last) < 1.0 and self.lines and not self._looking_back:
            self._looking_back = True
            self._actions.older()

    def draw_older(self, number: int | None = None) -> None:
        """Draws entries before the first that is drawn; what is on the screen stays where it is."""
        self._looking_back = False
        until = max(self.transcript.first, self._first - SHOWN_AT_FIRST)
        if number is not None:
            until = min(until, number)
        if until >= self._first:
            return
        top = int(self.text.index("@0,0").split(".")[0])
        lines = [self._line(each) for each in range(until, self._first)]
        with Writing(self.text):
            self._insert(1, lines)
            self._first = until
            self._forget_gone()
        self.text.yview(f"{top + len(lines)}.0")

    @property
    def all_drawn_above(self) -> bool:
        """Whether the transcript has nothing before the first line."""
        return self._first <= self.transcript.first

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
            self.text.see(f"{line}.0")

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
        if self._by_keys or not typed.isprintable():
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
        ranges = self.text.tag_ranges("sel") or self.text.tag_ranges("chosen")
        if ranges:
            self.clipboard_clear()
            self.clipboard_append(self.text.get(ranges[0], ranges[-1]).rstrip("\n"))
        return "break"
