"""What the parts of a client have in common: who we are, what we keep, and the world around."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatserv.client.account.keyring import Keyring
from chatserv.client.events import ClientEvent
from chatserv.client.state.keeping import Keeping
from chatserv.client.state.pins import Pins
from chatserv.client.state.transparency_log import TransparencyLog
from chatserv.client.storage.vault import Vault
from chatserv.crypto.suite import sha256
from chatserv.errors import ChatError, Forbidden, NotFound
from chatserv.i18n import N_
from chatserv.local_errors import LocalFileError

log = Logger(namespace="chatserv.client")
RETRY_SECONDS: Final = 1.0
LONGEST_RETRY_SECONDS: Final = 60.0  # whatever the server asks for


class Interrupted(ChatError):
    """The connection went before the answer came: whether the request was carried out is unknown."""

    code = "interrupted"
    text = N_("The connection was lost before the answer came; check whether it was done.")
    retryable = True


class Offline(Interrupted):
    """There was no connection: the request was not sent."""

    text = N_("Not connected to the server: nothing was done.")


class Timer(Protocol):
    """Something that will happen."""

    def cancel(self) -> None:
        """Not any more."""
        ...

    def active(self) -> bool:
        """Whether it still will."""
        ...


@dataclass(eq=False)
class ClientContext:
    """The surroundings of every part.

    Args:
        keyring: Who we are.
        signing: The device's Ed25519 key.
        opening: The device's RSA-OAEP key.
        vault: What this device remembers.
        log: Our copy of the server's log.
        pins: Whose identity is known as what.
        random: Hedged random bytes (docs/rooms.rst 2.1).
        now_ms: The clock, milliseconds since 1970.
        seconds: A clock that never goes back.
        awake: Likewise, without what the machine slept through: for how long others have taken.
        later: Calls something after so many seconds.
        in_thread: Runs a function off the reactor.
        emit: Tells the program.
        stumbled: Told of a file of ours that cannot be used.
        save_keyring: Writes it into the profile.
        directory: Where evidence is kept; None for nowhere.
        over: Whether its client has stopped, or goes on with another one.
        keeping: Says when what is committed without waiting is on disk.
    """

    keyring: Keyring
    signing: ed25519.Ed25519PrivateKey = field(repr=False)
    opening: rsa.RSAPrivateKey = field(repr=False)
    vault: Vault
    log: TransparencyLog
    pins: Pins
    random: Callable[[int], bytes]
    now_ms: Callable[[], int]
    seconds: Callable[[], float]
    awake: Callable[[], float]
    later: Callable[[float, Callable[[], object]], Timer]
    in_thread: Callable[..., Awaitable[Any]]
    emit: Callable[[ClientEvent], None]
    stumbled: Callable[[LocalFileError], object]
    save_keyring: Callable[[Keyring], object]

    def keep(self, keyring: Keyring) -> None:
        """Goes on with another keyring of the same device, stored first. Raises `PrivateFileError`, `Interrupted`."""
        self.require_going()
        self.save_keyring(keyring)
        self.keyring = keyring

    def __post_init__(self) -> None:
        """Begins to watch over what is on disk."""
        self.keeping = Keeping(self.vault.database, self.in_thread)

    def recover(self) -> None:
        """The disk is repaired: goes back to what is stored of the log, and calls whoever waited for the disk."""
        self.log.reload()
        self.keeping.settle()

    directory: Path | None = None
    over: bool = field(default=False, init=False)
    keeping: Keeping = field(init=False, repr=False)
    _pauses: set["Deferred[None]"] = field(default_factory=set, init=False, repr=False)

    @property
    def user(self) -> str:
        """Our account's name."""
        return self.keyring.user

    @property
    def device_id(self) -> bytes:
        """Our device, 16 bytes."""
        return self.keyring.device_id

    @property
    def server_id(self) -> bytes:
        """The pinned server, 32 bytes."""
        return self.keyring.server_id

    @cached_property
    def cert_hash(self) -> bytes:
        """The hash of our certificate, 32 bytes."""
        return sha256(self.keyring.certificate)

    def require_account(self, user: str) -> None:
        """Raises `NotFound` for a user that the log does not know, or `Forbidden` for ourselves."""
        if self.log.facts.identity(user, self.log.size) is None:
            raise NotFound(f"user {user}")
        if user == self.user:
            raise Forbidden("oneself")

    def chance(self, seconds: float) -> float:
        """Some time from 0 up to ``seconds``, so that not everybody does the same at once."""
        return seconds * int.from_bytes(self.random(4), "big") / 2**32

    async def pause(self, seconds: float) -> None:
        """Returns after so many seconds. Raises `Interrupted` where the program ends before."""
        over: Deferred[None] = Deferred()
        timer = self.later(seconds, lambda: over.callback(None))
        self._pauses.add(over)
        try:
            await over
        finally:
            self._pauses.discard(over)
            if timer.active():
                timer.cancel()

    def require_going(self) -> None:
        """Raises `Interrupted` where the client has stopped, or has begun anew with another context."""
        if self.over:
            raise Interrupted("stopped meanwhile")

    def end(self) -> None:
        """Nothing goes on with it: whatever pauses is `Interrupted`, while it can still put its things in order."""
        for pause in list(self._pauses):
            if not pause.called:
                pause.errback(Interrupted("stopped meanwhile"))
        self.over = True

    def spawn(self, work: Coroutine[Any, Any, Any], what: str) -> "Deferred[None]":
        """Starts ``work``; what fails on the way because the connection went, or was refused, is no bug."""
        return Deferred.fromCoroutine(work).addErrback(self._failed, what)

    def _failed(self, failure: Failure, what: str) -> None:
        error = failure.value
        if isinstance(error, LocalFileError):
            self.stumbled(error)
        elif isinstance(error, ChatError):
            log.debug("{what}: {code}: {detail}", what=what, code=error.code, detail=error.detail)
        else:
            log.failure("{what} failed on our side", failure, what=what)


def retry_delay(wanted_seconds: float | None) -> float:
    """What the server asked for, a minute at most; it may be any number, or none."""
    if wanted_seconds is None or not wanted_seconds > 0:
        return RETRY_SECONDS
    return min(wanted_seconds, LONGEST_RETRY_SECONDS)
