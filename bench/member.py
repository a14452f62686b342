"""One logged-in connection of the generator: non-blocking TLS with a `ClientSession` inside, and nothing else."""

import secrets
import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from OpenSSL import SSL

from bench.accounts import Accounts
from bench.server import BenchError
from chatserv.clocks import now_ms
from chatserv.crypto.envelope import Header
from chatserv.crypto.session import channel_binding
from chatserv.wire import messages
from chatserv.wire.client_session import ClientSession
from chatserv.wire.codec import encode_message, server_decoder
from chatserv.wire.framing import DELIMITER
from chatserv.wire.link import ServerLink
from chatserv.wire.parameters import SessionContext
from chatserv.wire.session import Authenticated, Event, LineReady, PlaintextReceived, UnwrapWanted

EXPORTER: Final = b"EXPORTER-Channel-Binding"  # RFC 9266 section 4.2
LOGIN_SECONDS: Final = 20.0
TLS_RECORD_BYTES: Final = 16_384
M = TypeVar("M", bound=messages.Message)


@dataclass(frozen=True)
class Seat:
    """A member's place in a room at an epoch, and the last seq before what is measured."""

    room: bytes
    epoch: int
    leaf: int
    head: int


def tls_context() -> SSL.Context:
    """The client's end of TLS 1.3; the session inside checks who the server is."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_alpn_protos([b"chatserv/1"])
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    return context


class Member:
    """Connects, registers and reads the welcome; all of it bounded in time.

    Args:
        link: Where the server is, and who.
        context: The TLS context that all members share.
        accounts: Makes keys.
        number: Which account this is.
    """

    def __init__(self, link: ServerLink, context: SSL.Context, accounts: Accounts, number: int) -> None:
        self._deadline = time.monotonic() + LOGIN_SECONDS
        self._socket = socket.create_connection((link.host, link.port), timeout=LOGIN_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._tls = SSL.Connection(context, self._socket)
        self._tls.set_connect_state()
        self._unfinished = b""
        self._unwrap = accounts.unwrap
        self._plaintexts: list[bytes] = []
        self._retry(self._tls.do_handshake)
        binding = channel_binding(self._tls.export_keying_material(EXPORTER, 32, b""))
        self.account = accounts.make(number)
        surroundings = SessionContext(secrets.token_bytes, now_ms, time.monotonic)
        self._session = ClientSession(
            link.fingerprint, self.account.credentials(), surroundings, binding, self.account.new_account()
        )
        self._handle(self._session.start())
        self.store = self._wait_for(messages.Welcome).store
        self.ask(messages.Stock, messages.PublishPrekeys(0, (accounts.prekey(self.account),)))
        self._seat: Seat | None = None
        self._generation = 0

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    @property
    def seat(self) -> Seat:
        """The place in the room, once there is one."""
        if self._seat is None:
            raise BenchError("a member has no place in a room")
        return self._seat

    def sit(self, seat: Seat) -> None:
        """Takes a place in a room that a commit has given."""
        self._seat, self._generation = seat, 0

    def follow(self) -> int:
        """Syncs from the head of the room, so that its events come live from now on. Returns that head."""
        seat = self.seat
        self.ask(messages.Ok, messages.Sync(0, self.store, ((seat.room, seat.head),)))
        return seat.head

    def ask(self, kind: type[M], command: messages.Command) -> M:
        """Sends a command and waits for its reply, which has to be of this kind; drops whatever else comes meanwhile."""
        self.send([encode_message(command)])
        return self._wait_for(kind)

    def next_header(self, guard: bytes) -> bytes:
        """The clear header of the next envelope; ``guard`` has 4 bytes."""
        seat, generation = self.seat, self._generation
        self._generation += 1
        return Header(seat.room, seat.epoch, seat.leaf, generation, guard).encode()

    def send(self, parts: Sequence[bytes]) -> None:
        """Seals encoded messages into as few lines as hold them, and writes."""
        self._write(b"".join(self._session.seal(parts)))

    def receive(self) -> list[bytes]:
        """The plaintexts of all whole lines that are there; reads once for each TLS record, and blocks never."""
        chunks = [self._unfinished] if self._unfinished else []
        try:
            while True:
                chunk = self._tls.recv(TLS_RECORD_BYTES)
                chunks.append(chunk)
                if len(chunk) < TLS_RECORD_BYTES:
                    break
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            raise BenchError(f"a connection broke: {error!r}") from None
        lines, _, self._unfinished = b"".join(chunks).rpartition(DELIMITER)
        if lines:
            for line in lines.split(DELIMITER):
                self._handle(self._session.receive_line(line))
        plaintexts, self._plaintexts = self._plaintexts, []
        return plaintexts

    def close(self) -> None:
        """Lets go of the socket."""
        self._socket.close()

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            if type(event) is PlaintextReceived:
                self._plaintexts.append(event.plaintext)
            elif type(event) is LineReady:
                self._write(event.line)
            elif type(event) is UnwrapWanted:
                self._handle(self._session.unwrapped(self._unwrap(event.ciphertext, event.label)))
            elif type(event) is not Authenticated:
                raise BenchError(f"a session ended: {event!r}")

    def _write(self, data: bytes) -> None:
        self._deadline = time.monotonic() + LOGIN_SECONDS
        while data:
            sent = self._retry(partial(self._tls.send, data))
            data = data[sent:]

    def _wait_for(self, kind: type[M]) -> M:
        self._deadline = time.monotonic() + LOGIN_SECONDS
        while True:
            self._wait(select.POLLIN)
            for plaintext in self.receive():
                for message in server_decoder.decode(plaintext):
                    if isinstance(message, kind):
                        return message
                    if isinstance(message, messages.Error):
                        raise BenchError(f"the server refuses: {message.code}: {message.text}")

    def _retry(self, step: Callable[[], int | None]) -> int:
        while True:
            try:
                return step() or 0
            except SSL.WantReadError:
                self._wait(select.POLLIN)
            except SSL.WantWriteError:
                self._wait(select.POLLOUT)
            except SSL.Error as error:
                raise BenchError(f"a connection broke: {error!r}") from None

    def _wait(self, mask: int) -> None:
        poll = select.poll()
        poll.register(self._socket, mask)
        left = self._deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise BenchError("the server does not answer")
