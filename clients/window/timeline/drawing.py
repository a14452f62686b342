"""How a conversation is drawn. One entry is one line of the text widget."""

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import Final

from chatserv.client import WaitingMessage, translate
from clients.window.timeline.spans import Line, indented
from clients.window.timeline.text_area import ChatActions, Writable
from clients.window.timeline.transcript import Transcript

BATCH_LINES: Final = 50  # that are drawn at once
CHUNK_LINES: Final = 10  # between two looks at the clock
BATCH_SECONDS: Final = 0.008
SKIP_ABOVE: Final = 150  # lines that wait to be drawn: then the last ones alone are
SHOWN_AT_FIRST: Final = 100
CONTEXT_LINES: Final = 10  # drawn above the first line that is new
MAX_WAITING_LINES: Final = 100
NEAR_THE_TOP: Final = 0.02


class Drawing(ttk.Frame):
    """A text widget that follows a transcript: at its end it stays there, elsewhere it stays where it is.

    Args:
        parent: What it stands in.
        actions: What it tells.
        seconds: A clock.
    """

    def __init__(self, parent: tk.Misc, actions: ChatActions, seconds: Callable[[], float]) -> None:
        super().__init__(parent)
        self._actions, self._seconds = actions, seconds
        self.text = tk.Text(
            self, wrap="word", state="disabled", width=20, height=4, borderwidth=0, relief="flat",
            cursor="arrow", takefocus=True, undo=False,
        )  # fmt: skip
        self._bar = ttk.Scrollbar(self, command=self.text.yview, style="Chat.Vertical.TScrollbar")
        self.text.configure(yscrollcommand=self._scrolled)
        self._bar.pack(side="right", fill="y")
        self.text.pack(side="left", fill="both", expand=True)
        self.to_newest = ttk.Button(
            self, text=translate("↓ To the newest"), command=self.ask_for_newest, takefocus=False, style="Pill.TButton"
        )
        self.transcript = Transcript()
        self._first = self._last = 0  # the entries that are drawn
        self._waiting: list[tuple[WaitingMessage, Line]] = []
        self._looking = False
        self._held = False  # whether the view stays where it was opened, as not everything is drawn yet
        self._bottom = True  # whether the end was to be seen when the text was shown last
        self.text.bind("<Configure>", lambda _: self.stay())

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
        return self._last == self.transcript.end and self.sees_end

    def show(self, transcript: Transcript, number: int | None = None) -> None:
        """Begins anew with a transcript: at the first line that is new, else at its end; or at the entry of this number."""
        self.transcript = transcript
        with Writable(self.text):
            self._erase()
        begin = transcript.unread if number is None else number
        if number is not None:
            self._first = self._last = transcript.first
        else:
            last = transcript.end - SHOWN_AT_FIRST
            self._first = self._last = max(
                last if begin is None else min(last, begin - CONTEXT_LINES), transcript.first
            )
        with Writable(self.text):
            while self._last < transcript.end and (begin is None or self._last <= begin + BATCH_LINES):
                self._draw_batch()
        self._held = begin is not None and self._last < transcript.end
        if number is None:
            self._open_at(begin)
        self._actions.more()

    def _open_at(self, number: int | None) -> None:
        """Shows the end, but nothing below what a person has not read: that stands at the top, behind one line before it."""
        self.text.see("end-1c")
        if number is None:
            return
        line = max(number - self._first, 1)
        if self.text.compare("@0,0", ">", f"{line}.0"):
            self.text.yview(f"{line}.0")

    def go_to_end(self) -> None:
        """Shows the newest line, and what comes below it from now on."""
        self._held = False
        self.text.see("end-1c")

    def stay(self) -> None:
        """At the end, if that was to be seen: the text has another size."""
        if self._bottom and not self._held:
            self.text.see("end-1c")

    def ask_for_newest(self) -> None:
        """A person wants to be at the end."""
        self._actions.act("newest")
        self.go_to_end()

    def refresh(self) -> None:
        """Draws a batch of what is new or other than before; says whether something is left to ``more``."""
        transcript = self.transcript
        following = (self.sees_end and not self._held) or transcript.urgent  # what is loud has to be seen
        with Writable(self.text):
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
        else:
            self._held = False

    @property
    def sees_end(self) -> bool:
        """Whether the last line that is drawn is to be seen: then those that come below it are followed."""
        return self.text.dlineinfo("end-1c") is not None or not self.text.winfo_ismapped()

    def _forget_gone(self) -> None:
        """Entries that the transcript has dropped, at either end."""
        first, end = self.transcript.first, self.transcript.end
        if first > self._last or end < self._first:
            self._erase()
            self._first = self._last = max(first, end - SHOWN_AT_FIRST)
        if self._first < first:
            self.text.delete("1.0", f"{first - self._first + 1}.0")
            self._first = first
            self.transcript.changed[first] = None  # it is the first one now
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
        previous = None if number == self._first else self.transcript.entry(number - 1)  # the first one says who
        return () if entry is None else self._actions.draw(entry, previous)

    def _insert(self, at: int, lines: Sequence[Line]) -> None:
        pieces: list[str | tuple[str, ...]] = []
        for line in lines:
            place = "more" if indented(line) else "line"
            for span in line:
                more = ("link",) if span.link else (f"act-{span.act}",) if span.act else ()
                pieces += [span.text, (place, span.tag, *more)]
            pieces += ["\n", (place,)]
        if pieces:
            self.text.insert(f"{at}.0", *pieces)  # type: ignore[arg-type]
        for number, line in enumerate(lines, at):
            for span in line:
                if span.picture:
                    self._put_picture(number, span.picture)

    def _put_picture(self, number: int, data: bytes) -> None:
        """Puts a picture where its place is kept in a line; while there is none, the place is empty."""
        found = self.text.tag_nextrange("picture", f"{number}.0", f"{number}.end")
        if not found:
            return
        tags, image = self.text.tag_names(found[0]), self._actions.picture(data)
        self.text.delete(*found)
        if image:
            self.text.image_create(found[0], image=image, pady=2)
            for tag in tags:
                self.text.tag_add(tag, found[0])

    def show_waiting(self, waiting: Sequence[tuple[WaitingMessage, Line]]) -> None:
        """Draws the texts that are not in the room yet, below everything else."""
        wanted, following = list(waiting[-MAX_WAITING_LINES:]), self.sees_end and not self._held
        same = 0
        for new, old in zip(wanted, self._waiting, strict=False):
            if new != old:
                break
            same += 1
        begin = self.lines + same + 1
        with Writable(self.text):
            self.text.delete(f"{begin}.0", f"{self.lines + len(self._waiting) + 1}.0")
            self._insert(begin, [line for _, line in wanted[same:]])
        self._waiting = wanted
        if following:
            self.text.see("end-1c")

    # -- older ones ---------------------------------------------------------------------------------------------------

    def _scrolled(self, first: float, last: float) -> None:
        self._bar.set(first, last)  # Tk gives strings
        was_bottom, self._bottom = self._bottom, float(last) >= 1.0 or self.sees_end  # Tk measures lines bit by bit
        if self._bottom and not self.transcript.detached:
            self.to_newest.place_forget()
            if not was_bottom:
                self._actions.arrived()
        elif not self.to_newest.winfo_manager():
            self.to_newest.place(relx=1.0, rely=1.0, x=-24, y=-12, anchor="se")
        if not self.lines or self._looking:
            return
        if float(first) <= NEAR_THE_TOP and not self._bottom:
            self._looking = True
            self._actions.older()
        elif self._bottom and self.transcript.detached:
            self._looking = True
            self._actions.newer()

    def draw_older(self, number: int | None = None) -> None:
        """Draws entries before the first that is drawn; what is on the screen stays where it is."""
        self.looked()
        until = max(self.transcript.first, self._first - SHOWN_AT_FIRST)
        if number is not None:
            until = min(until, number)
        if until >= self._first:
            return
        top, first, self._first = int(self.text.index("@0,0").split(".")[0]), self._first, until
        lines = [self._line(each) for each in range(until, first)]
        with Writable(self.text):
            self._insert(1, lines)
            self._forget_gone()
            self.transcript.changed[first] = None  # it is the first one no more
            self._draw_changed()
        self.text.yview(f"{top + len(lines)}.0")

    def looked(self, *, hold: bool = False) -> None:
        """What was asked for at either end is there, or is not to be had. ``hold``: what is drawn below moves nothing."""
        self._looking = False
        self._held |= hold

    @property
    def all_drawn_above(self) -> bool:
        """Whether the transcript has nothing before the first line."""
        return self._first <= self.transcript.first
