"""One connection of the generator to our server: a `ClientSession` inside TLS, and nothing else."""

import secrets
import select
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from OpenSSL import SSL

from bench.accounts import Account, Accounts
from bench.connection import Connection, Steps, tls13
from bench.server import BenchError
from chatserv.clocks import now_ms
from chatserv.crypto.envelope import Header
from chatserv.crypto.server_keys import ServerKeys
from chatserv.crypto.session import channel_binding
from chatserv.wire import messages
from chatserv.wire.client_session import ClientSession
from chatserv.wire.codec import encode_message, server_decoder
from chatserv.wire.framing import DELIMITER
from chatserv.wire.link import ServerLink
from chatserv.wire.parameters import DeviceCredentials, GuestCredentials, NewAccount, SessionContext
from chatserv.wire.session import Authenticated, Event, LineReady, PlaintextReceived, UnwrapWanted

EXPORTER: Final = b"EXPORTER-Channel-Binding"  # RFC 9266 section 4.2
M = TypeVar("M", bound=messages.Message)


@dataclass(frozen=True)
class Seat:
    """A member's place in a room at an epoch, and the last seq before what is measured."""

    room: bytes
    epoch: int
    leaf: int
    head: int


def tls_context() -> SSL.Context:
    """The client's end of TLS; the session inside checks who the server is."""
    context = tls13()
    context.set_alpn_protos([b"chatserv/1"])
    return context


class Device(Connection):
    """A device of an account, not connected yet.

    Args:
        link: Where the server is, and who.
        context: The TLS context that all devices share.
        accounts: Made the account, and opens what is wrapped.
        account: Whose device this is.

    Attributes:
        store: The life of the server's store, as of the last welcome.
    """

    store = b""

    def __init__(self, link: ServerLink, context: SSL.Context, accounts: Accounts, account: Account) -> None:
        self._link, self._context, self._accounts = link, context, accounts
        self.account, self._unwrap = account, accounts.unwrap
        self._seat: Seat | None = None
        self._generation = 0

    def registering(self) -> Steps[None]:
        """Makes the account, reads the welcome, and publishes the prekey without which no room takes it in."""
        yield from self._connecting(self._link, self._context, self.account.credentials(), self.account.new_account())
        self.store = (yield from self._awaiting(messages.Welcome)).store
        self.send([encode_message(messages.PublishPrekeys(0, (self._accounts.prekey(self.account),)))])
        yield from self._awaiting(messages.Stock)

    def entering(self) -> Steps[messages.Welcome]:
        """Logs in, on a new connection, and reads the welcome."""
        yield from self._connecting(self._link, self._context, self.account.credentials())
        welcome = yield from self._awaiting(messages.Welcome)
        self.store = welcome.store
        return welcome

    def following(self) -> Steps[int]:
        """Syncs from the head of the room, so that its events come live from now on. Returns that head."""
        seat = self.seat
        self.send([encode_message(messages.Sync(0, self.store, ((seat.room, seat.head),)))])
        yield from self._awaiting(messages.Ok)
        return seat.head

    def coming(self) -> Steps[object]:
        """As `entering`, and then `following`."""
        yield from self.entering()
        return (yield from self.following())

    def follow(self) -> int:
        """As `following`, at once."""
        return self.wait(self.following())

    def _connect(
        self,
        link: ServerLink,
        context: SSL.Context,
        credentials: DeviceCredentials | GuestCredentials,
        new_account: NewAccount | None = None,
    ) -> None:
        """Connects, and says hello."""
        self.wait(self._connecting(link, context, credentials, new_account))

    def _connecting(
        self,
        link: ServerLink,
        context: SSL.Context,
        credentials: DeviceCredentials | GuestCredentials,
        new_account: NewAccount | None = None,
    ) -> Steps[None]:
        self._unfinished = b""
        self._plaintexts: list[bytes] = []
        yield from self.dialing(link.host, link.port, context)
        binding = channel_binding(self._tls.export_keying_material(EXPORTER, 32, b""))
        surroundings = SessionContext(secrets.token_bytes, now_ms, time.monotonic)
        self._session = ClientSession(
            ServerKeys(link.fingerprint, link.key), credentials, surroundings, binding, new_account
        )
        self._handle(self._session.start())

    @property
    def seat(self) -> Seat:
        """The place in the room, once there is one."""
        if self._seat is None:
            raise BenchError("a member has no place in a room")
        return self._seat

    def sit(self, seat: Seat) -> None:
        """Takes a place in a room that a commit has given."""
        self._seat, self._generation = seat, 0

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

    def push(self, parts: Sequence[bytes], end: float) -> None:
        """As `send`, and reads meanwhile what is answered, which is dropped; gives up at ``end`` (monotonic, in seconds)."""
        data = b"".join(self._session.seal(parts))
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLOUT)
        while data and time.monotonic() < end:
            self.receive()
            mask, sent = self._try(partial(self._tls.send, data))
            data = data[sent:]
            if mask:
                poll.poll(50)
        self.receive()

    def receive(self) -> list[bytes]:
        """The plaintexts of all whole lines that are there."""
        lines, _, self._unfinished = (self._unfinished + self.read()).rpartition(DELIMITER)
        if lines:
            for line in lines.split(DELIMITER):
                self._handle(self._session.receive_line(line))
        plaintexts, self._plaintexts = self._plaintexts, []
        return plaintexts

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

    def _wait_for(self, kind: type[M]) -> M:
        return self.wait(self._awaiting(kind))

    def _awaiting(self, kind: type[M]) -> Steps[M]:
        while True:
            yield select.POLLIN
            for plaintext in self.receive():
                for message in server_decoder.decode(plaintext):
                    if isinstance(message, kind):
                        return message
                    if isinstance(message, messages.Error):
                        raise BenchError(f"the server refuses: {message.code}: {message.text}")


class Member(Device):
    """A device whose account is made at once.

    Args:
        link: Where the server is, and who.
        context: The TLS context that all members share.
        accounts: Makes keys.
        number: Which account this is.
    """

    def __init__(self, link: ServerLink, context: SSL.Context, accounts: Accounts, number: int) -> None:
        super().__init__(link, context, accounts, accounts.make(number))
        self.wait(self.registering())
