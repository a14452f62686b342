"""The operating system's keyring as a place for a profile's key: looked for, and waited for no longer than `WAIT_SECONDS`.

What keeps secrets in the clear is none: a thief of the disk would find the key beside the lock.
"""

import base64
import binascii
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, Protocol, TypeVar

from chatserv.client.account.failures import ProfileLocked
from chatserv.client.account.profile_key import KEY_BYTES, ProfileKey
from chatserv.i18n import _

SERVICE: Final = "chatserv"
WAIT_SECONDS: Final = 30.0  # somebody may have to unlock it by a password, in a window of the desktop's
# Those of ``keyring`` that ask a service of the system; its others, and those of other packages, keep files of their own.
TRUSTED: Final = frozenset({
    "keyring.backends.SecretService",
    "keyring.backends.libsecret",
    "keyring.backends.kwallet",
    "keyring.backends.macOS",
    "keyring.backends.Windows",
})  # fmt: skip

T = TypeVar("T")


class Backend(Protocol):
    """Of ``keyring.backend.KeyringBackend``, what is used here."""

    def get_password(self, service: str, username: str) -> str | None:
        """A secret, or None where there is none."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keeps one."""

    def delete_password(self, service: str, username: str) -> None:
        """Deletes one; fails where there is none."""


class SystemKeyring:
    """Keys of profiles, by name. Every call takes `WAIT_SECONDS` at most; meant for a thread.

    Args:
        backend: Keeps them.
        wait_seconds: How long to wait for an answer.
    """

    def __init__(self, backend: Backend, wait_seconds: float = WAIT_SECONDS) -> None:
        self._backend, self._wait = backend, wait_seconds

    def get(self, entry: bytes) -> ProfileKey | None:
        """The key of that name; None where there is none, or what stands there is no key. Raises `ProfileLocked`."""
        text = self._bounded(lambda: self._backend.get_password(SERVICE, entry.hex()))
        try:
            secret = base64.b64decode(text or "", validate=True)
        except (binascii.Error, ValueError):
            return None
        return ProfileKey(secret) if len(secret) == KEY_BYTES else None

    def put(self, entry: bytes, key: ProfileKey) -> None:
        """Keeps a key, and looks whether it is there. Raises `ProfileLocked`."""
        text = base64.b64encode(bytes(key)).decode()
        self._bounded(lambda: self._backend.set_password(SERVICE, entry.hex(), text))
        if self.get(entry) != key:
            raise ProfileLocked(_("the system's keyring did not keep the key"))

    def delete(self, entry: bytes) -> None:
        """Forgets a key. Raises `ProfileLocked`, also where there is none."""
        self._bounded(lambda: self._backend.delete_password(SERVICE, entry.hex()))

    def _bounded(self, call: Callable[[], T]) -> T:
        return bounded(call, self._wait)


def bounded(call: Callable[[], T], seconds: float) -> T:
    """Calls something that may never come back, in a thread that keeps no program from ending.

    Raises `ProfileLocked` where it fails, or takes longer.
    """
    answers: SimpleQueue[tuple[T, None] | tuple[None, Exception]] = SimpleQueue()

    def run() -> None:
        try:
            answers.put((call(), None))
        except Exception as error:  # noqa: BLE001 - backends raise what their libraries raise
            answers.put((None, error))

    Thread(target=run, name="keyring", daemon=True).start()
    try:
        result, error = answers.get(timeout=seconds)
    except Empty:
        raise ProfileLocked(_("the system's keyring does not answer")) from None
    if error is not None:
        said = _("the system's keyring cannot be used")
        raise ProfileLocked(f"{said} ({type(error).__name__})") from None
    return result  # type: ignore[return-value]


def is_trusted(backend: object) -> bool:
    """Whether it is a keyring of the system's that seals what it keeps."""
    return any(kind.__module__ in TRUSTED for kind in type(backend).__mro__)


def system_keyring(wait_seconds: float = WAIT_SECONDS) -> SystemKeyring | None:
    """The keyring of this session; None where there is none that counts."""

    def find() -> Backend:
        import keyring  # noqa: PLC0415 - takes 0.2 s, and most programs have no use for it

        return keyring.get_keyring()

    try:
        backend = bounded(find, wait_seconds)
    except ProfileLocked:
        return None
    return SystemKeyring(backend, wait_seconds) if is_trusted(backend) else None
