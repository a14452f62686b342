"""A server that may be dead without a word: asked soon, where there is another machine to go to."""

import socket
from collections.abc import Callable
from typing import Any, Final

from chatserv.tcp_options import set_options

ASK_SECONDS: Final = 15.0  # of silence, until the server is asked whether it is there
ANSWER_SECONDS: Final = 5.0  # how long it has for its answer, and its machine to confirm what was sent
LEAST_SECONDS: Final = 0.001  # until it is looked at again: the timer's clock may be a rounding ahead of ours


class Silence:
    """How long a server has said nothing.

    Args:
        later: Calls something after so many seconds; gives what `cancel` ends.
        seconds: A clock that never goes back, without the time in which this machine slept.
    """

    def __init__(self, later: Callable[[float, Callable[[], object]], Any], seconds: Callable[[], float]) -> None:
        self._later, self._seconds = later, seconds
        self._ask: Callable[[], object] = lambda: None
        self._gone: Callable[[], object] = lambda: None
        self._heard_at = 0.0
        self._said_at: float | None = None  # the first that nothing has come after
        self._asked_at: float | None = None
        self._timer: Any = None

    def begin(self, ask: Callable[[], object], gone: Callable[[], object]) -> None:
        """A session is open. ``ask`` makes the server say something; ``gone`` is called once, where it does not."""
        self._ask, self._gone = ask, gone
        self.heard()
        self._look()

    def heard(self) -> None:
        """The server says something."""
        self._heard_at, self._asked_at, self._said_at = self._seconds(), None, None

    def said(self) -> None:
        """We say something."""
        if self._said_at is None:
            self._said_at = self._seconds()

    @property
    def dead(self) -> bool:
        """Whether nothing has come for so long after what we have said: the kernel does not tell us why it gave up."""
        return self._said_at is not None and self._seconds() - self._said_at >= ANSWER_SECONDS

    def end(self) -> None:
        """The session is over."""
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _look(self) -> None:
        now = self._seconds()
        if self._asked_at is None and now - self._heard_at >= ASK_SECONDS:
            self._asked_at = now
            self._ask()
        elif self._asked_at is not None and now - self._asked_at >= ANSWER_SECONDS:
            self._gone()
            return
        until = self._heard_at + ASK_SECONDS if self._asked_at is None else self._asked_at + ANSWER_SECONDS
        self._timer = self._later(max(until - now, LEAST_SECONDS), self._look)


def give_up_soon(transport: Any) -> None:
    """Lets the kernel end a TCP connection whose other end does not confirm what was sent (tcp(7), TCP_USER_TIMEOUT).

    Also where it confirms, and takes nothing for so long. On other kinds of transport nothing happens.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:  # as on Linux
        set_options(transport, [(socket.IPPROTO_TCP, option, int(ANSWER_SECONDS * 1000))])
