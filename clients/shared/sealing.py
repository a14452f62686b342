"""What a start does about a profile that is sealed, or shall be: decided here, asked for on a terminal."""

from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.threads import deferToThread

from chatserv.client import (
    LocalFileError,
    Profile,
    ProfileError,
    ProfileKey,
    ProfileLocked,
    change_passphrase,
    leave_unsealed,
    seal_profile,
    shared_key,
    translate,
    unlock,
)
from clients.shared.exit_codes import DONE, PROFILE, USAGE, Exit, exit_for
from clients.shared.link_input import first_line
from clients.shared.questions import TRIES, ask_hidden, ask_twice, somebody_there
from clients.shared.startup import tell


class SealOptions(Protocol):
    """Of a program's arguments, those about sealing."""

    @property
    def passphrase_file(self) -> Path | None:
        """Has the passphrase in its first line."""

    @property
    def seal(self) -> bool:
        """Whether to seal what is not sealed."""

    @property
    def no_seal(self) -> bool:
        """Whether to leave it so for good."""


class Task(Enum):
    """What to do before a profile can be used. ``UNSEALED``: nothing; ``WARN``: nothing, and that is said."""

    UNSEALED = auto()
    WARN = auto()
    UNLOCK = auto()
    SEAL = auto()
    SEAL_IF_EASY = auto()  # nobody can be asked, but there is nothing in it yet


def find_task(profile: Profile, options: SealOptions, *, somebody: bool) -> Task:
    """What a start has to do. Remembers where somebody wants no seal.

    Args:
        profile: Whose files they are.
        options: What was asked for.
        somebody: Whether there is a person who can be asked.

    Raises:
        ProfileError: It is sealed, and is to be left unsealed.
        PrivateFileError: What the profile keeps of its key cannot be used.
    """
    if options.no_seal:
        leave_unsealed(profile)
        return Task.UNSEALED
    if profile.sealing.value != "none":
        return Task.UNLOCK
    if options.seal or options.passphrase_file is not None:
        return Task.SEAL
    if profile.seal is not None or _in_use(profile):
        return Task.UNSEALED
    if somebody:
        return Task.SEAL
    return Task.SEAL_IF_EASY if profile.keyring() is None else Task.WARN


def opened_by_another(profile: Profile) -> Profile | None:
    """A sealed profile with its key, where another program has both: nobody is asked again. Raises `ProfileError`."""
    key = None if profile.sealing.value == "none" else shared_key(profile)
    return None if key is None else profile.unlocked(key)


def _in_use(profile: Profile) -> bool:
    """Whether another program has it, so that it cannot be sealed now."""
    try:
        profile.hold()()
    except ProfileError:
        return True
    return False


def not_sealed() -> str:
    """What is said where a profile stays unsealed and nobody has chosen that."""
    return translate(
        "What this device keeps is not sealed: whoever gets at its files can read it. Start once with --seal to seal it, or "
        "with --no-seal to leave it so."
    )


def passphrase_of(options: SealOptions) -> str | None:
    """The passphrase of the file that was named. Raises `Exit`."""
    if options.passphrase_file is None:
        return None
    return first_line(options.passphrase_file, translate("The passphrase file {file} cannot be read: {error}"))


class Opening:
    """Unlocks or seals a profile, and asks on the terminal for what that takes.

    Args:
        profile: Which.
        options: What was asked for.
        in_thread: Runs slow functions.
    """

    def __init__(self, profile: Profile, options: SealOptions, in_thread: Callable[..., Any] = deferToThread) -> None:
        self._profile, self._options, self._in_thread = profile, options, in_thread

    async def run(self) -> Profile:
        """The profile, with its key where it has one. Raises `Exit` or `ChatError`."""
        task = find_task(self._profile, self._options, somebody=somebody_there())
        opened = opened_by_another(self._profile)
        if opened is not None:
            return opened
        if task is Task.WARN:
            tell(not_sealed())
        if task in {Task.UNSEALED, Task.WARN}:
            return self._profile
        key = await (self._unlock() if task is Task.UNLOCK else self._seal(task))
        return self._profile.unlocked(key)

    async def _unlock(self) -> ProfileKey | None:
        given = passphrase_of(self._options)
        if self._profile.sealing.value == "keyring" or given is not None:
            return await self._unlock_by(given)
        if not somebody_there():
            raise Exit(
                PROFILE, translate("The profile is sealed, and nobody can be asked: use --passphrase-file FILE.")
            )
        for left in reversed(range(TRIES)):
            try:
                return await self._unlock_by(ask_hidden(translate("Passphrase of this device's files: ")))
            except ProfileLocked as error:
                if not error.wrong or not left:
                    raise
                tell(translate("That is not the passphrase."))
        return None

    async def _unlock_by(self, passphrase: str | None) -> ProfileKey | None:
        key: ProfileKey | None = await self._in_thread(unlock, self._profile, passphrase)
        return key

    async def _seal(self, task: Task) -> ProfileKey | None:
        given = passphrase_of(self._options)
        try:
            key = await self._seal_easily(task, given)
        except ProfileLocked:
            raise
        except LocalFileError as error:  # a full disk, for one: it can be used as it is
            if given is not None or self._options.seal:
                raise
            tell(exit_for(error).message)
            key = None
        tell(not_sealed() if key is None else translate("What this device keeps is sealed now."))
        return key

    async def _seal_easily(self, task: Task, given: str | None) -> ProfileKey | None:
        """By the keyring, or the passphrase that is given or asked for; None where neither is easy enough."""
        try:
            return await self._seal_by(given)
        except ProfileLocked:
            if task is Task.SEAL_IF_EASY:
                return None
            if given is not None or not somebody_there():
                raise
        how = translate("To leave the files unsealed, quit and start once with --no-seal.")
        tell(f"{passphrase_needed()} {how}")
        return await self._seal_by(ask_twice(translate("New passphrase: ")))

    async def _seal_by(self, passphrase: str | None) -> ProfileKey:
        key: ProfileKey = await self._in_thread(seal_profile, self._profile, passphrase)
        return key

    async def change(self) -> int:
        """Puts the profile's key under a new passphrase, which is asked for. Gives the exit code; raises as `run`."""
        if not somebody_there():
            raise Exit(USAGE, translate("There is no terminal to ask for the new passphrase on."))
        if self._profile.sealing.value == "none":
            raise Exit(PROFILE, translate("This profile is not sealed: use --seal."))
        key = await self._unlock()
        new = ask_twice(translate("New passphrase: "))
        await self._in_thread(change_passphrase, self._profile, key, new)
        tell(
            translate("The passphrase is another one now. Copies of the files from before still open with the old one.")
        )
        return DONE


def passphrase_needed() -> str:
    """What is said before a passphrase is chosen."""
    return translate(
        "Your keys and messages will be sealed on this device. The system has no keyring here that could hold the key, so "
        "choose a passphrase; you are asked for it at each start. If you forget it, this device's messages are lost."
    )
