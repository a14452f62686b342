"""Servers and members that mean harm.

`Tap` stands between the server and one person's client, as a server would that sends that person something else than it
stores: it edits, drops, holds back and adds messages. The rest makes what only somebody with keys can make: commits that
the rules forbid, and messages with any content.
"""

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar
from unittest.mock import patch

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.account.keyring import rsa_key_der
from chatserv.client.commits import committer
from chatserv.client.engine import Engine
from chatserv.client.events import Alarm, ClientEvent
from chatserv.client.state.rooms import Room
from chatserv.crypto.commits import Commit, CommitTBS, Op, make_commit
from chatserv.crypto.content import Content, LogHead
from chatserv.crypto.e2e.message import MessageScope, seal_message
from chatserv.crypto.envelope import Envelope
from chatserv.crypto.log_leaves import Leaf, LeafType, TreeHead, make_tree_head, room_leaf, user_leaf
from chatserv.crypto.merkle import Frontier, leaf_hash
from chatserv.crypto.room_state import RosterEntry, State
from chatserv.crypto.statements import DeviceFacts, Revocation, make_certificate, make_revocation
from chatserv.crypto.suite import rsa_spki, sha256
from chatserv.domain.roles import Role
from chatserv.models import Certified, EventKind, LeafDraft
from chatserv.store.memory_devices import MemoryDevice
from chatserv.testing.memory_server import NOW_MS, keyring, rsa_key, server_id
from chatserv.testing.world import Person, World
from chatserv.wire import messages

M = TypeVar("M", bound=messages.ServerMessage)
Edit = Callable[[messages.ServerMessage], Iterable[messages.ServerMessage]]


