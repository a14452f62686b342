"""Profiles sealed at rest: unlocked at each start, sealed once, whole or not at all (docs/crypto.rst, "At rest").

A profile is sealed from the moment on at which ``seal.json`` stands in it. Before that, everything sealed is written beside
what it is of; after it, what was in the clear is overwritten and removed. Whatever is interrupted is undone or finished.
"""

import os
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Final

import msgspec

from chatserv.client.account.failures import ProfileError, ProfileLocked
from chatserv.client.account.keyring import FILE_NAME as KEYRING_NAME
from chatserv.client.account.profile import DATABASE_NAME, Profile
from chatserv.client.account.profile_key import ProfileKey
from chatserv.client.account.seal import (
    BEGUN_NAME,
    COST,
    SEALED,
    Seal,
    Way,
    keyring_seal,
    passphrase_seal,
    read_seal,
)
from chatserv.client.account.seal import FILE_NAME as SEAL_NAME
from chatserv.client.account.system_keyring import SystemKeyring, system_keyring
from chatserv.client.storage.file import clear
from chatserv.client.storage.sealing import seal_file
from chatserv.crypto.password import PasswordParameters
from chatserv.i18n import _
from chatserv.owners import system_text
from chatserv.private_files import PrivateFileError, overwrite, sync_directory, write_private

_ENTRY_BYTES: Final = 16
_PLAIN: Final = (DATABASE_NAME, KEYRING_NAME)
_BESIDE: Final = ("", "-wal", "-shm", "-journal", ".new", ".new-wal", ".new-shm")  # what may stand behind a name


def unlock(
    profile: Profile, passphrase: str | None = None, *, find: Callable[[], SystemKeyring | None] = system_keyring
) -> ProfileKey | None:
    """The key of a profile; None where the profile is not sealed. Takes a second or more; meant for a thread.

    Args:
        profile: Which.
        passphrase: Where the key is under one; else None.
        find: Finds the operating system's keyring.

    Raises:
        ProfileLocked: The passphrase is missing or wrong (``wrong``), or the keyring does not give the key.
        PrivateFileError: What the profile keeps of its key cannot be used.
    """
    seal = profile.seal
    if seal is None or seal.way is Way.NONE:
        return None
    if seal.way is Way.KEYRING:
        key = _from_keyring(profile, seal, find())
    elif passphrase is None:
        raise _locked(profile, _("it needs its passphrase"))
    else:
        found = seal.unwrap(passphrase)
        if found is None:
            raise _locked(profile, _("this is not its passphrase"), wrong=True)
        key = found
    if not seal.fits(key):
        raise _locked(profile, _("the key that was found is another one"))
    _shred_plain(profile)
    return key


def _locked(profile: Profile, reason: str, *, wrong: bool = False) -> ProfileLocked:
    return ProfileLocked(f"{profile.directory}: {reason}", file=profile.directory, wrong=wrong)


@contextmanager
def _naming(profile: Profile) -> Generator[None]:
    """What the keyring says is said of this profile."""
    try:
        yield
    except ProfileLocked as error:
        raise _locked(profile, error.detail) from None


def _from_keyring(profile: Profile, seal: Seal, store: SystemKeyring | None) -> ProfileKey:
    if store is None:
        raise _locked(profile, _("its key is in the system's keyring, and there is none in this session"))
    with _naming(profile):
        key = store.get(seal.entry)
    if key is None:
        raise _locked(profile, _("the system's keyring has its key no more"))
    return key


def leave_unsealed(profile: Profile) -> None:
    """Remembers that nobody wants this profile sealed. Raises `ProfileError` where it is."""
    if profile.sealing is not Way.NONE:
        raise ProfileError(f"{profile.directory}: {_('it is sealed already')}", file=profile.directory)
    if profile.seal is None:
        _write_seal(profile, SEAL_NAME, Seal(Way.NONE))


