"""Notifications of the desktop: over the session bus, or by a program that is told nothing.

Desktop Notifications Specification 1.2 (org.freedesktop.Notifications), D-Bus Specification 0.43.
"""

import contextlib
import html
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from jeepney import DBusAddress, HeaderFields, Message, MessageType, Parser, new_method_call
from jeepney.auth import BEGIN, AuthenticationError, Authenticator
from jeepney.bus import get_connectable_addresses
from jeepney.bus_messages import message_bus
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ClientFactory, ProcessProtocol
from twisted.internet.protocol import Protocol as TwistedProtocol

from chatserv.client import translate
from clients.shared.patience import Patience

APPLICATION: Final = "chatserv"
TOOL: Final = "notify-send"
PATIENCE_SECONDS: Final = 10.0  # with the bus, and with the program
MAX_BUS_BYTES: Final = 65_536  # of answers to one notification
_NOTIFICATIONS: Final = DBusAddress(
    "/org/freedesktop/Notifications", "org.freedesktop.Notifications", "org.freedesktop.Notifications"
)
_BY_ITSELF: Final = -1  # the desktop knows how long to show it
_SERIAL: Final = 2  # of the notification; 1 is the greeting of the bus


class Desktop(Protocol):
    """What shows notifications, one at a time."""

    @property
    def busy(self) -> bool:
        """Whether one is under way."""
        ...

    def show(self, title: str, body: str) -> None:
        """Shows one; both are clean."""
        ...

    def stop(self) -> None:
        """The program ends."""
        ...


class Bus:
    """Shows notifications over the session bus: what they say stands in no list of processes.

    Args:
        reactor: Connects, and tells the time.
        path: Of the bus's socket; one that begins with NUL is no file (unix(7)).
        otherwise: Shows them where the bus does not.
    """

    def __init__(self, reactor: Any, path: str, otherwise: Desktop | None = None) -> None:
        self._reactor, self._path, self._otherwise = reactor, path, otherwise
        self._connector: Any = None
        self._patience = Patience(reactor, PATIENCE_SECONDS, self._give_up)

    @property
    def busy(self) -> bool:
        """Whether one is under way."""
        return self._connector is not None or (self._otherwise is not None and self._otherwise.busy)

    def show(self, title: str, body: str) -> None:
        """Connects, says it, and goes."""
        call = new_method_call(
            _NOTIFICATIONS,
            "Notify",
            "susssasa{sv}i",
            (APPLICATION, 0, "", title, html.escape(body), [], {"category": ("s", "im.received")}, _BY_ITSELF),
        )
        self._patience.begin()

        def over(*, shown: bool) -> None:
            self._over()
            if not shown and self._otherwise is not None:
                self._otherwise.show(title, body)

        self._connector = self._reactor.connectUNIX(self._path, _Factory(call, over), timeout=PATIENCE_SECONDS)

    def _over(self) -> None:
        self._connector = None
        self._patience.end()

    def _give_up(self) -> None:
        if self._connector is not None:
            self._connector.disconnect()

    def stop(self) -> None:
        """The program ends."""
        if self._otherwise is not None:
            self._otherwise.stop()
        self._otherwise = None
        self._give_up()


class _Factory(ClientFactory):
    """One connection to the bus.

    Args:
        call: What is asked for.
        over: Told once whether it was shown.
    """

    noisy = False

    def __init__(self, call: Message, over: Callable[..., None]) -> None:
        self.call, self._over = call, over
        self.shown = False

    def buildProtocol(self, address: Any) -> TwistedProtocol:  # noqa: ARG002 - Twisted's signature
        """Speaks to it."""
        return _Speaker(self)

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:  # noqa: ARG002, N802 - Twisted's name
        """There is no bus."""
        self._over(shown=False)

    def clientConnectionLost(self, connector: Any, reason: Any) -> None:  # noqa: ARG002, N802 - Twisted's name
        """It is over."""
        self._over(shown=self.shown)


