"""Where the server can be reached: where it was last, and where it has said that it is besides (docs/protocol.rst 4.10)."""

import secrets
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from chatserv.client.account.keyring import Keyring
from chatserv.client.connection.endpoints import CONNECT_SECONDS
from chatserv.client.state.context import ClientContext
from chatserv.units import join_address, split_address
from chatserv.wire.fields import MAX_ADDRESSES
from chatserv.wire.link import Address, LinkInvalid, checked_host

HURRIED_SECONDS: Final = 5.0  # until it is given up where others are known; twice that in each round without an answer

chance: Final = secrets.SystemRandom().random
"""Numbers from 0 to 1."""

Make = Callable[[str, int, float], IStreamClientEndpoint]


def keep_addresses(context: ClientContext, told: tuple[str, ...]) -> None:
    """Remembers where else the server says that it can be reached; what is no address is left out."""
    known: list[str] = []
    for text in told[:MAX_ADDRESSES]:
        try:
            host, port = split_address(text)
            known.append(join_address(checked_host(host), port))
        except (ValueError, LinkInvalid):
            continue
    if tuple(known) != context.keyring.addresses:
        context.keep(msgspec.structs.replace(context.keyring, addresses=tuple(known)))


def in_turn(
    known: Iterable[Address], last: Address | None, number: Callable[[], float], spare: Iterable[Address] = ()
) -> list[Address]:
    """The order in which addresses are tried.

    The first one is where the server was; the others follow in random order, so that the clients of a machine that has died
    do not all come to the same one.

    Args:
        known: Each once.
        last: Comes at the end, wherever it stands: it was silent, or the server is going down there.
        number: Gives numbers from 0 to 1.
        spare: Come behind those: the server was there, or the person said so, and it does not say so itself.
    """
    first, *others = known
    order = [first, *sorted(others, key=lambda _: number()), *sorted(spare, key=lambda _: number())]
    return [each for each in order if each != last] + [each for each in order if each == last]


def _too_late(_: Any, seconds: float) -> Any:
    raise ConnectError(f"no answer in {seconds:g} s")


@implementer(IStreamClientEndpoint)
class AddressBook:
    """An endpoint that tries the addresses of one server, in rounds: all of them, one after the other, until one answers.

    Any address will do, since what answers there has to show the server's key. Whoever connects again after one has answered
    that was not the server goes on with the round.

    Args:
        make: Gives the endpoint of an address, which gives up after so many seconds.
        keyring: Gives the keyring, which has the addresses.
        nowhere: Told why nobody answers, where a round is over.
        clock: A reactor.
        number: Gives numbers from 0 to 1.

    Attributes:
        tried: The address that was tried last, or where we are.
    """

    def __init__(
        self,
        make: Make,
        keyring: Callable[[], Keyring],
        nowhere: Callable[[Failure], object],
        clock: Any,
        number: Callable[[], float],
    ) -> None:
        self._make, self._keyring, self._nowhere, self._number = make, keyring, nowhere, number
        self._clock = clock
        self.tried: Address | None = None
        self._left: list[Address] = []  # of this round
        self._last: Address | None = None
        self._rounds = 0  # since the server was found
        self._strangers: set[Address] = set()  # where somebody else has answered since then

    @property
    def several(self) -> bool:
        """Whether the server may be somewhere else, where it does not answer at one address."""
        return self.tried is not None and len(self._keyring().everywhere) > 1

    @property
    def goes_on(self) -> bool:
        """Whether there are addresses that were not tried yet in this round."""
        return bool(self._left)

    @property
    def patience(self) -> float:
        """How many seconds an address has to answer in this round."""
        hurried = min(CONNECT_SECONDS, HURRIED_SECONDS * 2 ** min(max(self._rounds - 1, 0), 10))
        return hurried if self.several else CONNECT_SECONDS

    def connect(self, protocolFactory: Any) -> "Deferred[Any]":  # noqa: N803 - Twisted's name
        """Connects to the first of those left in the round that answers; fails where none does."""
        if not self._left:
            ring = self._keyring()
            self._left = in_turn(ring.named, self._last, self._number, ring.everywhere[len(ring.named) :])
            self._rounds += 1
        self.tried = self._left.pop(0)
        connecting: Deferred[Any] = self._make(*self.tried, self.patience).connect(protocolFactory)
        if self.several:  # a name server may not answer either
            connecting.addTimeout(self.patience, self._clock, onTimeoutCancel=_too_late)
        return connecting.addErrback(self._failed, protocolFactory)

    def _failed(self, failure: Failure, factory: Any) -> Any:
        if failure.check(CancelledError, ConnectingCancelledError) is not None:
            return failure
        if self._left:
            return self.connect(factory)
        self._nowhere(failure)
        return failure

    def arrived(self, keep: Callable[[Keyring], None]) -> None:
        """The server is where we have connected: this address comes first from now on, and those before stay known."""
        ring = self._keyring()
        self._left.clear()
        self._strangers.clear()
        self._last, self._rounds = None, 0
        found = ring if self.tried is None else ring.found_at(self.tried)
        if found != ring:
            keep(found)

    def leave(self) -> None:
        """Where we are comes last in the next round: the server is silent there, or goes down."""
        self._last = self.tried

    def met_stranger(self) -> bool:
        """Somebody else has answered at this address. Says whether the server may still be at another one.

        It may be where nobody answers: it is down for a moment, and who has come to its old address is there.
        """
        if self.tried is None:
            return False
        self._strangers.add(self.tried)
        return not self._strangers.issuperset(self._keyring().everywhere)
