"""What the parts of a client have in common: who we are, what we keep, and the world around."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatserv.client.account.keyring import Keyring
from chatserv.client.events import ClientEvent
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
        """Returns after so many seconds."""
        over: Deferred[None] = Deferred()
        self.later(seconds, lambda: over.callback(None))
        await over

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
    """What the server asked for, between a moment and a minute; it may be any number, or none."""
    if wanted_seconds is None or not 0 < wanted_seconds <= LONGEST_RETRY_SECONDS:
        return RETRY_SECONDS
    return wanted_seconds
