"""How a client reaches its server: at which address, how soon again, and what it means where that fails."""

from collections.abc import Callable
from typing import Any

from twisted.python.failure import Failure

from chatserv.client.account.keyring import Keyring
from chatserv.client.connection.addresses import AddressBook, Make, chance
from chatserv.client.connection.backoff import Backoff, is_final
from chatserv.client.connection.silence import Silence
from chatserv.client.events import ClientEvent, OtherServer, Status, StatusChanged
from chatserv.errors import Draining, TimedOut, WireError
from chatserv.local_errors import LocalFileError
from chatserv.units import join_address
from chatserv.wire.link import Address


class Reaching:
    """All attempts of one client.

    Args:
        make: Gives the endpoint of an address.
        keyring: Gives the keyring, which has the addresses.
        nowhere: Told why nobody answers, where all addresses were tried.
        clock: A reactor.
        later: Calls something after so many seconds.
        seconds: A clock that never goes back, without the time in which this machine slept.
        number: Gives numbers from 0 to 1.

    Attributes:
        book: The endpoint, with all addresses.
    """

    def __init__(
        self,
        make: Make,
        keyring: Callable[[], Keyring],
        nowhere: Callable[[Failure], object],
        clock: Any,
        later: Callable[[float, Callable[[], object]], Any],
        seconds: Callable[[], float],
        number: Callable[[], float] = chance,
    ) -> None:
        self.book = AddressBook(make, keyring, nowhere, clock, number)
        self._keyring, self._later, self._seconds = keyring, later, seconds
        self._backoff = Backoff(number)
        self._silence: Silence | None = None
        self._drained = False
        self._told: set[Address] = set()  # where somebody else has answered

    def begin(self) -> dict[str, Any]:
        """A connection is made; gives arguments of its protocol: what watches over it, and how soon it has to answer."""
        self._silence = Silence(self._later, self._seconds) if self.book.several else None
        return {"silence": self._silence, "patience": self.book.patience}

    def succeeded(self) -> None:
        """The connection has borne fruit."""
        self._backoff.succeeded()

    def next_delay(self) -> float:
        """How long to wait now, in seconds: not at all, while there are addresses that were not tried."""
        return 0.0 if self.book.goes_on else self.pause()

    def pause(self) -> float:
        """The same between two rounds."""
        if self._drained:
            self._drained = False
            return self._backoff.drained()
        return self._backoff.next_delay(several=self.book.several)

    def lost(self, error: Exception | None, *, proven: bool, status: Status) -> list[ClientEvent]:
        """A connection is gone, or came to nothing. Gives what a person has to know; `Status.FAILED` is the end.

        Args:
            error: Why, where that is known.
            proven: Whether what answered has shown that it is our server. What somebody else does decides nothing, as long
                as there are addresses where the server may be.
            status: What was told last. Who is told that we connect hears nothing before all addresses were tried; who is
                told that there is no connection does not hear so again because of somebody else.
        """
        self._note(error)
        news: list[ClientEvent] = []
        if is_final(error):
            stranger = isinstance(error, WireError) and not proven
            if not stranger or not self.book.met_stranger():
                return [StatusChanged(Status.FAILED, error)]
            news += self._about_stranger()
            error = None
            if status is Status.OFFLINE:
                return news
        if status is not Status.CONNECTING or not self.book.goes_on or isinstance(error, LocalFileError):
            news.append(StatusChanged(Status.OFFLINE, error))
        return news

    def _note(self, error: Exception | None) -> None:
        dead = isinstance(error, TimedOut) or (self._silence is not None and self._silence.dead)
        self._silence = None
        if isinstance(error, LocalFileError) or not self.book.several:
            return
        self._drained = isinstance(error, Draining)
        if self._drained or dead:
            self.book.leave()

    def _about_stranger(self) -> list[ClientEvent]:
        """Told once for each address."""
        address = self.book.tried
        self._told.intersection_update(self._keyring().everywhere)
        if address is None or address in self._told:
            return []
        self._told.add(address)
        return [OtherServer(join_address(*address))]
