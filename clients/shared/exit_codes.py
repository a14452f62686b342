"""What a program tells its person when it cannot go on, and the exit code that a script sees."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from chatserv.client import clean_line, explained, translate
from chatserv.client.errors import (
    AuthFailed,
    ChatError,
    InviteInvalid,
    LinkInvalid,
    LocalFileError,
    MethodRefused,
    NameInvalid,
    NameTaken,
    NotMember,
    PassphraseInvalid,
    PasswordInvalid,
    PinMismatch,
    Replaced,
    ServerFull,
    SlashError,
    TextInvalid,
)

DONE: Final = 0
NOT_SENT: Final = 1
USAGE: Final = 2
SERVER_AWAY: Final = 3
WRONG_PIN: Final = 4
REFUSED: Final = 5
INVITE: Final = 6
NAME: Final = 7
PROFILE: Final = 8
UNTRUSTED: Final = 9
INTERRUPTED: Final = 130  # as a shell says it: 128 and the number of SIGINT

_CODES: Final[tuple[tuple[type[ChatError], int], ...]] = (
    (PinMismatch, WRONG_PIN),
    (InviteInvalid, INVITE),
    (MethodRefused, INVITE),
    (NameTaken, NAME),
    (NameInvalid, NAME),
    (PasswordInvalid, USAGE),
    (PassphraseInvalid, USAGE),
    (LinkInvalid, USAGE),
    (TextInvalid, USAGE),
    (Replaced, PROFILE),
    (LocalFileError, PROFILE),
    (AuthFailed, REFUSED),
    (NotMember, REFUSED),
    (SlashError, REFUSED),
    (ServerFull, SERVER_AWAY),
)


class Exit(Exception):
    """Ends the program with a message on standard error and an exit code.

    Args:
        code: For scripts.
        message: For people; empty for none.
        clean: Whether it may be printed as it is.
    """

    def __init__(self, code: int, message: str = "", *, clean: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message if clean else clean_line(message)


def exit_for(error: Exception | None) -> Exit:
    """How to end for this error: its code, and a text that says what happened and what to do."""
    if isinstance(error, MethodRefused):
        return Exit(INVITE, translate("This server does not accept registrations."))
    for kind, code in _CODES:
        if isinstance(error, kind):
            text = error.explain()
            return Exit(code, f"{text} ({error.detail})" if code in {PROFILE, USAGE} and error.detail else text)
    if isinstance(error, ChatError) and error.retryable and error.code not in {"timed_out", "internal"}:
        return Exit(SERVER_AWAY, explained(error), clean=True)
    if isinstance(error, ChatError) and error.code not in {"timed_out", "internal"}:
        return Exit(REFUSED, explained(error), clean=True)
    return Exit(SERVER_AWAY, translate("The server cannot be reached. Is it running, and is the address right?"))


@contextmanager
def naming(name: str, *, several: bool) -> Iterator[None]:
    """Says of what goes wrong in it, as an `Exit`, which of several it is; where there is one, it is raised as it is."""
    try:
        yield
    except (ChatError, Exit) as error:
        if not several:
            raise
        end = error if isinstance(error, Exit) else exit_for(error)
        message = end.message and f"{clean_line(name)}: {end.message}"
        raise Exit(end.code, message, clean=True) from None


def why_offline(error: Exception | None, *, was_online: bool) -> str:
    """What a person in a talk is told while the client goes on trying."""
    if isinstance(error, ChatError):
        return explained(error)
    return translate("Connection lost.") if was_online else translate("The server cannot be reached.")


def trying_again(error: Exception | None, *, was_online: bool) -> str:
    """The same, and that it does."""
    return f"{why_offline(error, was_online=was_online)} {translate('Trying again...')}"
