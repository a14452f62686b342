"""What it costs to keep messages: the client's own context, with their database on disk, and no server in between."""

import os
import secrets
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.internet.defer import maybeDeferred

from bench.accounts import Account, SharedKeys
from bench.rooms import SECRET_BYTES, World, making, sign_commit
from bench.server import BenchError
from bench.timing import Laps, figures, repeat
from chatserv.client.account.keyring import Keyring
from chatserv.client.engine import Engine
from chatserv.client.events import ClientEvent
from chatserv.client.inbound.commit_reader import KIND_COMMIT, CommitReader
from chatserv.client.state.context import ClientContext
from chatserv.client.state.listeners import Listener
from chatserv.client.state.pins import Pins
from chatserv.client.state.rooms import Standing
from chatserv.client.state.transparency_log import TransparencyLog
from chatserv.client.storage.vault import Vault
from chatserv.clocks import now_ms, now_ns, steady_seconds
from chatserv.crypto.bodies import Text
from chatserv.crypto.commits import Commit
from chatserv.crypto.e2e.rng import HedgedRandom
from chatserv.crypto.log_leaves import TreeHead, make_tree_head
from chatserv.crypto.room_rules import Head, take_step
from chatserv.crypto.room_state import room_id
from chatserv.crypto.suite import rsa_spki, sha256
from chatserv.wire import messages
from chatserv.wire.codec import client_decoder, join

KIND_MESSAGE: Final = 0


class Never:
    """A timer that does not run: here nothing happens by itself."""

    def cancel(self) -> None:
        """Nothing to cancel."""

    def active(self) -> bool:
        """It is not."""
        return False


class Server:
    """What the devices know of a server that is not there: its key, its log, and a room that was made by a commit.

    Args:
        key: The server's identity key.
        accounts: Who is in the room; the first one made it.
    """

    def __init__(self, key: rsa.RSAPrivateKey, accounts: Sequence[Account]) -> None:
        self.spki = rsa_spki(key.public_key())
        self.server_id = sha256(self.spki)
        self.accounts = accounts
        self.world = World.of(self.server_id, accounts)
        self.log_head = make_tree_head(TreeHead(self.world.facts.size, self.world.root, now_ms()), key)
        self.secret, nonce = secrets.token_bytes(SECRET_BYTES), secrets.token_bytes(32)
        head, ops = Head.before(room_id(accounts[0].cert_hash, nonce)), making(nonce, accounts)
        step = take_step(None, head.room_id, 0, ops, self.world.evidence)
        self.commit: Commit = sign_commit(accounts[0], head, ops, step, self.world, {}, self.secret)

    @property
    def room_id(self) -> bytes:
        """16 bytes."""
        return self.commit.tbs.room_id

    def event(self, seq: int, kind: int, sender: str, body: bytes) -> messages.Event:
        """An event of the room."""
        return messages.Event(self.room_id, seq, now_ms(), sender, kind, body)


