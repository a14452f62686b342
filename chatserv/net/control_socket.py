"""The socket in the state directory by which the operator's command reaches the running server.

One JSON object a line. In comes one ``{"operation": name, "arguments": {...}}``; out go ``{"progress": line}`` as often as
there is something to tell, then ``{"result": ..., "code": n}`` or ``{"error": {"code": ..., "text": ...}}``, and the end.
Who may ask is the kernel's word (SO_PEERCRED, unix(7)): root and the user that the server runs as, nobody else.
"""

import json
import os
import socket
import stat
import struct
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatserv.errors import BadMessage, Busy, ChatError, Forbidden, Internal, TimedOut, TooLarge
from chatserv.limits import Limits
from chatserv.linereceiver import LinearLineReceiver
from chatserv.live_settings import LiveSettings
from chatserv.local_errors import words
from chatserv.private_files import FILE_MODE

log = Logger(namespace="chatserv.net.control")
LINE_BYTES: Final = 65_536
BACKLOG: Final = 16
CREDENTIALS: Final = struct.Struct("iII")  # struct ucred: pid, uid, gid


class Request(Struct, frozen=True):
    """What somebody asks for: the operation, its arguments as they came, who it is, and how to tell them of progress."""

    operation: str
    arguments: Mapping[str, Any]
    uid: int
    progress: Callable[[str], None]


Performer = Callable[[Request], Coroutine[Any, Any, Mapping[str, Any]]]