class _Speaker(TwistedProtocol):
    """Says who we are, then what is to be shown.

    Args:
        factory: Has the call, and gets to know whether it was obeyed.
    """

    transport: Any

    def __init__(self, factory: _Factory) -> None:
        self._factory = factory
        self._authenticator, self._parser = Authenticator(), Parser()
        self._taken = 0

    def connectionMade(self) -> None:
        """Begins."""
        self.transport.write(self._authenticator.data_to_send())

    def dataReceived(self, data: bytes) -> None:
        """The bus answers."""
        self._taken += len(data)
        if self._taken > MAX_BUS_BYTES:
            self.transport.abortConnection()
        elif self._authenticator.authenticated:
            self._answered(data)
        else:
            self._authenticate(data)

    def _authenticate(self, data: bytes) -> None:
        try:
            self._authenticator.feed(data)
        except AuthenticationError:
            self.transport.loseConnection()
            return
        if self._authenticator.authenticated:
            calls = (message_bus.Hello(), self._factory.call)
            self.transport.write(BEGIN + b"".join(call.serialise(at) for at, call in enumerate(calls, 1)))

    def _answered(self, data: bytes) -> None:
        self._parser.add_data(data)
        while (message := self._parser.get_next_message()) is not None:
            if message.header.fields.get(HeaderFields.reply_serial) == _SERIAL:
                self._factory.shown = message.header.message_type is MessageType.method_return
                self.transport.loseConnection()


class Tool:
    """Shows that something happened by ``notify-send``, and not what: every user of the machine can read its arguments.

    Args:
        reactor: Runs the program and tells the time.
        program: Its path.
    """

    def __init__(self, reactor: Any, program: str) -> None:
        self._reactor, self._program = reactor, program
        self._running: Any = None
        self._patience = Patience(reactor, PATIENCE_SECONDS, self._give_up)
        self._usable = True

    @property
    def busy(self) -> bool:
        """Whether it runs."""
        return self._running is not None

    def show(self, title: str, body: str) -> None:  # noqa: ARG002 - not for everybody's eyes
        """Says that somebody wants us."""
        if not self._usable:
            return
        arguments = [
            TOOL,
            f"--app-name={APPLICATION}",
            "--",
            APPLICATION,
            translate("You have a new message or mention."),
        ]
        try:
            self._running = self._reactor.spawnProcess(_Shown(self._ended), self._program, arguments, env=None)
        except (OSError, ValueError):
            self._usable = False  # gone, not allowed, or a locale that has no such characters: no more of that
        else:
            self._patience.begin()

    def _ended(self) -> None:
        self._running = None
        self._patience.end()

    def _give_up(self) -> None:
        if self._running is not None:
            with contextlib.suppress(ProcessExitedAlready):
                self._running.signalProcess("KILL")

    def stop(self) -> None:
        """The program ends."""
        self._usable = False
        self._patience.end()
        self._give_up()


class _Shown(ProcessProtocol):
    """The program that shows one notification; what it prints is nobody's business.

    Args:
        ended: It has ended.
    """

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended = ended

    def processEnded(self, reason: Any) -> None:  # noqa: ARG002 - Twisted's signature
        """It has ended, well or not."""
        self._ended()


def find_desktop(reactor: Any, environment: Mapping[str, str] = os.environ) -> Desktop | None:
    """What shows notifications here; None where nothing does."""
    there = environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
    program = shutil.which(TOOL, path=environment.get("PATH")) if there else None
    tool = None if program is None else Tool(reactor, program)
    path = _bus_path(environment)
    return tool if path is None else Bus(reactor, path, tool)


def _bus_path(environment: Mapping[str, str]) -> str | None:
    """The socket of the session bus: what its address says, else where systemd puts it (sd_bus_default_user(3))."""
    address = environment.get("DBUS_SESSION_BUS_ADDRESS", "")
    if address:
        try:
            return str(next(get_connectable_addresses(address)))
        except (ValueError, RuntimeError, StopIteration):  # no address, or none of a socket on this machine
            return None
    directory = environment.get("XDG_RUNTIME_DIR", "")
    bus = Path(directory, "bus")
    return str(bus) if directory and bus.is_socket() else None
