"""Dialogs that stop nothing: the reactor runs on while they are open, and an answer is a call."""

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from tkinter import font, ttk
from typing import Final

from chatserv.client import translate

ROW_CHARACTERS: Final = 52  # of a text
AROUND_PIXELS: Final = 60  # what a dialog has beside its texts


def row_width(widget: tk.Misc) -> int:
    """How wide a row of text is, in pixels, at the scale that there is, and on the screen that there is."""
    wanted = font.nametofont("TkDefaultFont", widget).measure("n") * ROW_CHARACTERS
    return min(wanted, widget.winfo_screenwidth() - AROUND_PIXELS)


def in_rows(items: Sequence[str], most: int, between: str) -> str:
    """Words or groups of a code below each other, so many in a row."""
    return "\n".join(between.join(items[at : at + most]) for at in range(0, len(items), most))


class Dialog:
    """A window beside the main one. Escape closes it; Return presses the first button.

    Args:
        parent: The main window.
        title: Told apart by it: a second one of the same title takes the place of the first.

    Attributes:
        given_up: Called where it is closed before it has succeeded.
        done: Whether it has, or somebody has given up.
    """

    given_up: Callable[[], object] = staticmethod(lambda: None)
    done = False

    def __init__(self, parent: tk.Misc, title: str) -> None:
        main = parent.winfo_toplevel()
        for other in main.winfo_children():
            if isinstance(other, tk.Toplevel) and other.title() == title:
                other.destroy()
        self.top = tk.Toplevel(main, background=str(main.cget("background")))
        self.top.withdraw()
        self.top.title(title)
        self.top.transient(main)
        self.top.protocol("WM_DELETE_WINDOW", self.close)
        self.top.bind("<Escape>", lambda _: self.close())
        self.body = ttk.Frame(self.top, padding=14)
        self.body.pack(fill="both", expand=True)
        self._default: ttk.Button | None = None
        self._main, self._before = main, ""
        self._quiet = False

    @property
    def is_open(self) -> bool:
        """Whether it is there."""
        return bool(self.top.winfo_exists())

    @property
    def width(self) -> int:
        """How wide a row of text is, in pixels."""
        return row_width(self.top)

    def text(self, said: str, style: str = "TLabel") -> ttk.Label:
        """A paragraph."""
        label = ttk.Label(self.body, text=said, wraplength=row_width(self.top), justify="left", style=style)
        label.pack(anchor="w", pady=(0, 8), fill="x")
        return label

    def buttons(self, *buttons: tuple[str, Callable[[], object]]) -> list[ttk.Button]:
        """A row of buttons; the first one is the default."""
        row = ttk.Frame(self.body)
        row.pack(side="bottom", fill="x", pady=(10, 0))
        made = []
        for label, command in buttons:
            made.append(ttk.Button(row, text=label, command=command))
        for button in reversed(made):
            button.pack(side="right", padx=(8, 0))
        made[0].configure(default="active", style="Accent.TButton")
        self._default = made[0]
        self.top.bind("<Return>", self._return)
        self.top.bind("<KP_Enter>", self._return)
        return made

    def _return(self, event: "tk.Event[tk.Misc]") -> None:
        typed_elsewhere = self._quiet and event.widget is self.top  # a window manager alone took the keyboard here
        if not isinstance(event.widget, ttk.Button | tk.Text) and self._default is not None and not typed_elsewhere:
            self._default.invoke()

    def open(self, focus: tk.Misc | None = None, *, take: bool = True) -> None:
        """Shows it in front of the main window.

        Args:
            focus: What gets the keyboard; by default the first button.
            take: Whether it takes the keyboard at all: not from a person who is typing, where it comes by itself.
        """
        self.top.update_idletasks()
        main = self._main
        x = main.winfo_rootx() + (main.winfo_width() - self.top.winfo_reqwidth()) // 2
        y = main.winfo_rooty() + max((main.winfo_height() - self.top.winfo_reqheight()) // 3, 0)
        self.top.geometry(f"+{max(x, 0)}+{max(y, 0)}")
        self.top.deiconify()
        self.top.lift()
        self.top.update_idletasks()  # what is in it is on the screen: else the keyboard comes to it behind a first key
        self._quiet = not take
        if take:
            self._before = str(main.tk.call("focus"))
            if focus is not None:
                self.top.bind("<FocusIn>", lambda event: self._pass_on(event, focus))
            (focus or self._default or self.top).focus_force()

    def _pass_on(self, event: "tk.Event[tk.Misc]", wanted: tk.Misc) -> None:
        """A window manager gives the keyboard to the window: then it is for what the window is about."""
        if event.widget is self.top and self.top.focus_lastfor() is self.top:
            wanted.focus_set()

    def succeed(self) -> None:
        """What it was for is done: it goes away, and nobody has given up."""
        self.done = True
        self.close()

    def close(self) -> None:
        """Goes away; the keyboard goes back to the dialog that had it, or to the main window."""
        if not self.is_open:
            return
        self.top.destroy()
        self._give_keyboard_back()
        if not self.done:
            self.done = True
            self.given_up()

    def _give_keyboard_back(self) -> None:
        for other in self._main.winfo_children():
            if isinstance(other, tk.Toplevel) and f"{self._before}.".startswith(f"{other}."):
                (other.focus_lastfor() or other).focus_force()
                return
        (self._main.focus_lastfor() or self._main).focus_force()


def tell(parent: tk.Misc, title: str, text: str, *, take: bool = True) -> Dialog:
    """Says something that a person has to see. ``take``: see `Dialog.open`."""
    dialog = Dialog(parent, title)
    dialog.text(text)
    dialog.buttons((translate("OK"), dialog.close))
    dialog.open(take=take)
    return dialog


def confirm(
    parent: tk.Misc,
    title: str,
    text: str,
    label: str,
    go: Callable[[], object],
    *others: tuple[str, Callable[[], object]],
) -> Dialog:
    """Asks before something is done. ``others``: what else may be done, each with its button."""
    dialog = Dialog(parent, title)

    def closing(act: Callable[[], object]) -> Callable[[], None]:
        def do() -> None:
            dialog.close()
            act()

        return do

    dialog.text(text)
    choices = [(label, go), *others]
    dialog.buttons(*((each, closing(act)) for each, act in choices), (translate("Cancel"), dialog.close))
    dialog.open()
    return dialog


@dataclass(frozen=True)
class Field:
    """A line to fill in. ``choices``: what may be taken; ``secret``: shown as dots."""

    label: str
    value: str = ""
    choices: Sequence[str] = ()
    secret: bool = False
    only_choices: bool = False


class Form(Dialog):
    """Fields to fill in.

    Args:
        parent: The main window.
        title: Its title.
        text: What it is about.
        fields: What to fill in.
        label: Of the button.
        go: Gets what was filled in; gives what is wrong with it, or None: then the form closes. Empty: it is under way.
        others: What else may be done, each with its button.
        cancel: Of the button that closes it; by default *Cancel*.
    """

    def __init__(
        self,
        parent: tk.Misc,
        title: str,
        text: str,
        fields: Sequence[Field],
        label: str,
        go: Callable[[list[str]], str | None],
        others: Sequence[tuple[str, Callable[[], object]]] = (),
        *,
        cancel: str = "",
    ) -> None:
        super().__init__(parent, title)
        self._go = go
        if text:
            self.text(text)
        grid = ttk.Frame(self.body)
        grid.pack(fill="x")
        grid.columnconfigure(1, weight=1)
        self.values = [tk.StringVar(self.top, field.value) for field in fields]
        self.entries = [self._field(grid, at, field) for at, field in enumerate(fields)]
        self.error = ttk.Label(self.body, style="Loud.TLabel", wraplength=row_width(self.top), justify="left")
        self.error.pack(anchor="w", fill="x", pady=(6, 0))
        self.made_buttons = self.buttons((label, self.go), *others, (cancel or translate("Cancel"), self.close))

    def _field(self, grid: ttk.Frame, at: int, field: Field) -> ttk.Entry:
        ttk.Label(grid, text=field.label).grid(row=at, column=0, sticky="w", padx=(0, 10), pady=3)
        if field.choices:
            state = "readonly" if field.only_choices else "normal"
            entry: ttk.Entry = ttk.Combobox(
                grid, textvariable=self.values[at], values=list(field.choices), state=state, width=34
            )
        else:
            entry = ttk.Entry(grid, textvariable=self.values[at], show="•" if field.secret else "", width=36)
        entry.grid(row=at, column=1, sticky="ew", pady=3)
        return entry

    def ask(self, *, take: bool = True) -> "Form":
        """Shows it, with the first field ready. ``take``: see `Dialog.open`."""
        self.open(self.entries[0] if self.entries else None, take=take)
        if self.entries:
            self.entries[0].selection_range(0, "end")
        return self

    def go(self) -> None:
        """The button was pressed."""
        wrong = self._go([value.get() for value in self.values])
        if wrong is None:
            self.close()
        elif wrong:
            self.say(wrong)

    def work(self) -> None:
        """It is being done: nothing can be pressed twice."""
        self.say("")
        self.made_buttons[0].state(["disabled"])

    def refuse(self, why: str) -> None:
        """It is not done: says why, and lets the person try once more."""
        if self.is_open:
            self.made_buttons[0].state(["!disabled"])
            self.say(why)

    def say(self, wrong: str) -> None:
        """What is wrong."""
        if self.is_open:
            self.error.configure(text=wrong)
