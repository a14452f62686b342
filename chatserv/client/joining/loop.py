"""The way of a program to itself: it has joined, and holds the profile by now; what it has asked before is done here."""

from collections.abc import Callable

from chatserv.client.joining.joined import Joined
from chatserv.client.joining.session import Session, Writer


class _Back:
    """The way back of a `Loop`."""

    def __init__(self, loop: "Loop", joined: Joined) -> None:
        self._loop, self._joined = loop, joined

    def write(self, data: bytes) -> None:
        """To who asks."""
        self._joined.received(self._loop, data)

    def close(self) -> None:
        """Nothing ends."""


class Loop:
    """The way to ourselves, for what was asked of another program and is not over."""

    def __init__(self, joined: Joined, open_session: Callable[[Writer], Session]) -> None:
        self._session = open_session(_Back(self, joined))
        self._session.take(joined.hello(started=False))

    def write(self, data: bytes) -> None:
        """To who does it."""
        self._session.take(data)

    def close(self) -> None:
        """Nothing is told any more."""
        self._session.lost()

    def wait(self, seconds: float) -> bool:  # noqa: ARG002 - as every wire
        """Everything has come."""
        return True
