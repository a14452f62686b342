"""The recovery code, right after a registration: shown once, offered as a file, asked for once more."""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred

from chatserv.client import Client, ClientEvent, NewRecovery, Profile, system_text, terminal_qr, translate
from chatserv.client.errors import ChatError, CodeMistyped
from chatserv.client.events import Status, StatusChanged
from clients.shared.arguments import Arguments
from clients.shared.exit_codes import DONE, REFUSED, USAGE, Exit, exit_for
from clients.shared.questions import TRIES, ask, somebody_there
from clients.shared.run import TimedRun
from clients.shared.startup import tell
from clients.shared.wrapping import folded

_GAP: Final = 2  # columns between the QR code and the text beside it
_QUESTION_ROWS: Final = 8  # what is asked below takes so many


async def make_first_code(
    reactor: Any, arguments: Arguments, profile: Profile, make_client: type[Client] = Client
) -> None:
    """Makes the recovery code of a new account, and gives it to somebody. Raises `Exit` where it cannot be kept."""
    if arguments.recovery_file is None and not somebody_there():
        tell(
            translate(
                "This account has no recovery code: who loses this device loses the account. --recovery-file FILE "
                "makes one, and so does /recovery."
            )
        )
        return
    making = MakingCode(reactor, arguments, profile, make_client)
    code = await making.run()
    if making.made is None:
        if arguments.recovery_file is not None:
            raise Exit(code or REFUSED)
        tell(translate("There is no recovery code yet; /recovery makes one."))
    elif arguments.recovery_file is not None:
        write_code(arguments.recovery_file, making.made)
    else:
        show_code(making.made, drawn=arguments.drawn and sys.stderr.isatty())


def write_code(file: Path, made: NewRecovery) -> None:
    """Writes it where nobody else can read it. Raises `Exit`."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(made.text)
    except (OSError, ValueError) as error:
        said = translate("The recovery file {file} cannot be written: {error}")
        raise Exit(USAGE, said.format(file=file, error=system_text(error))) from None
    tell(translate("The recovery code is in {file}.").format(file=file))


def show_code(made: NewRecovery, *, drawn: bool) -> None:
    """To somebody at a terminal, on a page of its own that is gone afterwards: no scrollback keeps the code.

    Args:
        made: The code.
        drawn: Whether the terminal can do that, and the person sees it.
    """
    with apart() if drawn else contextlib.nullcontext():
        size = shutil.get_terminal_size()
        tell("\n".join(code_page(made, size.columns, size.lines)) if drawn else made.text)
        _offer_file(made)
        said = _ask_again(made)
    tell(said)


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """On the terminal's other page (xterm's "alternate screen"), and back."""
    tell("\x1b[?1049h\x1b[H\x1b[2J", end="")
    try:
        yield
    finally:
        tell("\x1b[2J\x1b[?1049l", end="")


def code_page(made: NewRecovery, columns: int, rows: int) -> list[str]:
    """The code, with its QR code beside or above it where there is room for that.

    Args:
        made: The code.
        columns: Of the screen.
        rows: Of the screen.
    """
    code = terminal_qr(made.qr, colour=True).splitlines()
    wide = len(terminal_qr(made.qr, colour=False).splitlines()[0])
    beside = columns - wide - _GAP
    if beside >= len(made.code):
        text = [row for line in made.text.splitlines() for row in folded(line.strip(), beside).split("\n")]
        text += [""] * (len(code) - len(text))
        code += [" " * wide] * (len(text) - len(code))
        return [f"{left}{' ' * _GAP}{right}".rstrip(" ") for left, right in zip(code, text, strict=True)]
    text = [row for line in made.text.splitlines() for row in _narrow(line.strip(), columns)]
    if columns >= wide and rows >= len(code) + len(text) + _QUESTION_ROWS:
        return [*code, *text]
    return [*text, *folded(translate("This screen is too small for the QR code."), columns).split("\n")]


def _narrow(line: str, columns: int) -> list[str]:
    """The rows of a line; a code is broken between its groups."""
    if " " not in line and len(line) > columns:
        half = line.find("-", len(line) // 2) + 1
        return [line[:half], line[half:]]
    return folded(line, columns).split("\n")


def _ask_again(made: NewRecovery) -> str:
    """Until it was typed as it is, or skipped; gives what is to be said then."""
    question = translate("Type the code once more, from where you wrote it down; Return alone skips this: ")
    for _ in range(TRIES):
        typed = ask(question)
        if not typed.strip():
            break
        try:
            if made.matches(typed):
                return translate("That is right. It is not shown again.")
            tell(translate("That is another code."))
        except CodeMistyped as error:
            tell(exit_for(error).message)
    return translate("It is not shown again. Should you have lost it, /recovery makes a new one.")


def _offer_file(made: NewRecovery) -> None:
    for _ in range(TRIES):
        name = ask(translate("To save it as a file, type the file's name; Return alone saves nothing: ")).strip()
        if not name:
            return
        try:
            write_code(Path(name).expanduser(), made)
        except Exit as error:
            tell(error.message)
        else:
            return


class MakingCode(TimedRun):
    """Connects, and makes a recovery code.

    Args:
        reactor: The reactor.
        arguments: How to connect, and how long to wait.
        profile: Of the account.
        make_client: Makes the client.

    Attributes:
        made: The code, if it could be made.
    """

    def __init__(self, reactor: Any, arguments: Arguments, profile: Profile, make_client: type[Client]) -> None:
        client = make_client(profile, reactor, self._told, follow=False, plain=arguments.no_tls)
        super().__init__(reactor, client, reading=False, timeout_seconds=arguments.timeout_seconds)
        self.made: NewRecovery | None = None
        self._making = False

    def _told(self, event: ClientEvent) -> None:
        if self.done.called or not isinstance(event, StatusChanged):
            return
        match event.status:
            case Status.ONLINE if not self._making:
                self._making = True
                Deferred.fromCoroutine(self._make())
            case Status.FAILED:
                self.finish(exit_for(event.error))
            case Status.OFFLINE:
                self._trouble = event.error or self._trouble

    async def _make(self) -> None:
        try:
            self.made = await self._client.account.new_recovery()
        except ChatError as error:
            self.finish(exit_for(error))
        else:
            self.finish(Exit(DONE))
