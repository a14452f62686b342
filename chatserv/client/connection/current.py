"""The connection that stands now: what it reports goes to a receiver, what we say goes out on it."""

from collections.abc import Callable
from typing import Protocol

from chatserv.client.connection.backoff import farewell
from chatserv.client.connection.protocol import ClientProtocol
from chatserv.errors import ChatError, Draining, WireError
from chatserv.local_errors import LocalFileError
from chatserv.wire import messages


class Receiver(Protocol):
    """What the messages of a connection are for."""

    def connected(self) -> None:
        """A session is open."""
        ...

    def receive(self, message: messages.ServerMessage) -> None:
        """A message came. Raises `ChatError` where only another connection helps."""
        ...

    def disconnected(self) -> None:
        """The session is over, or never came to be."""
        ...

    def ping(self) -> None:
        """Makes the server say something."""
        ...


class Owner(Protocol):
    """Whose connections they are."""

    @property
    def engine(self) -> Receiver:
        """Takes what comes. Raises `LocalProtocolError` where it is not there any more."""
        ...

    def logged_in(self) -> None:
        """The session is open."""
        ...

    def stumbled(self, error: LocalFileError) -> None:
        """A file of ours cannot be used."""
        ...

    def lost(self, error: ChatError | None, *, proven: bool = False) -> None:
        """It is gone, for a reason that may be known. ``proven``: what answered has shown that it is our server."""
        ...


class Connection:
    """All connections of a client, one after the other: a `chatserv.client.connection.protocol.Listener`.

    Args:
        owner: Told when one is up, and when it is gone.
        make: Makes a protocol that reports to this object.
    """

    def __init__(self, owner: Owner, make: Callable[["Connection"], ClientProtocol]) -> None:
        self._owner, self._make = owner, make
        self._protocol: ClientProtocol | None = None
        self._outbox: list[bytes] = []
        self._receiving = False
        self._last_word: ChatError | None = None

    def build(self) -> ClientProtocol:
        """The protocol of the next connection."""
        self._protocol = self._make(self)
        return self._protocol

    # -- what a connection reports -------------------------------------------------------------------------------------

    def connection_up(self) -> None:
        """The session is open."""
        try:
            self._owner.logged_in()
        except LocalFileError as error:
            self._owner.stumbled(error)
        else:
            self._owner.engine.connected()

    def message_received(self, batch: list[messages.ServerMessage]) -> None:
        """Messages came."""
        receiver = self._owner.engine
        self._receiving = True
        try:
            for message in batch:
                match message:
                    case messages.Farewell(code=code):
                        self._last_word = farewell(code)
                    case messages.DrainingNotice():
                        self._last_word = Draining()
                receiver.receive(message)
        except WireError as error:
            self.refuse(error)
        except LocalFileError as error:
            self._owner.stumbled(error)
        finally:
            self._receiving = False
        self._flush()

    def connection_silent(self) -> None:
        """Nothing has come for a while."""
        self._owner.engine.ping()

    def connection_down(self, error: ChatError | None) -> None:
        """The connection is gone."""
        proven, self._protocol = self._protocol is not None and self._protocol.proven, None
        error, self._last_word = error or self._last_word, None
        self._outbox.clear()
        self._owner.engine.disconnected()
        self._owner.lost(error, proven=proven)

    def look(self, *, jumped: bool) -> None:
        """Some seconds have passed; ``jumped``: far more than that, so the server is asked whether it is there."""
        if self._protocol is not None:
            self._protocol.look(jumped=jumped)
            if jumped:
                self._owner.engine.ping()

    # -- what goes out -------------------------------------------------------------------------------------------------

    def write(self, encoded: bytes) -> None:
        """Sends a message, together with all that the same batch of received ones gives rise to."""
        self._outbox.append(encoded)
        if not self._receiving:
            self._flush()

    def _flush(self) -> None:
        outgoing, self._outbox = self._outbox, []
        if self._protocol is not None:
            self._protocol.send(outgoing)

    def refuse(self, error: ChatError) -> None:
        """Ends the connection: for what the server did, which it is told, or for a trouble of ours, which it is not."""
        if self._protocol is None:
            return
        if isinstance(error, WireError):
            self._protocol.refuse(error)
        else:
            self._protocol.leave(error)

    @property
    def there(self) -> bool:
        """Whether there is a connection, or one that comes to be."""
        return self._protocol is not None

    def say_goodbye(self) -> None:
        """Tells the server that we leave, after all that was said so far."""
        if self._protocol is not None:
            self._flush()
            self._protocol.say_goodbye()
