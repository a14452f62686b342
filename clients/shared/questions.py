"""Questions on a terminal, before anything is drawn there."""

import atexit
import contextlib
import getpass
import select
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from chatserv.client import new_user_name, prepared_password, translate, valid_text
from chatserv.client.errors import LinkInvalid, NameInvalid, NameTaken, PasswordInvalid, TextInvalid
from clients.shared.exit_codes import USAGE, Exit, exit_for
from clients.shared.startup import on_terminal, tell

TRIES: Final = 5
MORE_SECONDS: Final = 0.2  # within which the next line of something that was pasted comes

T = TypeVar("T")


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Signals end the program while it waits for a person, also where the reactor runs already and stands still."""
    handlers: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def unseen() -> Iterator[None]:
    """What is typed is not shown meanwhile, whichever way the program ends."""
    try:
        before = termios.tcgetattr(sys.stdin)
    except (termios.error, ValueError, OSError):  # no terminal
        yield
        return

    def restore() -> None:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)

    changed = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    atexit.register(restore)
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, changed)
    try:
        yield
    finally:
        restore()
        atexit.unregister(restore)


def somebody_there() -> bool:
    """Whether there is a terminal to ask on."""
    return sys.stdin.isatty()


def ask(question: str) -> str:
    """One line. Raises `Exit` where there is nobody, or nothing is entered."""
    if not somebody_there():
        raise Exit(USAGE, translate("There is no terminal to ask on: use --user NAME and --password-file FILE."))
    if sys.stdout.isatty():
        print(on_terminal(question, sys.stdout), end="", flush=True)
    else:
        tell(question, end="")
    try:
        with interruptible():
            return valid_text(input())
    except EOFError:
        tell("")
        raise Exit(USAGE, translate("Nothing entered.")) from None


def agrees(question: str) -> bool:
    """Whether somebody says yes, in English or in their own language; anything else is a no. Raises as `ask`."""
    # The words that count as a yes, apart by spaces; the first one is the letter in questions that end in (y/n).
    yes = translate("y yes").split()
    return ask(question).strip().casefold() in {"y", "yes", *yes}


def more_waits() -> bool:
    """Whether another line was pasted together with the last one."""
    return bool(select.select([sys.stdin], [], [], MORE_SECONDS)[0])


def ask_name() -> str:
    """A user name that may be one."""
    return until_it_fits(lambda: new_user_name(ask(translate("User name: "))))


def ask_password() -> str:
    """A password, prepared; the same one twice."""
    if not somebody_there():
        raise Exit(USAGE, translate("There is no terminal to ask on: use --user NAME and --password-file FILE."))
    return ask_twice(translate("Password: "))


def ask_twice(question: str) -> str:
    """Something secret, prepared as passwords are; the same twice. Raises `Exit` where nothing is entered."""

    def enter() -> str:
        first = prepared_password(ask_hidden(question))
        if first != prepared_password(ask_hidden(translate("Once more: "))):
            raise _Differ
        return first

    return until_it_fits(enter)


def ask_hidden(question: str) -> str:
    """Something secret, once and as it was typed. Raises `Exit` where nothing is entered."""
    try:
        with interruptible():
            return getpass.getpass(on_terminal(question, sys.stderr))
    except UnicodeDecodeError:
        raise PasswordInvalid from None
    except EOFError:
        raise Exit(USAGE, translate("Nothing entered.")) from None


class _Differ(PasswordInvalid):
    """It was not the same both times."""

    def explain(self) -> str:
        """In words."""
        return translate("The two were not the same.")


def until_it_fits(enter: Callable[[], T]) -> T:
    """Asks again where what was entered cannot be used: whoever types on would type a password into the shell."""
    for _ in range(TRIES - 1):
        try:
            return enter()
        except (LinkInvalid, NameInvalid, NameTaken, PasswordInvalid, TextInvalid) as error:
            tell(exit_for(error).message)
    return enter()
