"""A machine of somebody who has an account already: name and password, then a code, or a device at hand."""

import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from chatserv.client import Guest, Profile, Recovered, ServerLink, log_in, moment, terminal_qr, translate, user_name
from chatserv.client.errors import (
    AuthFailed,
    CodeMistyped,
    Interrupted,
    PassphraseInvalid,
    PasswordInvalid,
    Quota,
    WrongCode,
)
from clients.shared.exit_codes import REFUSED, USAGE, Exit, exit_for
from clients.shared.link_input import first_line, private_text
from clients.shared.questions import TRIES, agrees, ask, ask_hidden, until_it_fits
from clients.shared.startup import tell

_WORD_ROWS: Final = 5
NEW: Final = "n"
HERE: Final = "a"
T = TypeVar("T")


class LoginOptions(Protocol):
    """Of a program's arguments, those about logging in."""

    @property
    def user(self) -> str | None:
        """The account."""

    @property
    def password_file(self) -> Path | None:
        """Has the password in its first line."""

    @property
    def recovery_file(self) -> Path | None:
        """Has the recovery code, or is to get it."""

    @property
    def drawn(self) -> bool:
        """Whether the person sees what is drawn, such as a QR code."""

    @property
    def no_tls(self) -> bool:
        """Whether to connect without TLS."""


def has_account(options: LoginOptions, *, somebody: bool) -> bool:
    """Whether to log in to an account that there is, in place of making one; asks where somebody is there."""
    if options.recovery_file is not None:
        return options.recovery_file.exists()
    if not somebody or options.user is not None:
        return False
    question = translate("Are you new here (n), or do you have an account (a)? [n] ")

    for _ in range(TRIES):
        answer = ask(question).strip().casefold() or NEW
        if answer in {NEW, HERE}:
            return answer == HERE
    raise Exit(USAGE)


async def enter_account(reactor: Any, options: LoginOptions, profile: Profile, link: ServerLink) -> None:
    """Makes this machine a device of an account. Raises `Exit` or `ChatError`."""
    entrance = Entrance(reactor, options, profile, link)
    try:
        await entrance.run()
    finally:
        await entrance.close()
    tell(translate("This device is now one of your account. It enters your rooms by itself."))


