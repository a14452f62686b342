"""When a client tries again, how long it waits, and when a person has to do something first."""

from collections.abc import Callable
from typing import ClassVar, Final

from twisted.application.internet import backoffPolicy

from chatserv.client.storage.failures import StorageError
from chatserv.errors import ChatError, Forbidden, WireError
from chatserv.i18n import N_, _

FIRST_DELAY_SECONDS: Final = 1.0
LONGEST_DELAY_SECONDS: Final = 60.0
DELAY_FACTOR: Final = 1.5
# Where the server can be reached at several addresses: there is another machine that waits for us.
HURRIED_SECONDS: Final = 0.2  # between the first rounds, give or take a half
DRAINING_SECONDS: Final = 2.0  # the longest until we go elsewhere: a server that goes down sends everybody away at once
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


class Expelled(Forbidden):
    """The server has ended the session of this device for good, and said why."""

    _REASONS: ClassVar[dict[str, str]] = {
        "revoked": N_(
            "This device was revoked: it can never log in again, and reads nothing new. To go on here, log in as a new "
            "device, under another name for --profile."
        ),
        "gone": N_("This account does not exist any more."),
        "password_changed": N_("The password was changed meanwhile: log in with the new one."),
    }

    def explain(self) -> str:
        """In words."""
        reason = self._REASONS.get(self.detail)
        return super().explain() if reason is None else _(reason)


def farewell(code: str) -> ChatError:
    """The error behind the server's last word."""
    if code == "replaced":
        return Replaced()
    return Expelled(code, by="" if code in Expelled._REASONS else "server")


def is_final(error: Exception | None) -> bool:
    """Whether trying again cannot help."""
    if isinstance(error, StorageError):
        return not error.retryable
    return isinstance(error, Replaced) or (isinstance(error, WireError) and error.code in FINAL_CODES)


class Backoff:
    """Jittered delays that grow with every attempt, or round of attempts, until one bears fruit.

    1 to 60 s; where the server can be reached at several addresses, 0.1 to 0.3 s in the beginning. A connection that never
    caught up is a failed attempt too, so the count is ours, not that of Twisted's service.

    Args:
        number: Gives numbers from 0 to 1.
    """

    def __init__(self, number: Callable[[], float]) -> None:
        self._policy = backoffPolicy(FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, DELAY_FACTOR, number)
        self._number, self._fruitless = number, 0

    def next_delay(self, *, several: bool = False) -> float:
        """How long to wait now, in seconds. ``several``: whether there are other addresses."""
        delay = min(self._policy(self._fruitless), LONGEST_DELAY_SECONDS)
        if several:
            middle = min(HURRIED_SECONDS * DELAY_FACTOR ** min(self._fruitless, 100), LONGEST_DELAY_SECONDS / 1.5)
            delay = middle * (0.5 + self._number())
        self._fruitless += 1
        return delay

    def drained(self) -> float:
        """The same after the server has said that it goes down, and can be reached elsewhere."""
        return DRAINING_SECONDS * self._number()

    def succeeded(self) -> None:
        """The connection has borne fruit."""
        self._fruitless = 0
