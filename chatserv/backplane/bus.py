"""The bus between nodes: says something under a subject to whoever hears it. What it carries may be lost, doubled, late.

A client of NATS on Twisted: of the library for it (nats-py 2.16) a node would need an event loop in a thread of its own, and
a message from elsewhere costs it five times as much (docs/design.rst). Servers are tried in turn; while none answers, what
is published is lost and the listener for that is told, so that the store is polled.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, optionsForClientTLS, platformTrust, trustRootFromCertificates
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatserv.backplane.bus_connection import GREETING_SECONDS, BusConnection
from chatserv.backplane.nats import (
    MAX_ADVERTISED,
    MAX_PAYLOAD,
    Complaint,
    Delivery,
    ServerInfo,
    checked_subject,
    publish_lines,
    subscribe_line,
    unsubscribe_line,
)
from chatserv.bus_address import BusAddress
from chatserv.errors import Busy, TooLarge

MAX_SUBSCRIPTIONS: Final = 100_000
FIRST_WAIT_SECONDS: Final = 0.1  # when all servers were tried; doubles
MOST_WAIT_SECONDS: Final = 2.0
STEADY_SECONDS: Final = 5.0  # a server that was there for less is as one that was not
COMPLAINT_SECONDS: Final = 60.0  # between two lines in the log of what a server refuses

Listener = Callable[[bytes], None]
Dial = Callable[[BusAddress, Any], "Deferred[Any]"]
log = Logger(namespace="chatserv.backplane.bus")


class Bus:
    """A node's way to the others.

    Args:
        reactor: Time and connections.
        addresses: Servers, at least one, in the order in which they are tried.
        name: What servers call this node in their own records.
        back: Called when subscriptions stand again, also the first time: what was missed meanwhile has to be read.
        away: Called when nothing is heard any more.
        authority: A file with the certificates (PEM) of who vouches for the servers; with it, or with a ``tls://``, nothing
            that matters goes in the clear. None: the system's.
        dial: Connects; by the reactor where it is None.

    Attributes:
        lost: Messages that found nobody, or no place.
    """

    def __init__(
        self,
        reactor: Any,
        addresses: Sequence[BusAddress],
        name: str,
        back: Callable[[], None],
        away: Callable[[], None],
        authority: Path | None = None,
        dial: Dial | None = None,
    ) -> None:
        self._reactor, self._configured, self._name = reactor, list(addresses), name
        self._back, self._away = back, away
        self._dial = dial or partial(_dial, reactor)
        self._sealed = authority is not None or any(address.tls for address in addresses)
        self._trust: Any = None if authority is None else certificates(authority)
        self._advertised: list[BusAddress] = []
        self._listeners: dict[int, Listener] = {}
        self._subjects: dict[str, int] = {}
        self._last_sid = 0
        self._connection: BusConnection | None = None
        self._address = self._configured[-1]
        self._untried: list[BusAddress] = []
        self._wait = FIRST_WAIT_SECONDS
        self._timer: Any = None
        self._open = self._there = self._stopped = False
        self._reason = ""
        self._since = self._complained_at = float("-inf")
        self._confirming: list[Deferred[None]] = []  # the next ping is theirs
        self._asked: list[Deferred[None]] = []
        self._lost = 0

    @property
    def there(self) -> bool:
        """Whether a server answers."""
        return self._there

    @property
    def lost(self) -> int:
        """See above."""
        return self._lost + (self._connection.dropped if self._connection else 0)

    def start(self) -> None:
        """Looks for a server, from now on."""
        self._try_next()

    def stop(self) -> None:
        """Ends it, behind what was published. Nobody is told any more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._connection is not None:
            self._connection.leave()

    # -- what a node does with it

    def publish(self, subject: str, body: bytes) -> bool:
        """Says ``body`` to all other nodes that hear ``subject``. Says whether it is under way.

        Raises:
            TooLarge: More than `MAX_PAYLOAD`, or than the server takes.
        """
        if len(body) > MAX_PAYLOAD:
            raise TooLarge("bus: a message above 1 MiB")
        connection = self._connection
        if connection is None or not self._there:
            self._lost += 1
            return False
        if len(body) > connection.max_payload:
            raise TooLarge("bus: a message above what the server takes")
        lines = publish_lines(checked_subject(subject), body)
        if not connection.has_place(len(lines)):
            return False
        connection.write(lines)
        return True

    def subscribe(self, subject: str, listener: Listener) -> "Deferred[None]":
        """Calls ``listener`` with what is said under ``subject``, in the place of who heard it before.

        Answers when the server knows, or at once where none does: then `back` tells of it.

        Raises:
            Busy: There are `MAX_SUBSCRIPTIONS`, or so many wait for an answer.
        """
        name = checked_subject(subject)
        if len(self._confirming) >= MAX_SUBSCRIPTIONS:
            raise Busy("bus: too many wait for subscriptions")
        known = self._subjects.get(subject)
        answer: Deferred[None] = Deferred()
        if known is None:
            if len(self._subjects) >= MAX_SUBSCRIPTIONS:
                raise Busy("bus: too many subscriptions")
            self._last_sid += 1
            known = self._subjects[subject] = self._last_sid
            if self._connection is not None and self._open:
                self._connection.write(subscribe_line(name, known))
        self._listeners[known] = listener
        self._confirming.append(answer)
        self._confirm()
        return answer

    def unsubscribe(self, subject: str) -> None:
        """Hears no more of it; harmless where nobody does."""
        sid = self._subjects.pop(subject, None)
        if sid is not None:
            del self._listeners[sid]
            if self._connection is not None and self._open:
                self._connection.write(unsubscribe_line(sid))

    def _confirm(self) -> None:
        """Asks once for all that wait; who comes meanwhile waits for the next time."""
        if self._connection is None or not self._open:
            self._release()
        elif self._confirming and not self._asked:
            self._asked, self._confirming = self._confirming, []
            self._connection.ask(self._confirmed)

    def _confirmed(self) -> None:
        asked, self._asked = self._asked, []
        for answer in asked:
            answer.callback(None)
        self._confirm()

    def _release(self) -> None:
        waiting, self._asked, self._confirming = self._asked + self._confirming, [], []
        for answer in waiting:
            answer.callback(None)

    # -- servers, in turn

    def _try_next(self) -> None:
        self._timer = None
        if not self._untried:
            known = dict.fromkeys([*self._configured, *self._advertised])
            known[self._address] = known.pop(self._address, None)  # whoever has failed last comes last
            self._untried = list(known)
        self._address = self._untried.pop(0)
        connection = BusConnection(self._reactor, self._address, self._name, self, self._tls_for(self._address))
        self._connection = connection
        factory = Factory.forProtocol(lambda: connection)
        factory.noisy = False
        self._dial(self._address, factory).addErrback(partial(self._unreachable, connection))

    def _unreachable(self, connection: BusConnection, failure: Failure) -> None:
        connection.give_up(failure.type.__name__ if failure.type else "")

    def _tls_for(self, address: BusAddress) -> Callable[[Any, str], None] | None:
        return self._start_tls if self._sealed or address.tls else None

    def _start_tls(self, transport: Any, host: str) -> None:
        transport.startTLS(optionsForClientTLS(host, self._trust or platformTrust()))

    # -- what the connection tells

    def opened(self) -> bytes:
        """Every subscription."""
        self._open = True
        return b"".join(subscribe_line(subject.encode("ascii"), sid) for subject, sid in self._subjects.items())

    def ready(self) -> None:
        """They stand."""
        self._there, self._since = True, self._reactor.seconds()
        log.info("The bus is there: {host}, port {port}.", host=self._address.host, port=self._address.port)
        self._call(self._back)

    def informed(self, info: ServerInfo) -> None:
        """Other servers of the same cluster; those of before are forgotten."""
        found = [self._address.beside(each) for each in info.connect_urls[:MAX_ADVERTISED]]
        self._advertised = [each for each in found if each is not None]

    def delivered(self, delivery: Delivery) -> None:
        """Something for a listener; what was unsubscribed meanwhile is dropped."""
        listener = self._listeners.get(delivery.sid)
        if listener is not None:
            self._call(listener, delivery.body)

    def complained(self, complaint: Complaint) -> None:
        """Permissions: somebody has to mend them."""
        now = self._reactor.seconds()
        if now - self._complained_at < COMPLAINT_SECONDS:
            return
        self._complained_at = now
        log.error("The bus server refuses something: {text}.", text=complaint.text)

    def closed(self, reason: str) -> None:
        """Tries the next one, after a while where all were tried."""
        if self._connection is not None:
            self._lost += self._connection.dropped
            self._connection = None
        was_there, self._there, self._open = self._there, False, False
        self._release()
        if self._stopped:
            return
        steady = was_there and self._reactor.seconds() - self._since >= STEADY_SECONDS
        if steady:
            self._wait, self._reason, self._untried = FIRST_WAIT_SECONDS, "", []
        if reason != self._reason:  # once, however often it is tried
            self._reason = reason
            host, port = self._address.host, self._address.port
            log.warn("The bus at {host}, port {port}, is away: {reason}.", host=host, port=port, reason=reason)
        wait = 0.0
        if not self._untried and not steady:
            wait, self._wait = self._wait, min(2 * self._wait, MOST_WAIT_SECONDS)
        self._timer = self._reactor.callLater(wait, self._try_next)
        if was_there:
            self._call(self._away)

    def _call(self, told: Callable[..., None], *what: bytes) -> None:
        """What listeners do wrong is logged, and is not the bus's fault."""
        try:
            told(*what)
        except Exception:  # noqa: BLE001 - whatever it is, the others have to hear the next message
            log.failure("A listener of the bus has failed.")


def _dial(reactor: Any, address: BusAddress, factory: Any) -> "Deferred[Any]":
    return HostnameEndpoint(reactor, address.host, address.port, timeout=GREETING_SECONDS).connect(factory)


def certificates(file: Path) -> Any:
    """Who vouches for the servers. Raises `OSError`, and `ValueError` where the file holds none."""
    marker = b"-----BEGIN CERTIFICATE-----"
    parts = [marker + part for part in file.read_bytes().split(marker)[1:]]
    if not parts:
        raise ValueError("no certificates")
    return trustRootFromCertificates([Certificate.loadPEM(part) for part in parts])
