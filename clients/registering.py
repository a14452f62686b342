"""The first time: from a link to an account, asking where somebody can be asked."""

import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from chatserv.client import (
    ChatError,
    NameInvalid,
    PasswordInvalid,
    Profile,
    ServerLink,
    clean_line,
    parse_link,
    prepare_account,
    prepared_password,
    translate,
    user_name,
)
from clients.arguments import Arguments
from clients.exits import PROFILE, USAGE, Exit, exit_for

PASSWORD_FILE_BYTES: Final = 4096
TRIES: Final = 5


async def open_account(arguments: Arguments, profile: Profile) -> bytes | None:
    """Makes sure that the profile has an account or the keys for one. Returns the invite's token, if a link gave one.

    Raises:
        Exit: There is no account and no link, or link, name or password cannot be used.
    """
    try:
        keyring = profile.keyring()
        if arguments.link is None:
            if keyring is None:
                raise Exit(USAGE, translate("No account on this machine yet: give the chatserv:// link you were sent."))
            if not keyring.registered:
                text = translate("Registration was begun and not finished: give the chatserv:// link once more.")
                raise Exit(USAGE, text)
            return None
        link = parse_link(arguments.link)
        if keyring is not None and keyring.registered:
            _check_same_server(keyring.server_id, link, profile)
            profile.move(link.host, link.port)
            if link.invite:
                text = translate(
                    "You are {name} here already; the invite was not used. --profile NAME makes another account."
                )
                print(clean_line(text.format(name=keyring.user)), file=sys.stderr, flush=True)
            return None
        user = user_name(arguments.user) if arguments.user else _until_it_fits(_ask_name)
        password = (
            prepared_password(_file_password(arguments.password_file)) if arguments.password_file else _ask_password()
        )
        print(translate("Making your keys..."), file=sys.stderr, flush=True)
        await prepare_account(profile, link, user, password)
    except ChatError as error:
        raise exit_for(error) from None
    return link.invite


def _check_same_server(server_id: bytes, link: ServerLink, profile: Profile) -> None:
    if server_id != link.fingerprint:
        text = translate("This profile belongs to another server; use --profile NAME to keep the two apart.")
        raise Exit(PROFILE, f"{text} ({profile.directory})")


def _need_terminal() -> None:
    if not sys.stdin.isatty():
        raise Exit(USAGE, translate("There is no terminal to ask on: give --user NAME and --password-file FILE."))


def _ask(prompt: str) -> str:
    _need_terminal()
    try:
        return input(prompt)
    except EOFError:
        raise Exit(USAGE, translate("Nothing entered.")) from None


def _ask_name() -> str:
    return user_name(_ask(translate("User name: ")))


def _file_password(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.readline(PASSWORD_FILE_BYTES).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        said = translate("The password file {file} cannot be read: {error}")
        reason = error.strerror if isinstance(error, OSError) else error
        raise Exit(USAGE, said.format(file=file, error=reason)) from None


def _ask_password() -> str:
    _need_terminal()

    def ask() -> str:
        first = prepared_password(getpass.getpass(translate("Password: ")))
        if first != prepared_password(getpass.getpass(translate("Once more: "))):
            raise _Differ
        return first

    return _until_it_fits(ask)


class _Differ(PasswordInvalid):
    """The password was not the same both times."""

    def explain(self) -> str:
        """In words."""
        return translate("The two passwords differ.")


def _until_it_fits(ask: Callable[[], str]) -> str:
    """Asks again where what was entered cannot be used: whoever types on would type a password into the shell."""
    for _ in range(TRIES - 1):
        try:
            return ask()
        except (NameInvalid, PasswordInvalid) as error:
            print(exit_for(error).message, file=sys.stderr, flush=True)
    return ask()