class ControlProtocol(LinearLineReceiver):
    """One connection, and one question."""

    def __init__(self, control: "ControlSocket") -> None:
        super().__init__(LINE_BYTES)
        self._control = control
        self._asked = self._counted = False
        self._uid = -1
        self._deadline: Any = None

    def connectionMade(self) -> None:
        """Looks at who it is. Others than the server's user and root are told so, and nothing that they say is read."""
        self._uid = peer_uid(self.transport.getHandle())
        if self._uid not in {0, os.geteuid()}:
            log.warn("the operator's socket: user {uid} was turned away", uid=self._uid)
            self._refuse(Forbidden("the state directory is another user's"))
        elif not self._control.enter():
            self._refuse(Busy("too many operations are under way", after_seconds=1))
        else:
            self._counted = True
            limits = self._control.limits
            self._deadline = self._control.reactor.callLater(limits.control_ask_seconds, self._too_late)

    def _too_late(self) -> None:
        self._deadline = None
        self._refuse(TimedOut("nothing was asked"))

    def lineReceived(self, line: bytes) -> None:
        """Takes the one question, and has it answered."""
        if self._asked:
            return
        self._asked = True
        self._stop_waiting()
        try:
            request = self._read(line)
        except ChatError as error:
            self._refuse(error)
            self._leave(None)
            return
        control = self._control
        running: Deferred[Mapping[str, Any]] = Deferred.fromCoroutine(control.answer(request))
        running.addTimeout(control.limits.control_work_seconds, control.reactor, _took_too_long)
        running.addCallbacks(self._tell, self._failed).addBoth(self._leave)

    def _read(self, line: bytes) -> Request:
        try:
            asked = json.loads(line)
        except (ValueError, RecursionError):
            raise BadMessage("not a line of JSON") from None
        if not isinstance(asked, dict):
            raise BadMessage("not an object")
        operation, arguments = asked.get("operation"), asked.get("arguments", {})
        if not isinstance(operation, str) or not isinstance(arguments, dict):
            raise BadMessage("no operation with arguments")
        return Request(operation, arguments, self._uid, lambda text: self._write({"progress": text}))

    def _tell(self, answer: Mapping[str, Any]) -> None:
        self._write(answer)
        self._end()

    def _failed(self, failure: Failure) -> None:
        error: Any = failure.value
        if not isinstance(error, ChatError):
            log.failure("an operation failed on our side", failure)
            error = Internal()
        self._refuse(error)

    def _refuse(self, error: ChatError) -> None:
        self.stop_receiving()
        self._write({"error": {"code": error.code, "text": words(error)}})
        self._end()

    def _end(self) -> None:
        """Closes when all is read; who does not read is cut off after a while."""
        if self.connected:
            self.transport.loseConnection()
            control = self._control
            self._deadline = control.reactor.callLater(control.limits.control_ask_seconds, self._cut)

    def _cut(self) -> None:
        self._deadline = None
        self.transport.abortConnection()

    def _write(self, message: Mapping[str, Any]) -> None:
        if self.connected:
            self.transport.write(json.dumps(message).encode() + self.delimiter)

    def line_too_long(self, error: TooLarge) -> None:
        """Tells so, and ends."""
        self._stop_waiting()
        self._refuse(error)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Gives the place back; an operation that is under way goes on, and has the place until it is done."""
        super().connectionLost(reason)  # type: ignore[arg-type]
        self.connected = 0
        self._stop_waiting()
        self._control.connections.discard(self)
        if not self._asked:
            self._leave(None)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _leave(self, _: object) -> None:
        if self._counted:
            self._counted = False
            self._control.leave()


def _took_too_long(_result: object, seconds: float) -> Failure:
    return Failure(TimedOut(f"the operation takes more than {seconds:g} s"))


def peer_uid(connection: socket.socket) -> int:
    """The user at the other end of a UNIX socket, as the kernel noted when they connected."""
    _pid, uid, _gid = CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
    return int(uid)


class ControlSocket(ServerFactory):
    """The socket, and who is connected to it.

    Args:
        path: Where it is, in a directory that is the server's alone.
        settings: How many, and how long.
        answer: Carries an operation out. Raises `ChatError`.
        reactor: The reactor.
    """

    noisy = False

    def __init__(self, path: Path, settings: LiveSettings, answer: Performer, reactor: Any) -> None:
        self.path, self._settings, self.answer, self.reactor = path, settings, answer, reactor
        self.connections: set[ControlProtocol] = set()
        self._busy = 0
        self._port: Any = None
        self._directory: int | None = None

    @property
    def limits(self) -> Limits:
        """The bounds that hold now."""
        return self._settings.limits

    def enter(self) -> bool:
        """Takes a place; False: there is none."""
        if self._busy >= self.limits.control_connections:
            return False
        self._busy += 1
        return True

    def leave(self) -> None:
        """Gives it back."""
        self._busy -= 1

    def buildProtocol(self, addr: object) -> ControlProtocol:  # noqa: ARG002 - Twisted's
        """For each connection."""
        protocol = ControlProtocol(self)
        self.connections.add(protocol)
        return protocol

    def start(self) -> None:
        """Listens, in the place of the socket of a server that is gone; the state directory's lock says that it is.

        What keeps it from that is logged, and the server runs without. However long the path is: one of its own could
        have 107 bytes (unix(7)), so it is named by its directory, which stays open.
        """
        try:
            with suppress(FileNotFoundError):
                if not stat.S_ISSOCK(self.path.lstat().st_mode):
                    raise FileExistsError(f"{self.path.name} is no socket")
                self.path.unlink()
            self._directory = os.open(self.path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            name = f"/proc/self/fd/{self._directory}/{self.path.name}"
            self._port = self.reactor.listenUNIX(name, self, BACKLOG, FILE_MODE)
        except (OSError, CannotListenError) as error:
            log.error("{path}: {error}: the operator's command does not reach this server", path=self.path, error=error)

    async def stop(self) -> None:
        """Listens no more, removes the socket, and ends the connections."""
        if self._port is not None:
            with suppress(OSError):  # somebody has removed it; the rest of a stop does not depend on that
                await self._port.stopListening()
            self._port = None
        if self._directory is not None:
            os.close(self._directory)
            self._directory = None
        for connection in list(self.connections):
            connection.transport.abortConnection()