def as_it_is(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
    """The edit of an honest server."""
    return (message,)


class Tap:
    """What a server makes of its messages to one person, until they start another client.

    Attributes:
        edit: Gives what is sent in the place of a message.
        seen: What the honest server sent.
    """

    def __init__(self, person: Person, edit: Edit = as_it_is) -> None:
        self.person, self.edit = person, edit
        self.seen: list[messages.ServerMessage] = []
        self._through = person.client._lifecycle.connection.message_received
        person.client._lifecycle.connection.message_received = self._receive  # type: ignore[method-assign]

    def _receive(self, batch: list[messages.ServerMessage]) -> None:
        self.seen += batch
        self._through([made for message in batch for made in self.edit(message)])

    def send(self, *made: messages.ServerMessage) -> None:
        """Sends something that the honest server did not say."""
        self._through(list(made))
        self.person.world.run()

    def events(self, room: str = "") -> list[messages.Event]:
        """The events that the honest server sent, of one room or of all."""
        wanted = room_of(self.person, room).room_id if room else None
        return [each for each in self.seen if isinstance(each, messages.Event) and wanted in {None, each.room}]

    def next_seq(self, room: str) -> int:
        """The seq of the event that the person expects next."""
        row = room_of(self.person, room).row
        assert row is not None
        return row.cursor + 1

    def post(self, room: str, body: bytes, sender: str = "", kind: int = 0) -> None:
        """Sends an event behind those that the person has."""
        target = room_of(self.person, room).room_id
        now_ms = self.person.world.server.now_ms()
        self.send(messages.Event(target, self.next_seq(room), now_ms, sender, kind, body))


class Renumber:
    """An edit: drops events of one room, and numbers the others so that nobody sees a hole, also on later connections."""

    def __init__(self, room_id: bytes, drop: Callable[[messages.Event], bool]) -> None:
        self._room_id, self._drop = room_id, drop
        self._places: set[int] = set()
        self.dropped = 0

    def __call__(self, message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
        """See `Tap.edit`."""
        if isinstance(message, messages.Welcome):
            rooms = [each if each.room != self._room_id else self._shorter(each) for each in message.rooms]
            return (msgspec.structs.replace(message, rooms=tuple(rooms)),)
        if not isinstance(message, messages.Event) or message.room != self._room_id:
            return (message,)
        if self._drop(message) or message.seq in self._places:
            self.dropped += message.seq not in self._places
            self._places.add(message.seq)
            return ()
        behind = sum(place > message.seq for place in self._places)
        return (msgspec.structs.replace(message, seq=message.seq - self.dropped + behind),)

    def _shorter(self, info: messages.RoomInfo) -> messages.RoomInfo:
        return msgspec.structs.replace(info, head=info.head - self.dropped)


def swapping() -> Callable[[messages.ServerMessage], list[messages.ServerMessage]]:
    """Gives the first two messages of people in the other order."""
    held: list[messages.Event] = []

    def edit(message: messages.ServerMessage) -> list[messages.ServerMessage]:
        if not isinstance(message, messages.Event) or not is_message(message):
            return [message]
        held.append(message)
        if len(held) < 2:
            return []
        one, two = held
        return [msgspec.structs.replace(two, seq=one.seq), msgspec.structs.replace(one, seq=two.seq)]

    return edit


def is_message(message: messages.ServerMessage) -> bool:
    """Whether it is an event with somebody's message."""
    return isinstance(message, messages.Event) and message.kind == EventKind.MESSAGE


# -- inside a client ---------------------------------------------------------------------------------------------------


def engine_of(person: Person) -> Engine:
    """The works of a person's client."""
    engine = person.client._lifecycle.running
    assert engine is not None
    return engine


def room_of(person: Person, name: str) -> Room:
    """A room as a person's client has it."""
    return engine_of(person).rooms.find(name)


def entry_of(room: Room, user: str) -> RosterEntry:
    """The first device of a user in a room."""
    assert room.state is not None
    return room.state.devices_of(user)[0]


def with_certificates(person: Person) -> None:
    """Has a client that was just started load the certificates that it keeps."""
    rooms = engine_of(person).rooms.ours()
    hashes = [entry.cert_hash for room in rooms if room.state is not None for entry in room.state.roster]
    engine_of(person).certificates.missing(hashes)


def alarms(person: Person) -> list[str]:
    """What a person was warned of."""
    return [alarm.what for alarm in person.events(Alarm)]


def count(person: Person, kind: type[ClientEvent]) -> int:
    """How many events of a kind a person was told."""
    return len(person.events(kind))


# -- what members of bad will make -------------------------------------------------------------------------------------


def sealed(
    person: Person,
    room_name: str,
    ctype: int,
    body: bytes,
    head: LogHead | None = None,
    message_id: bytes | None = None,
) -> bytes:
    """A message with any content, sealed with the next key of the person's own chain.

    Args:
        person: Whose.
        room_name: For this room's epoch.
        ctype: Any number.
        body: Any bytes.
        head: What the person claims of the log.
        message_id: Another than a new one.
    """
    engine, room = engine_of(person), room_of(person, room_name)
    chain = engine.context.vault.chains.own(room.room_id)
    assert chain is not None
    content = Content(ctype, message_id or engine.context.random(16), engine.context.now_ms(), body, head)
    scope = MessageScope(room.room_id, room.head.epoch, room.head.commit_hash)
    made = seal_message(content, scope, chain, engine.context.signing, engine.context.random)
    engine.context.vault.chains.save_own(room.room_id, made.chain)
    return made.envelope


def say_anything(
    person: Person,
    room_name: str,
    ctype: int,
    body: bytes,
    head: LogHead | None = None,
    message_id: bytes | None = None,
) -> None:
    """Sends a message with any content, and waits until the server has it."""
    engine, room = engine_of(person), room_of(person, room_name)
    person.do(engine.keys.hold(room))
    envelope = sealed(person, room_name, ctype, body, head, message_id)
    number = engine.context.random(16)
    person.do(
        engine.requests.ask(messages.Send, room=room.room_id, id=number, epoch=room.head.epoch, envelope=envelope)
    )


def forged_commit(person: Person, room_name: str, new: State, *ops: Op, **changes: Any) -> Commit:
    """A commit by this person that makes of the room what they like, whatever the rules say.

    Args:
        person: Signs it.
        room_name: For this room's next epoch.
        new: What the commit says that the room is then.
        ops: What the commit says that it does.
        **changes: Other fields of the commit.
    """
    engine, room = engine_of(person), room_of(person, room_name)
    size = engine.context.log.size
    own = room.own(engine.context.device_id)
    tbs = CommitTBS(
        room_id=room.room_id,
        epoch=room.head.epoch + 1,
        prev=room.head.commit_hash,
        state_hash=new.state_hash,
        committer_leaf=new.next_leaf - 1 if own is None else own.leaf,
        ops=ops,
        heads=(),
        kt_size=size,
        kt_root=engine.context.log.root_at(size) or bytes(32),
        wraps_root=bytes(32),
        confirmation=bytes(32),
    )
    return make_commit(replace(tbs, **changes), engine.context.signing)


def with_header(envelope: bytes, **changes: Any) -> bytes:
    """The envelope under another clear header."""
    made = Envelope.decode(envelope)
    return replace(made, header=replace(made.header, **changes)).encode()


class BadCommitter:
    """Makes one person's commits bad on their way out of the client, whoever else commits.

    Args:
        case: Undoes it at its end.
        person: Whose commits.
        secret: Gives, for the secret of an epoch and a leaf, the secret that this leaf's wrap holds.
        edit: Changes what is signed.
    """

    def __init__(
        self,
        case: SynchronousTestCase,
        person: Person,
        secret: Callable[[bytes, int], bytes] | None = None,
        edit: Callable[[CommitTBS], CommitTBS] | None = None,
    ) -> None:
        self._device_id, self._secret, self._edit = engine_of(person).context.device_id, secret, edit
        self._make_wraps, self._make_commit = committer._make_wraps, make_commit
        self._signing = engine_of(person).context.signing
        case.patch(committer, "_make_wraps", self._wraps)
        case.patch(committer, "make_commit", self._commit)
        self.on = True

    def _wraps(self, secret: bytes, scope: Any, work: Sequence[Any], random: Any) -> list[tuple[int, bytes]]:
        if not self.on or self._secret is None or scope.committer_device_id != self._device_id:
            return self._make_wraps(secret, scope, list(work), random)
        made = []
        for item in work:
            made += self._make_wraps(self._secret(secret, item[0]), scope, [item], random)
        return made

    def _commit(self, tbs: CommitTBS, device: Any) -> Commit:
        if not self.on or self._edit is None or device is not self._signing:
            return self._make_commit(tbs, device)
        return self._make_commit(self._edit(tbs), device)


# -- what servers of bad will make -------------------------------------------------------------------------------------


class OldCopy:
    """A copy of all rooms and of the log, to which the server can go back, as after a restore from a backup.

    With ``accounts`` of these too.
    """

    def __init__(self, world: World, *, accounts: bool = False) -> None:
        self._world, self.at_ms = world, world.server.now_ms()
        store = world.server.store
        self._rooms = copy.deepcopy(store._rooms._rooms)
        self._leaves, self._statements = list(store._leaves), dict(store._statements)
        kept = vars(store._accounts) if accounts else {}
        self._accounts = copy.deepcopy({name: each for name, each in kept.items() if isinstance(each, dict | set)})

    def restore(self, *, incarnation: bytes | None = None) -> None:
        """The server goes down and comes up with the copy; with another store id, if one is given."""
        store = self._world.server.store
        self._world.server.cut()
        store._rooms._rooms = copy.deepcopy(self._rooms)
        store._leaves[:] = self._leaves
        store._incarnation = incarnation or store._incarnation
        self._world.server.restart()

    def mend(self) -> None:
        """The server goes down and comes up with the copy, as `chatserv restore` does it: mending."""
        store = self._world.server.store
        self._world.server.cut()
        store._rooms._rooms = copy.deepcopy(self._rooms)
        store._leaves[:] = self._leaves
        store._statements = dict(self._statements)
        vars(store._accounts).update(copy.deepcopy(self._accounts))
        store.begin_mending(b"restored store 1", self.at_ms, self._world.server.now_ms())
        self._world.server.restart()


def signed_head(leaves: Sequence[bytes], now_ms: int) -> bytes:
    """A signed head over any leaves, by the server's own key: what only the server can make."""
    root = Frontier().extend(leaf_hash(leaf) for leaf in leaves).root
    return make_tree_head(TreeHead(len(leaves), root, now_ms), rsa_key("server"))


def append_leaf(world: World, leaf: Leaf, statement: bytes = b"") -> None:
    """The server appends a leaf to its log that nothing stands behind, or what the server says."""
    log = world.server.context.log

    async def take(_leaf: bytes) -> None:
        """An honest server ends where nobody has signed a new identity."""
        log.take_in([log._coming.pop(0)])
        log._deciding = False
        log._take_what_came()

    with patch.object(log, "_decide", take):
        world.server.store._append_log([LeafDraft(leaf.encode(), statement)])


def log_leaf(world: World, leaf: Leaf, statement: bytes = b"") -> None:
    """The same, and everybody hears of it."""
    append_leaf(world, leaf, statement)
    world.run()


def idle_leaf(word: str) -> Leaf:
    """A leaf that says nothing about anybody: of a public room that there is not. Another one for each word."""
    return room_leaf(server_id(), f"nowhere {word}", bytes(16), bytes(32), NOW_MS)


def revocation_of(person: Person, identity: rsa.RSAPrivateKey | None = None) -> bytes:
    """What a person signs to end their device, or somebody with another identity key."""
    ring = keyring(person.name)
    said = Revocation(ring.device_id, sha256(ring.certificate), NOW_MS, 0)
    return make_revocation(said, identity or ring.load_identity())


GHOST_KEY = "identity of the server's choice"


class Ghost:
    """A device that the server makes up for an account, under an identity of its own choice: rows in its tables.

    Args:
        world: Where.
        user: Whose account.
        device_id: Another than a new one.
        identity: Another key than `GHOST_KEY`.
    """

    def __init__(
        self,
        world: World,
        user: str,
        device_id: bytes = b"a ghost's device",
        identity: rsa.RSAPrivateKey | None = None,
    ) -> None:
        self.world, self.user = world, user
        ring, signing = keyring(user), ed25519.Ed25519PrivateKey.generate()
        identity = identity or rsa_key(GHOST_KEY)
        self.identity_spki = rsa_spki(identity.public_key())
        facts = DeviceFacts(
            server_id=server_id(),
            user=user,
            device_id=device_id,
            rsa_spki=rsa_spki(rsa_key("device of the server's choice").public_key()),
            ed25519=signing.public_key().public_bytes_raw(),
            created_ms=NOW_MS,
            identity_fingerprint=sha256(self.identity_spki),
        )
        self.certificate = make_certificate(facts, identity, signing)
        self.keyring = msgspec.structs.replace(
            ring,
            device_id=device_id,
            identity_key=rsa_key_der(identity),
            device_key=rsa_key_der(rsa_key("device of the server's choice")),
            signing_key=signing.private_bytes_raw(),
            certificate=self.certificate,
            registered=True,
        )

    def log(self, kind: LeafType = LeafType.ROTATE, statement: bytes = b"", logged: bytes | None = None) -> None:
        """The leaves of identity and device, and the row of the device.

        Args:
            kind: As what the identity comes.
            statement: What the server gives as the statement.
            logged: What the leaf holds the hash of, if that is something else.
        """
        said = statement if logged is None else logged
        append_leaf(
            self.world, user_leaf(kind, server_id(), self.user, sha256(self.identity_spki), said, NOW_MS), statement
        )
        self.certify()

    def certify(self) -> None:
        """The leaf of the device, and its row."""
        cert_hash, store = sha256(self.certificate), self.world.server.store
        certified = Certified(cert_hash, self.certificate, self.identity_spki)
        store._accounts._devices[self.keyring.device_id] = MemoryDevice(certified, self.user)
        log_leaf(
            self.world,
            user_leaf(LeafType.DEVICE, server_id(), self.user, cert_hash, self.certificate, NOW_MS),
            self.certificate,
        )

    def appear(self) -> Person:
        """A client that runs as the device."""
        path = f"{self.world.directory}/ghost of {self.user}"
        profile = self.world.server.profile(path, self.user, registered=True)
        profile.save_keyring(self.keyring)
        person = Person(self.world, self.user, profile, None)
        self.world.people.append(person)
        self.world.settle()
        return person


class AttackCase(SynchronousTestCase):
    """Alice, Bob and Carol, of whom each is what a test makes of them."""

    def setUp(self) -> None:
        """A server with its lobby, and three people."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.alice = self.world.person("alice1", Role.ADMIN)
        self.bob = self.world.person("bob1")
        self.carol = self.world.person("carol1")

    def private_room(self, *members: Person, name: str = "plans") -> None:
        """A private room by alice, with these people in it."""
        self.alice.do(self.alice.client.create_room(name))
        for member in members:
            self.alice.do(self.alice.room(name).invite(member.name))
        self.world.settle()
        for member in members:
            member.room(name).accept()
        self.world.settle(2)

    def nobody_alarmed(self, *people: Person) -> None:
        """Nobody was warned of anything."""
        for person in people or (self.alice, self.bob, self.carol):
            self.assertEqual([], alarms(person), person.name)
