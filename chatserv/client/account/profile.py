"""A profile: one directory on this machine for one account; ``--profile NAME`` keeps two people apart."""

import fcntl
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from chatserv.client.account.keyring import Keyring, load_keyring, save_keyring
from chatserv.i18n import N_, _
from chatserv.local_errors import LocalFileError
from chatserv.private_files import FILE_MODE, make_directory, user_directory

DEFAULT_NAME: Final = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ProfileError(LocalFileError):
    """A profile that cannot be used; the detail says what to do."""

    code = "profile"
    text = N_("The profile on this machine cannot be used.")


def profiles_directory() -> Path:
    """``$CHATSERV_CLIENT_DIR``, or the user's state directory. Raises `PrivateFileError`: no home."""
    given = os.environ.get("CHATSERV_CLIENT_DIR")
    return Path(given) if given else user_directory("chatserv-client", "CHATSERV_CLIENT_DIR")


@dataclass(frozen=True)
class Profile:
    """One account's directory. The keyring pins the server: there is no other way to change the pin than a new profile."""

    directory: Path

    @classmethod
    def named(cls, name: str = DEFAULT_NAME, base: Path | None = None) -> "Profile":
        """The profile of that name, its directory made where it is missing. Raises `ProfileError` or `PrivateFileError`."""
        if not _NAME.fullmatch(name):
            rule = _("a profile name has letters, digits, dot, underscore and hyphen, at most 64")
            raise ProfileError(f"{name!r}: {rule}")
        directory = (base or profiles_directory()) / name
        make_directory(directory)
        return cls(directory)

    def hold(self) -> Callable[[], None]:
        """Keeps other programs from using the profile; the result lets go again.

        Raises:
            ProfileError: Another program holds it: one device has one connection, and the two would throw each other out.
        """
        file = self.directory / "lock"
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
        except OSError as error:
            raise ProfileError(f"{file}: {error.strerror}", file=file) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            text = error.strerror
            if isinstance(error, BlockingIOError):
                text = _("another program uses this profile; close it, or use another --profile")
            raise ProfileError(f"{self.directory}: {text}", file=self.directory) from None
        return lambda: os.close(descriptor)

    def keyring(self) -> Keyring | None:
        """Who we are, or None before registration."""
        return load_keyring(self.directory)

    def save_keyring(self, keyring: Keyring) -> None:
        """Remembers who we are."""
        save_keyring(self.directory, keyring)

    def move(self, host: str, port: int) -> None:
        """Remembers a new address of the same server."""
        keyring = self.keyring()
        if keyring is not None and (keyring.host, keyring.port) != (host, port):
            self.save_keyring(msgspec.structs.replace(keyring, host=host, port=port))

    @property
    def database(self) -> Path:
        """What the account remembers on this device (`chatserv.client.storage`)."""
        return self.directory / "client.db"
