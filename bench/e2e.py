"""What end-to-end encryption costs, in this process: messages, and commits of rooms (README.rst says what is timed)."""

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from bench.accounts import Account, Accounts, SharedKeys
from bench.options import Options
from bench.rooms import SECRET_BYTES, World, making, sign_commit
from bench.server import BenchError
from bench.timing import figures, timed
from bench.vault import Server, vault_figures
from chatserv.clocks import now_ms, now_ns
from chatserv.crypto.bodies import Text
from chatserv.crypto.commits import Add, Commit, Op, SetMember
from chatserv.crypto.content import ID_BYTES, Content, ContentType
from chatserv.crypto.e2e.epoch import base_secret, base_secrets, verify_confirmation
from chatserv.crypto.e2e.message import MessageScope, open_message, seal_message
from chatserv.crypto.e2e.prekey_secrets import PrekeySecret, generate_prekey
from chatserv.crypto.e2e.ratchet import ReceiverChain, SenderChain
from chatserv.crypto.e2e.rng import HedgedRandom
from chatserv.crypto.e2e.wrap import Recipient, make_wrap, open_wrap
from chatserv.crypto.envelope import Envelope
from chatserv.crypto.prekeys import LAST_RESORT_BIT, SignedPreKey
from chatserv.crypto.room_rules import Head, Outcome, apply_commit, take_step
from chatserv.crypto.room_state import Role, RosterEntry, State, room_id
from chatserv.crypto.suite import generate_rsa, rsa_spki, sha256
from chatserv.crypto.wraps import WrapScope, verify_wrap, wrap_hash, wraps_tree

BODY: Final = Text("x" * 100)
DEVICES: Final = (10, 100, 300)
BATCHES: Final = (1, 50)
VAULT_DEVICES: Final = 100  # of the room whose messages are stored
SECONDS: Final = 1.5  # for each thing that is timed: 30 s in all
_PREKEY_ID: Final = LAST_RESORT_BIT | 1


@dataclass(frozen=True)
class Keys:
    """The RSA keys of a run: the server's, and those that all accounts share."""

    server: rsa.RSAPrivateKey
    shared: SharedKeys

    @classmethod
    def generate(cls) -> "Keys":
        """New ones."""
        return cls(generate_rsa(), SharedKeys.generate())

    @property
    def server_id(self) -> bytes:
        """What clients pin, 32 bytes."""
        return sha256(rsa_spki(self.server.public_key()))

    def accounts(self, count: int) -> list[Account]:
        """So many accounts on this server."""
        accounts = Accounts(self.server_id, self.shared)
        return [accounts.make(number) for number in range(count)]


def new_random() -> HedgedRandom:
    """The hedged source that devices draw from."""
    return HedgedRandom(secrets.token_bytes(32), os.urandom, now_ns)


def run(options: Options) -> Iterator[dict[str, object]]:
    """As `all_figures`."""
    return all_figures(options.directory)


def all_figures(parent: Path | None, seconds: float = SECONDS) -> Iterator[dict[str, object]]:
    """Each figure as soon as it is there.

    Args:
        parent: Where the temporary directory with the vaults is made.
        seconds: For each thing that is timed.
    """
    keys = Keys.generate()
    yield message_figures(keys, seconds)
    server = Server(keys.server, keys.accounts(VAULT_DEVICES))
    for batch in BATCHES:
        yield vault_figures(server, keys.shared, batch, BODY, parent, 3 * seconds)
    for devices in DEVICES:
        yield commit_figures(keys, devices, seconds)


# -- a message ---------------------------------------------------------------------------------------------------------


def message_figures(keys: Keys, seconds: float) -> dict[str, object]:
    """Sealing and opening one message in memory."""
    (account,), random = keys.accounts(1), new_random()
    scope = MessageScope(secrets.token_bytes(16), 0, secrets.token_bytes(32))
    base = base_secret(secrets.token_bytes(SECRET_BYTES), 0, scope.commit_hash)
    content = Content(ContentType.TEXT, random(ID_BYTES), now_ms(), BODY.encode())
    sender, receiver = SenderChain(0, 0, base), ReceiverChain(0, 0, base)
    envelope = seal_message(content, scope, sender, account.signing, random).envelope

    def send() -> None:
        nonlocal sender
        sender = seal_message(content, scope, sender, account.signing, random).chain

    def receive() -> None:
        open_message(Envelope.decode(envelope), scope, receiver, account.facts.ed25519)

    times = {"send": timed(send, seconds), "receive": timed(receive, seconds)}
    return {
        "scenario": "message",
        "text_bytes": len(BODY.text),
        "envelope_bytes": len(envelope),
        **figures(times),
    }


# -- a commit ----------------------------------------------------------------------------------------------------------