class Entrance:
    """Asks on the terminal, and logs in.

    Args:
        reactor: The reactor; it stands still while somebody is asked.
        options: What was given instead of being asked for.
        profile: Where the account will be kept.
        link: Of the server.
    """

    def __init__(self, reactor: Any, options: LoginOptions, profile: Profile, link: ServerLink) -> None:
        self._reactor, self._options, self._profile, self._link = reactor, options, profile, link
        self._guest: Guest | None = None
        self._user = self._password = ""  # nosec B105  # nothing was typed yet

    async def run(self) -> None:
        """Until this is a device of the account."""
        guest = await self._asked()
        if guest.complete:
            return
        if self._options.recovery_file is not None:
            cannot = translate("The recovery file {file} cannot be read: {error}")
            code = _code_in(private_text(self._options.recovery_file, cannot))
            await self._steady(lambda guest: guest.recover(code))
            return
        backup = guest.backup
        if backup is None:
            tell(translate("The server has no backup of this account: approve this device on another one of yours."))
            await self._steady(self._ask_others)
            return
        said = translate("The server's backup of your account is from {when}.")
        tell(said.format(when=moment(backup.at_ms)))
        await self._until_open(with_passphrase="passphrase" in backup.ways)

    async def close(self) -> None:
        """Ends the session, if there is one."""
        guest, self._guest = self._guest, None
        if guest is not None:
            await guest.close()

    async def _asked(self) -> Guest:
        """Asks for name and password until they fit, where somebody can be asked."""
        file = self._options.password_file
        for left in reversed(range(TRIES)):
            self._user = self._options.user or until_it_fits(lambda: user_name(ask(translate("User name: "))))
            if file is not None:
                self._password = first_line(file, translate("The password file {file} cannot be read: {error}"))
            else:
                self._password = ask_hidden(translate("Password: "))
            tell(translate("Logging in..."))
            try:
                return await self._log_in()
            except (AuthFailed, PasswordInvalid):
                said = translate("There is no such account, or the password is another one.")
                if file is not None or not left:
                    raise Exit(REFUSED, said) from None
                tell(said)
        raise Exit(USAGE)

    async def _log_in(self) -> Guest:
        await self.close()
        self._guest = await log_in(
            self._profile, self._link, self._user, self._password, reactor=self._reactor, plain=self._options.no_tls
        )
        return self._guest

    async def _steady(self, work: Callable[[Guest], Awaitable[T]]) -> T | None:
        """Does something, and once more where the connection went: perhaps while somebody was looking for their code.

        None where nothing was left to do then.
        """
        guest = self._guest or await self._log_in()
        try:
            return await work(guest)
        except Interrupted:
            guest = await self._log_in()
            return None if guest.complete else await work(guest)

    async def _until_open(self, *, with_passphrase: bool) -> None:
        ways = translate("recovery code or passphrase") if with_passphrase else translate("recovery code")
        question = translate(
            "Your {way} (not shown as you type), or Return to approve this device on another one of yours: "
        ).format(way=ways)
        for left in reversed(range(TRIES)):
            typed = ask_hidden(question).strip()
            if not typed:
                await self._steady(self._ask_others)
                return
            try:
                recovered = await self._steady(_opening(typed, with_passphrase=with_passphrase))
            except Quota:
                await self._replace()
                return
            except (CodeMistyped, PassphraseInvalid, WrongCode) as error:
                if not left:
                    raise
                tell(exit_for(error).message)
            else:
                if recovered is not None:
                    said = translate("Recovered: identity, rooms: {count}, as of {when}.")
                    tell(said.format(count=recovered.rooms, when=moment(recovered.at_ms)))
                return

    async def _ask_others(self, guest: Guest) -> None:
        """Until another device says yes, or no."""
        tell(
            translate(
                "Waiting for one of your devices that is online, and has your identity key (/devices shows which)."
            )
        )
        await guest.ask(lambda words: self._show(guest, words), _same)

    def _show(self, guest: Guest, words: str) -> None:
        code = terminal_qr(guest.qr, colour=True).splitlines()
        wide = len(terminal_qr(guest.qr, colour=False).splitlines()[0])
        size = shutil.get_terminal_size()
        fits = size.columns >= wide and size.lines >= len(code) + _WORD_ROWS
        if self._options.drawn and sys.stderr.isatty() and fits:
            tell("\n".join(code))
        tell(translate("The six words of this device:"))
        tell(f"  {words}")
        tell(translate("Only if the other device shows the same, approve this one there: type /approve and the words."))

    async def _replace(self) -> None:
        question = translate(
            "Your account has as many devices as it can have. Revoke the one that is there longest, and take its place "
            "(y/n)? "
        )
        if not agrees(question):
            raise Exit(REFUSED, translate("Revoke one of your devices with /revoke first."))
        await self._steady(lambda guest: guest.replace_oldest())


def _code_in(text: str) -> str:
    """The line of a file that is a code: what a program has written has words around it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if line.count("-") > 2 and " " not in line), lines[0] if lines else "")


def _opening(typed: str, *, with_passphrase: bool) -> Callable[[Guest], Awaitable[Recovered]]:
    """By code or by passphrase, as what was typed looks."""
    spaced = len(typed.split()) > 1 and not any(character.isdigit() for character in typed)
    if with_passphrase and spaced:
        return lambda guest: guest.recover_with_passphrase(typed)
    return lambda guest: guest.recover(typed)


async def _same(words: str) -> bool:
    """Whether the person says that the device that has approved shows the same: a server could play one."""
    question = translate("A device has approved this one. Does it show exactly these words: {words} (y/n)? ")
    return agrees(question.format(words=words))