class Device:
    """One member's client, with everything but a connection.

    Args:
        server: Its server.
        account: Who it is.
        keys: What the accounts share.
        path: Where its vault is made.
        key: What that is sealed under; None for a plain file.
    """

    def __init__(
        self, server: Server, account: Account, keys: SharedKeys, path: Path, key: bytes | None = None
    ) -> None:
        self._server, self._account = server, account
        self._written: list[bytes] = []
        self._told: list[ClientEvent] = []
        self._turn: deque[Callable[[], object]] = deque()
        self.vault = Vault.open(path, key)
        program = Listener(self._told.append, own=True)
        self.engine = Engine(self._parts(keys), self._written.append, lambda _: None, [program])
        self._reader = CommitReader(
            self.engine.context,
            self.engine.rooms,
            self.engine.certificates,
            self.engine.contents,
            self.engine.auditor.logged_rooms,
        )
        self._enter()
        self.engine.requests.up()
        self.engine.outbox.ready = True
        self.engine.backlog.start()

    def _parts(self, keys: SharedKeys) -> ClientContext:
        server, account = self._server, self._account
        keyring = Keyring(
            server_id=server.server_id,
            host="localhost",
            port=5000,
            user=account.user,
            device_id=account.device_id,
            identity_key=b"",
            device_key=b"",
            signing_key=account.signing.private_bytes_raw(),
            rng_seed=secrets.token_bytes(32),
            certificate=account.certificate,
            verifier=b"",
            registered=True,
        )
        log = TransparencyLog(server.server_id, self.vault.log, self.vault.facts)
        log.set_server_key(server.spki)
        log.extend(b"".join(server.world.leaves), server.log_head)
        return ClientContext(
            keyring=keyring,
            signing=account.signing,
            opening=keys.device,
            vault=self.vault,
            log=log,
            pins=Pins(self.vault.pins, log),
            random=HedgedRandom(keyring.rng_seed, os.urandom, now_ns),
            now_ms=now_ms,
            seconds=steady_seconds,
            awake=steady_seconds,
            later=self._later,
            in_thread=maybeDeferred,
            emit=self._told.append,
            stumbled=lambda _: None,
            save_keyring=lambda _: None,
        )

    def _enter(self) -> None:
        """Takes in the commit that made the room, and the epoch's secret without its wrap."""
        server, room = self._server, self.engine.rooms.look_at(self._server.room_id)
        with self.vault.transaction():
            for account in server.accounts:
                self.vault.certificates.put(account.cert_hash, account.certificate, account.identity_spki)
            self._reader.take(room, server.event(1, KIND_COMMIT, server.accounts[0].user, server.commit.encoded))
            own = room.own(self._account.device_id)
            assert own is not None
            self._reader.hold_keys(room, own, server.secret)
            assert room.row is not None
            room.row = replace(room.row, standing=Standing.IN)  # agreed to, where it was only offered
            self.vault.rooms.put(room.row)
        self._room = room

    # -- what it does --------------------------------------------------------------------------------------------------

    def keep(self, body: Text) -> None:
        """Takes a message in that is to be sent."""
        self.engine.outbox.put_body(self._room, body)

    def seal(self) -> list[messages.Send]:
        """Seals what waits, in one transaction, and gives what leaves."""
        self.finish_turn()
        sends = [send for send in client_decoder.decode(join(self._written)) if isinstance(send, messages.Send)]
        del self._written[:]
        return sends

    def acknowledged(self, send: messages.Send, seq: int) -> None:
        """The server has stored a message."""
        self.engine.requests.answered(messages.Sent(send.label, send.id, seq, now_ms()))

    def take(self, events: Sequence[messages.Event]) -> int:
        """Takes events in, in one transaction. Returns how many messages there are to tell."""
        with self.vault.transaction():
            return sum(len(self._reader.take(self._room, event)) for event in events)

    def _later(self, seconds: float, what: Callable[[], object]) -> Never:
        if not seconds:
            self._turn.append(what)
        return Never()

    def finish_turn(self) -> None:
        """Does what waits for the end of a turn of the reactor."""
        while self._turn:
            self._turn.popleft()()

    def hear(self, events: Sequence[messages.Event]) -> int:
        """Takes events in as they come in one line of a connection. Returns how many messages were told."""
        before = len(self._told)
        for event in events:
            self.engine.receive(event)
        self.finish_turn()
        return len(self._told) - before


class Exchange:
    """One device sends, two others receive, in batches.

    Args:
        server: The room.
        devices: Of the room's first account, which sends, and of two others.
        batch: How many messages at once.
        body: What each says.
    """

    def __init__(self, server: Server, devices: Sequence[Device], batch: int, body: Text) -> None:
        self._server, self._batch, self._body = server, batch, body
        self._sender, self._receiver, self._listener = devices
        self._head = 1
        self.envelope_bytes = 0
        self.laps = Laps()

    def round(self) -> None:
        """A batch from one to the others, and back to the sender, who forgets then what it kept for sending."""
        with self.laps.lap("keep"):
            for _ in range(self._batch):
                self._sender.keep(self._body)
        with self.laps.lap("seal"):
            sends = self._sender.seal()
        user = self._server.accounts[0].user
        numbered = list(enumerate(sends, self._head + 1))
        events = [self._server.event(seq, KIND_MESSAGE, user, send.envelope) for seq, send in numbered]
        with self.laps.lap("acknowledge"):
            for seq, send in numbered:
                self._sender.acknowledged(send, seq)
            self._sender.finish_turn()
        with self.laps.lap("receive"):
            told = self._receiver.take(events)
        with self.laps.lap("live"):
            heard = self._listener.hear(events)
        if not told == heard == self._sender.take(events) == self._batch:
            raise BenchError(f"of {self._batch} messages {told} and {heard} arrived")
        self._head += self._batch
        self.envelope_bytes = len(sends[0].envelope)


def vault_figures(
    server: Server,
    keys: SharedKeys,
    batch: int,
    body: Text,
    parent: Path | None,
    seconds: float,
    *,
    sealed: bool = False,
) -> dict[str, object]:
    """Messages that are kept on disk by who sends and by who receives them, in batches; times are of one message."""
    with tempfile.TemporaryDirectory(prefix="chatserv-bench-", dir=parent) as directory, ExitStack() as opened:
        devices = []
        key = secrets.token_bytes(32) if sealed else None
        for number, account in enumerate(server.accounts[:3]):
            devices.append(Device(server, account, keys, Path(directory) / f"{number}.db", key))
            opened.callback(devices[-1].vault.close)
        exchange = Exchange(server, devices, batch, body)
        repeat(exchange.round, seconds)
        return {
            "scenario": "vault",
            "devices": len(server.accounts),
            "batch": batch,
            "text_bytes": len(body.text),
            "envelope_bytes": exchange.envelope_bytes,
            **figures(exchange.laps.timed(batch)),
        }
