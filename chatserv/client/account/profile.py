"""A profile: one directory on this machine for one account; ``--profile NAME`` keeps two people apart."""

import fcntl
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from chatserv.client.account.failures import ProfileError, ProfileInUse, ProfileLocked
from chatserv.client.account.keyring import FILE_NAME as KEYRING_NAME
from chatserv.client.account.keyring import Keyring, decode_keyring
from chatserv.client.account.profile_key import ProfileKey
from chatserv.client.account.seal import BEGUN_NAME, SEALED, Seal, Way, read_seal
from chatserv.client.account.seal import FILE_NAME as SEAL_NAME
from chatserv.decoding import UNREADABLE
from chatserv.i18n import _
from chatserv.owners import system_text
from chatserv.private_files import (
    FILE_MODE,
    PrivateFileError,
    make_directory,
    read_private,
    user_directory,
    write_private,
)
from chatserv.wire.link import Address

DEFAULT_NAME: Final = "default"
DATABASE_NAME: Final = "client.db"
T = TypeVar("T")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def profiles_directory() -> Path:
    """``$CHATSERV_CLIENT_DIR``, or the user's state directory. Raises `PrivateFileError`: no home."""
    given = os.environ.get("CHATSERV_CLIENT_DIR")
    return Path(given) if given else user_directory("chatserv-client", "CHATSERV_CLIENT_DIR")


@dataclass(frozen=True)
class Profile:
    """One account's directory, and the one place that reads and writes the files in it.

    The keyring pins the server: there is no other way to change the pin than a new profile.

    Attributes:
        directory: Of mode 0700.
        key: What a sealed profile is under, once it is unlocked (`chatserv.client.sealing.unlock`).
    """

    directory: Path
    key: ProfileKey | None = field(default=None, repr=False, compare=False)

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
            ProfileInUse: Another program holds it: one device has one connection, and the two would throw each other out.
        """
        file = self.directory / "lock"
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
        except OSError as error:
            raise ProfileError(f"{file}: {system_text(error)}", file=file) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if not isinstance(error, BlockingIOError):
                raise ProfileError(f"{self.directory}: {system_text(error)}", file=self.directory) from None
            text = _("another program uses this profile; close it, or use another --profile")
            raise ProfileInUse(f"{self.directory}: {text}", file=self.directory) from None
        return lambda: os.close(descriptor)

    # -- how it is sealed ----------------------------------------------------------------------------------------------

    @property
    def seal(self) -> Seal | None:
        """How it is sealed, or that it is not to be; None where nobody has decided yet. Raises `PrivateFileError`."""
        seal = read_seal(self.directory)
        if seal is None and not (self.directory / BEGUN_NAME).exists() and self._sealed(KEYRING_NAME).exists():
            file = self.directory / SEAL_NAME
            raise ProfileError(f"{file}: {_('missing, but not all of it: restore it from a backup')}", file=file)
        return seal

    @property
    def sealing(self) -> Way:
        """``none``, ``keyring`` or ``passphrase``: where the key is. Raises `PrivateFileError`."""
        seal = self.seal
        return Way.NONE if seal is None else seal.way

    def unlocked(self, key: ProfileKey | None) -> "Profile":
        """The same with its key; None for what is not sealed."""
        return replace(self, key=key)

    def _require_key(self) -> ProfileKey:
        if self.key is None:
            raise ProfileLocked(f"{self.directory}: {_('it has to be unlocked first')}", file=self.directory)
        return self.key

    def _sealed(self, name: str) -> Path:
        return self.directory / f"{name}{SEALED}"

    # -- its files -----------------------------------------------------------------------------------------------------

    def path(self, name: str) -> Path:
        """Where the file of this name is now."""
        return self.directory / name if self.sealing is Way.NONE else self._sealed(name)

    def read(self, name: str) -> bytes | None:
        """A file's bytes, or None where there is none. Raises `PrivateFileError` or `ProfileLocked`."""
        path = self.path(name)
        data = read_private(path)
        if data is None or path.suffix != SEALED:
            return data
        opened = self._require_key().open(name, data)
        if opened is None:
            raise PrivateFileError(f"{path}: {_('damaged; restore it from a backup')}", file=path)
        return opened

    def read_json(self, name: str, kind: type[T]) -> T | None:
        """What a file of a program says, or None where there is none that can be read. Raises as `read` does.

        Args:
            name: Of the file.
            kind: What it should be, as msgspec takes it.
        """
        data = self.read(name)
        try:
            return None if data is None else msgspec.json.decode(data, type=kind)
        except UNREADABLE:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Replaces a file, durably, whole or not at all. Raises `PrivateFileError` or `ProfileLocked`."""
        path = self.path(name)
        write_private(path, self._require_key().seal(name, data) if path.suffix == SEALED else data)

    def keyring(self) -> Keyring | None:
        """Who we are, or None before registration. Raises `PrivateFileError` or `ProfileLocked`."""
        data = self.read(KEYRING_NAME)
        if data is None:
            return None
        keyring = decode_keyring(data, self.path(KEYRING_NAME))
        if keyring.registered and keyring.verifier:  # as version 0.1.0 kept it
            keyring = keyring.as_registered()
            self.save_keyring(keyring)
        return keyring

    def require_keyring(self) -> Keyring:
        """Who we are. Raises `ProfileError` where nobody is yet, or is only about to be a device of theirs."""
        keyring = self.keyring()
        if keyring is None:
            raise ProfileError(f"{self.directory}: {_('no account yet; register with a chatserv:// link first')}")
        if keyring.enrolling:
            raise ProfileError(f"{self.directory}: {_('the login on this device was not finished; log in again')}")
        return keyring

    def save_keyring(self, keyring: Keyring) -> None:
        """Remembers who we are, durably. Raises `PrivateFileError` or `ProfileLocked`."""
        self.write(KEYRING_NAME, msgspec.json.encode(keyring))

    def move(self, host: str, port: int, others: tuple[Address, ...] = ()) -> None:
        """Remembers a new address of the same server, and ``others`` where it is besides."""
        keyring = self.keyring()
        moved = None if keyring is None else keyring.moved(((host, port), *others))
        if moved is not None and moved != keyring:
            self.save_keyring(moved)

    @property
    def database(self) -> Path:
        """What the account remembers on this device (`chatserv.client.storage`)."""
        return self.path(DATABASE_NAME)

    @property
    def database_key(self) -> bytes | None:
        """What that is under, 32 bytes; None where it is not sealed. Raises `ProfileLocked`."""
        return None if self.sealing is Way.NONE else self._require_key().for_database()