def seal_profile(
    profile: Profile,
    passphrase: str | None = None,
    *,
    find: Callable[[], SystemKeyring | None] = system_keyring,
    cost: PasswordParameters = COST,
    step: Callable[[str], object] = lambda _: None,
) -> ProfileKey:
    """Seals all that a profile holds, or what it will hold. Takes seconds; meant for a thread.

    Args:
        profile: Which; nobody may use it meanwhile.
        passphrase: What the key is to be under; None for the operating system's keyring.
        find: Finds that.
        cost: Of Argon2id.
        step: Told before each step. For tests.

    Returns:
        The profile's new key.

    Raises:
        ProfileError: It is sealed already, or another program uses it.
        ProfileLocked: There is no keyring that counts, or it does not take the key: it needs a passphrase.
        PasswordInvalid: The passphrase is too short.
        PrivateFileError, StorageError: A file cannot be used. What was there is there still.
    """
    release = profile.hold()
    try:
        if profile.sealing is not Way.NONE:
            raise ProfileError(f"{profile.directory}: {_('it is sealed already')}", file=profile.directory)
        key = ProfileKey.generate()
        try:
            step("begin")
            _begin(profile, key, passphrase, find, cost)
            step("write the keyring")
            _seal_files(profile, key, step)
            step("decide")
            (profile.directory / BEGUN_NAME).replace(profile.directory / SEAL_NAME)
        except BaseException:
            _take_back(profile)
            raise
        sync_directory(profile.directory)
        step("decided")
        _shred_plain(profile, step)
    except OSError as error:
        raise PrivateFileError(f"{profile.directory}: {system_text(error)}", file=profile.directory) from None
    finally:
        release()
    return key


def _begin(
    profile: Profile,
    key: ProfileKey,
    passphrase: str | None,
    find: Callable[[], SystemKeyring | None],
    cost: PasswordParameters,
) -> None:
    """Undoes what was interrupted, and writes where the key will be, which is there then."""
    store, before = None, read_seal(profile.directory, BEGUN_NAME)
    entry = b"" if before is None else before.entry  # one name, however often it is tried
    if passphrase is not None:
        seal = msgspec.structs.replace(passphrase_seal(key, passphrase, cost), entry=entry)
    else:
        store = find()
        if store is None:
            raise _locked(profile, _("there is no keyring in this session that seals: it needs a passphrase"))
        seal = keyring_seal(key, entry or secrets.token_bytes(_ENTRY_BYTES))
    _write_seal(profile, BEGUN_NAME, seal)
    for name in _PLAIN:
        clear(profile.directory / f"{name}{SEALED}")
    if store is not None:
        with _naming(profile):
            store.put(seal.entry, key)


def _take_back(profile: Profile) -> None:
    """What was sealed so far goes: on a disk that is full it would only take the place that is missing."""
    if profile.sealing is not Way.NONE:  # it was decided
        return
    with suppress(OSError):
        for name in _PLAIN:
            clear(profile.directory / f"{name}{SEALED}")


def _seal_files(profile: Profile, key: ProfileKey, step: Callable[[str], object]) -> None:
    data = profile.read(KEYRING_NAME)
    if data is not None:
        write_private(profile.directory / f"{KEYRING_NAME}{SEALED}", key.seal(KEYRING_NAME, data))
    plain = profile.directory / DATABASE_NAME
    if plain.exists() or plain.with_name(f"{plain.name}-wal").exists():
        step("open the database")
        seal_file(plain, profile.directory / f"{DATABASE_NAME}{SEALED}", key.for_database(), step)


def change_passphrase(
    profile: Profile,
    key: ProfileKey,
    passphrase: str,
    *,
    find: Callable[[], SystemKeyring | None] = system_keyring,
    cost: PasswordParameters = COST,
) -> None:
    """Puts the key of a sealed profile under another passphrase, or under one instead of into the keyring.

    Whoever had both the files and the passphrase of before has the key: files that were taken then stay open to them.

    Raises:
        ProfileLocked: It is not the profile's key.
        PasswordInvalid: The passphrase is too short.
    """
    seal = profile.seal
    if seal is None or not seal.fits(key):
        raise _locked(profile, _("the key that was found is another one"))
    _write_seal(profile, SEAL_NAME, passphrase_seal(key, passphrase, cost))
    if seal.way is Way.KEYRING:
        store = find()
        if store is not None:
            with suppress(ProfileLocked):
                store.delete(seal.entry)


def _write_seal(profile: Profile, name: str, seal: Seal) -> None:
    write_private(profile.directory / name, msgspec.json.encode(seal))


def _shred_plain(profile: Profile, step: Callable[[str], object] = lambda _: None) -> None:
    """Overwrites and removes what is left in the clear of a profile that is sealed."""
    found = [
        path
        for name in _PLAIN
        for path in (profile.directory / f"{name}{ending}" for ending in _BESIDE)
        if os.path.lexists(path)
    ]
    if found:
        sync_directory(profile.directory)  # that it is decided is on the disk before anything goes
    for path in found:
        step(f"overwrite {path.name}")
        overwrite(path.resolve())  # of a link, what it leads to
        step(f"remove {path.name}")
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise PrivateFileError(f"{path}: {system_text(error)}", file=path) from None
    if found:
        sync_directory(profile.directory)
