"""The half of a session core that both ends have: order, failure, sealing, closing."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NoReturn

from chatserv.crypto.session import HandshakeSecrets, RecordKey, TrafficSecrets
from chatserv.domain.closing import CloseReason
from chatserv.errors import WireError
from chatserv.local_errors import LocalProtocolError
from chatserv.wire.framing import record_to_line
from chatserv.wire.parameters import SessionContext
from chatserv.wire.records import RecordLayer, RecordType
from chatserv.wire.session import (
    WAITING_FOR_US,
    CloseReceived,
    Event,
    Failed,
    LineReady,
    State,
    Transcript,
    receive_open,
)


class SessionCore(ABC):
    """Common to `ServerSession` and `ClientSession`.

    Args:
        session_context: Clock, randomness and limits.
        binding: The channel binding ``CB`` of this connection, 33 bytes.
        state: Where this end begins.
    """

    def __init__(self, session_context: SessionContext, binding: bytes, state: State) -> None:
        self.state = state
        self._surroundings = session_context
        self._binding = binding
        self._transcript = Transcript()
        self._layer: RecordLayer | None = None

    def receive_line(self, line: bytes) -> list[Event]:
        """Takes one line without its CRLF. Never raises for the peer's fault: that is a `Failed` at the end of the list."""
        if self.state in WAITING_FOR_US:
            raise LocalProtocolError(f"a line in state {self.state.name}")
        if self.state is State.CLOSED:
            return []
        receive = self._receive_handshake if self._layer is None else self._receive_open
        try:
            events = receive(line)
        except WireError as error:
            return self.refuse(error)
        if any(isinstance(event, (CloseReceived, Failed)) for event in events):
            self.state = State.CLOSED
        return events

    def refuse(self, error: WireError) -> list[Event]:
        """Ends the session, in any state, and tells the other side the code of ``error``."""
        if self.state is State.CLOSED:
            return []
        line = self._alert(error)
        self.state = State.CLOSED
        return [LineReady(line), Failed(error)] if line else [Failed(error)]

    def seal(self, parts: Sequence[bytes]) -> list[bytes]:
        """Encoded messages as few lines as hold them. Raises `LocalProtocolError` unless the session is open."""
        if self._layer is None or self.state is not State.OPEN:
            raise LocalProtocolError(f"seal in state {self.state.name}")
        return self._layer.seal(parts)

    def close(self, reason: CloseReason) -> bytes:
        """The last line: ends an open session on purpose."""
        line = self._open_layer("close").control(RecordType.CLOSE, bytes((reason,)))
        self.state = State.CLOSED
        return line

    def _open_layer(self, doing: str) -> RecordLayer:
        if self._layer is None or self.state is not State.OPEN:
            raise LocalProtocolError(f"{doing} in state {self.state.name}")
        return self._layer

    def _receive_open(self, line: bytes) -> list[Event]:
        return receive_open(self._open_layer("receive"), line)

    @abstractmethod
    def _receive_handshake(self, line: bytes) -> list[Event]:
        """Takes a line before the session is open."""

    @abstractmethod
    def _alert(self, error: WireError) -> bytes:
        """The last line, which tells the other side the code of ``error``; empty where it cannot be told."""

    def _enter(self, expected: State, new: State) -> None:
        self._require(expected)
        self.state = new

    def _require(self, expected: State) -> None:
        if self.state is not expected:
            raise LocalProtocolError(f"state {self.state.name}, {expected.name} wanted")

    def _open_session(self, sending: RecordKey, receiving: RecordKey) -> None:
        around = self._surroundings
        self._layer = RecordLayer(sending, receiving, around.line_bytes, around.rekey, around.monotonic)
        self.state = State.OPEN


class HandshakeKeys:
    """The keys of a handshake under way: those of the key exchange, then those of the traffic. Never in a ``repr``."""

    __slots__ = ("receiving", "secrets", "sending")

    def __init__(self, secrets: HandshakeSecrets, *, server: bool) -> None:
        self.secrets = secrets
        ours, theirs = (secrets.server, secrets.client) if server else (secrets.client, secrets.server)
        self.sending, self.receiving = RecordKey(ours), RecordKey(theirs)

    def change(self, traffic: TrafficSecrets, *, server: bool) -> None:
        """Goes over to the traffic keys."""
        ours, theirs = (traffic.server, traffic.client) if server else (traffic.client, traffic.server)
        self.sending, self.receiving = RecordKey(ours), RecordKey(theirs)

    def seal_line(self, kind: RecordType, plaintext: bytes) -> bytes:
        """One line with a sealed record."""
        return record_to_line(self.sending.seal(kind, plaintext))


def missing_keys() -> NoReturn:
    """Raises `LocalProtocolError`: a step of the handshake was taken out of order."""
    raise LocalProtocolError("no handshake keys yet")
