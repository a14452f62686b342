"""When a client tries again, how long it waits, and when a person has to do something first."""

from typing import Final

from twisted.application.internet import backoffPolicy

from chatserv.client.storage.failures import StorageError
from chatserv.errors import ChatError, WireError
from chatserv.i18n import N_

FIRST_DELAY_SECONDS: Final = 1.0
LONGEST_DELAY_SECONDS: Final = 60.0
DELAY_FACTOR: Final = 1.5
# Codes after which trying again cannot help: a person has to do something first.
FINAL_CODES: Final = frozenset(
    {
        "auth_failed",
        "bad_frame",
        "bad_message",
        "forbidden",
        "invite_invalid",
        "name_invalid",
        "name_taken",
        "quota",
        "suite",
        "version",
    }
)


class Replaced(ChatError):
    """Another connection of the same device took over: a copy of this profile is in use elsewhere."""

    code = "replaced"
    text = N_("Another program uses a copy of this profile; each device needs a profile of its own.")


def is_final(error: Exception | None) -> bool:
    """Whether trying again cannot help."""
    if isinstance(error, StorageError):
        return not error.retryable
    return isinstance(error, Replaced) or (isinstance(error, WireError) and error.code in FINAL_CODES)


class Backoff:
    """Jittered delays of 1 to 60 s that grow with every attempt until one bears fruit.

    A connection that never caught up is a failed attempt too, so the count is ours, not that of Twisted's service.
    """

    def __init__(self) -> None:
        self._policy = backoffPolicy(FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, DELAY_FACTOR)
        self._fruitless = 0

    def next_delay(self, _: int) -> float:
        """How long to wait now, in seconds; the argument, the service's own count, is not used."""
        delay = min(self._policy(self._fruitless), LONGEST_DELAY_SECONDS)
        self._fruitless += 1
        return delay

    def succeeded(self) -> None:
        """The connection has borne fruit."""
        self._fruitless = 0
