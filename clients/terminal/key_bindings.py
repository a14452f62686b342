"""Which key does what, beside those of every line editor (Emacs style)."""

from collections.abc import Callable

from prompt_toolkit.filters import Condition, is_searching
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from clients.terminal.screen import Interface


def bindings(interface: Interface) -> KeyBindings:
    """The keys of a talk."""
    made = KeyBindings()
    asked = Condition(lambda: interface.asked)
    typing = ~asked & ~is_searching
    empty = Condition(lambda: interface.empty)

    made.add("tab", filter=typing)(lambda _event: interface.complete(1))
    made.add("s-tab", filter=typing)(lambda _event: interface.complete(-1))
    made.add("c-c", filter=typing)(lambda _event: interface.clear_line())
    made.add("c-z")(lambda _event: interface.suspend())
    made.add("c-d", filter=typing & empty)(lambda _event: interface.leave_asked())
    for digit in "1234567890":
        made.add("escape", digit, filter=typing)(_go(interface, int(digit) or 10))
    for letter in "aA":
        made.add("escape", letter, filter=typing)(lambda _event: interface.go_active())
    made.add(Keys.BracketedPaste, filter=typing)(lambda event: interface.paste(event.data))

    for key in "yY":
        made.add(key, filter=asked, eager=True)(lambda _event: interface.answer(yes=True))
    for key in ("n", "N", "c-c"):
        made.add(key, filter=asked, eager=True)(lambda _event: interface.answer(yes=False))
    made.add(Keys.Any, filter=asked, eager=True)(lambda _event: None)
    return made


def _go(interface: Interface, number: int) -> Callable[[KeyPressEvent], None]:
    return lambda _event: interface.go(number)
