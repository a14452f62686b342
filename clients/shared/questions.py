"""Questions on a terminal, before anything is drawn there."""

import contextlib
import getpass
import select
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from chatserv.client import new_user_name, prepared_password, translate, valid_text
from chatserv.client.errors import LinkInvalid, NameInvalid, NameTaken, PasswordInvalid, TextInvalid
from clients.shared.exit_codes import USAGE, Exit, exit_for
from clients.shared.startup import tell

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


def somebody_there() -> bool:
    """Whether there is a terminal to ask on."""
    return sys.stdin.isatty()


def ask(question: str) -> str:
    """One line. Raises `Exit` where there is nobody, or nothing is entered."""
    if not somebody_there():
        raise Exit(USAGE, translate("There is no terminal to ask on: use --user NAME and --password-file FILE."))
    if sys.stdout.isatty():
        print(question, end="", flush=True)
    else:
        tell(question, end="")
    try:
        with interruptible():
            return valid_text(input())
    except EOFError:
        tell("")
        raise Exit(USAGE, translate("Nothing entered.")) from None


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

    def enter() -> str:
        with interruptible():
            first = _hidden(translate("Password: "))
            if first != _hidden(translate("Once more: ")):
                raise _Differ
        return first

    try:
        return until_it_fits(enter)
    except EOFError:
        raise Exit(USAGE, translate("Nothing entered.")) from None


def _hidden(question: str) -> str:
    try:
        return prepared_password(getpass.getpass(question))
    except UnicodeDecodeError:
        raise PasswordInvalid from None


class _Differ(PasswordInvalid):
    """The password was not the same both times."""

    def explain(self) -> str:
        """In words."""
        return translate("The two passwords differ.")


def until_it_fits(enter: Callable[[], T]) -> T:
    """Asks again where what was entered cannot be used: whoever types on would type a password into the shell."""
    for _ in range(TRIES - 1):
        try:
            return enter()
        except (LinkInvalid, NameInvalid, NameTaken, PasswordInvalid, TextInvalid) as error:
            tell(exit_for(error).message)
    return enter()