class Commitment:
    """A room, and a commit of its owner that adds one device: everybody's part in it, each from what is at hand then.

    Args:
        keys: The RSA keys.
        devices: How many the room has after the commit.
    """

    def __init__(self, keys: Keys, devices: int) -> None:
        self._opening, self._random = keys.shared.device, new_random()
        self.accounts = keys.accounts(devices)
        self._owner, self._newcomer = self.accounts[0], self.accounts[-1]
        self.world = World.of(keys.server_id, self.accounts)
        self._prekeys: dict[bytes, PrekeySecret] = {}
        self._signed_prekeys: dict[bytes, bytes] = {}
        for account in self.accounts[1:]:
            prekey = generate_prekey(_PREKEY_ID, self._random)
            self._prekeys[account.device_id] = prekey
            self._signed_prekeys[account.device_id] = prekey.sign(account.signing, account.device_id).encode()
        self._certificates = {account.cert_hash: account.certificate for account in self.accounts}
        self.before = self._make_room()
        newcomer = self._newcomer
        self._ops: tuple[Op, ...] = (
            SetMember(newcomer.user, Role.MEMBER),
            Add(newcomer.entry(self.before.state.next_leaf)),
        )

    def _make_room(self) -> Outcome:
        nonce = secrets.token_bytes(32)
        head = Head.before(room_id(self._owner.cert_hash, nonce))
        ops = making(nonce, self.accounts[:-1])
        step = take_step(None, head.room_id, 0, ops, self.world.evidence)
        return self._apply(None, head, sign_commit(self._owner, head, ops, step, self.world, {}, bytes(SECRET_BYTES)))

    def _apply(self, state: State | None, head: Head, commit: Commit) -> Outcome:
        return apply_commit(state, head, commit, self.world.certificates, self.world.facts, self.world.root_at)

    @property
    def prekey_bytes(self) -> int:
        """What the committer gets before: a signed prekey of each other device."""
        return sum(map(len, self._signed_prekeys.values()))

    def _scope(self) -> WrapScope:
        head = self.before.head
        return WrapScope(head.room_id, head.epoch + 1, head.commit_hash, self._owner.device_id)

    def make(self) -> tuple[bytes, dict[int, bytes]]:
        """The committer's part: new state, prekeys checked, wraps, their tree, confirmation, signature."""
        before, secret = self.before, self._random(SECRET_BYTES)
        step = take_step(before.state, before.head.room_id, 0, self._ops, self.world.evidence)
        wraps = {
            entry.leaf: self._wrap(entry, secret) for entry in step.state.roster if entry.leaf != step.committer.leaf
        }
        hashes = {leaf: wrap_hash(wrap) for leaf, wrap in wraps.items()}
        commit = sign_commit(self._owner, before.head, self._ops, step, self.world, hashes, secret)
        return commit.encoded, wraps

    def _wrap(self, entry: RosterEntry, secret: bytes) -> bytes:
        recipient = Recipient.of(self._certificates[entry.cert_hash])
        prekey = SignedPreKey.decode(self._signed_prekeys[entry.device_id])
        return make_wrap(secret, self._scope(), recipient, prekey, self._random).encode()

    def validate(self, encoded: bytes, wraps: dict[int, bytes]) -> tuple[Outcome, list[list[bytes]]]:
        """The server's part: the rules, and the wraps against the root that the commit names; their audit paths."""
        commit = Commit.decode(encoded)
        outcome = self._apply(self.before.state, self.before.head, commit)
        tree = wraps_tree({leaf: wrap_hash(wrap) for leaf, wrap in wraps.items()})
        if tree.root != commit.tbs.wraps_root:
            raise BenchError("the wraps are others than the commit names")
        return outcome, [tree.path(at) for at in range(tree.size)]

    def take(self, encoded: bytes, wrap: bytes, path: list[bytes]) -> dict[int, bytes]:
        """The part of the receiver with leaf 1: the rules, the own wrap, the confirmation, everybody's chains."""
        commit, account = Commit.decode(encoded), self.accounts[1]
        outcome = self._apply(self.before.state, self.before.head, commit)
        due = [entry.leaf for entry in outcome.state.roster if entry.leaf != outcome.committer.leaf]
        verify_wrap(wrap, 1, due, path, commit.tbs.wraps_root)
        prekeys = {_PREKEY_ID: self._prekeys[account.device_id]}
        opened = open_wrap(wrap, self._scope(), account.device_id, account.cert_hash, self._opening, prekeys)
        verify_confirmation(opened.payload, commit.tbs.confirmed(), commit.tbs.confirmation)
        return base_secrets(opened.payload, (entry.leaf for entry in outcome.state.roster), commit.commit_hash)


def commit_figures(keys: Keys, devices: int, seconds: float) -> dict[str, object]:
    """A commit that leaves a room with so many devices."""
    work = Commitment(keys, devices)
    encoded, wraps = work.make()
    outcome, paths = work.validate(encoded, wraps)
    context: dict[str, Callable[[], object]] = {
        "committer": work.make,
        "server": lambda: work.validate(encoded, wraps),
        "receiver": lambda: work.take(encoded, wraps[1], paths[0]),
    }
    times = {name: timed(part, seconds) for name, part in context.items()}
    return {
        "scenario": "commit",
        "devices": devices,
        "prekey_bytes": work.prekey_bytes,
        "uploaded_bytes": sum(map(len, wraps.values())) + len(encoded),
        "received_bytes": len(encoded) + len(wraps[1]) + sum(map(len, paths[0])),
        "commit_bytes": len(encoded),
        "state_bytes": len(outcome.state.encoded),
        **figures(times),
    }
