"""Which key does what, beside those of every line editor (Emacs style)."""

from collections.abc import Callable

from prompt_toolkit.filters import Condition, is_searching
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from clients.terminal.screen import TerminalScreen


def bindings(screen: TerminalScreen) -> KeyBindings:
    """The keys of a talk."""
    made = KeyBindings()
    secret = Condition(lambda: screen.secret)
    typing = ~secret & ~is_searching
    empty = Condition(lambda: screen.empty)

    made.add("tab", filter=typing)(lambda _event: screen.complete(1))
    made.add("s-tab", filter=typing)(lambda _event: screen.complete(-1))
    made.add("c-c", filter=typing)(lambda _event: screen.clear_line())
    made.add("c-z")(lambda _event: screen.suspend())
    made.add("c-d", filter=typing & empty)(lambda _event: screen.leave_asked())
    for digit in "1234567890":
        made.add("escape", digit, filter=typing)(_go(screen, int(digit) or 10))
    for letter in "aA":
        made.add("escape", letter, filter=typing)(lambda _event: screen.go_active())
    for end in ("enter", "c-j"):
        made.add("escape", end, filter=typing)(lambda _event: screen.break_line())
    made.add(Keys.BracketedPaste, filter=typing)(lambda event: screen.paste(event.data))
    return made


def _go(screen: TerminalScreen, number: int) -> Callable[[KeyPressEvent], None]:
    return lambda _event: screen.go(number)
