"""Makes the rooms of a run on the real server: a commit each, signed and validated like any other.

The server checks the commit, and that the wraps are those that it names. What is in a wrap only its receiver could tell;
here it is random, since nobody opens it.
"""

import secrets
from collections.abc import Sequence
from itertools import count

from msgspec.structs import replace

from bench.accounts import Account
from bench.member import Device, Seat
from bench.rooms import POLICY, SECRET_BYTES, World, making, sign_commit
from chatserv.crypto.commits import Op
from chatserv.crypto.log_leaves import LEAF_BYTES, TreeHead
from chatserv.crypto.room_rules import Head, take_step
from chatserv.crypto.room_state import Kind, Policy, State, room_id
from chatserv.crypto.suite import RSA_BYTES
from chatserv.crypto.wraps import WRAP_BYTES, wrap_hash
from chatserv.wire import messages


class Chair:
    """Who makes a room, and its later epochs.

    Args:
        founder: Commits, and owns the room.
        world: The server's log.
        policy: Of the room.
    """

    def __init__(self, founder: Device, world: World, policy: Policy = POLICY) -> None:
        self._founder, self._world, self._policy = founder, world, policy
        self._nonce = secrets.token_bytes(32)
        self._head = Head.before(room_id(founder.account.cert_hash, self._nonce))
        self._state: State | None = None

    def make(self, members: Sequence[Device]) -> None:
        """The room with these, the first of whom is the founder; each gets a seat. Raises `BenchError`."""
        seq = self.commit(making(self._nonce, [member.account for member in members], self._policy))
        for leaf, member in enumerate(members):
            member.sit(Seat(self._head.room_id, 0, leaf, seq))

    def commit(self, ops: tuple[Op, ...] = ()) -> int:
        """The next epoch, by default with nothing but new keys for everybody. Returns the seq. Raises `BenchError`."""
        founder, head, labels = self._founder, self._head, count()
        step = take_step(self._state, head.room_id, 0, ops, self._world.evidence)
        founder.ask(messages.Lease, messages.BeginCommit(next(labels), head.room_id, new=self._state is None))
        others = [entry.leaf for entry in step.state.roster if entry.leaf != step.committer.leaf]
        wraps = [(leaf, secrets.token_bytes(WRAP_BYTES)) for leaf in others]
        for at in range(0, len(wraps), messages.WRAPS_PAGE):
            page = tuple(wraps[at : at + messages.WRAPS_PAGE])
            founder.ask(messages.Ok, messages.PutWraps(next(labels), head.room_id, head.epoch + 1, page))
        hashes, secret = {leaf: wrap_hash(wrap) for leaf, wrap in wraps}, secrets.token_bytes(SECRET_BYTES)
        commit = sign_commit(founder.account, head, ops, step, self._world, hashes, secret)
        done = founder.ask(messages.Committed, messages.PutCommit(next(labels), head.room_id, commit.encoded))
        self._head, self._state = Head.of(commit), step.state
        return done.seq


def found_room(members: Sequence[Device], server_id: bytes) -> Chair:
    """As `found_rooms`, a single one."""
    return found_rooms([members], server_id)[0]


def found_rooms(rooms: Sequence[Sequence[Device]], server_id: bytes, kind: Kind = Kind.ROOM) -> list[Chair]:
    """Makes private rooms, each with its members, the first of whom owns it, and gives each member its seat.

    Raises:
        BenchError: The server refuses.
    """
    world = log_of(rooms[0][0], [member.account for members in rooms for member in members], server_id)
    chairs = [Chair(members[0], world, replace(POLICY, kind=kind)) for members in rooms]
    for chair, members in zip(chairs, rooms, strict=True):
        chair.make(members)
    return chairs


def log_of(member: Device, accounts: Sequence[Account], server_id: bytes) -> World:
    """The server's log, as the member gets it, with these accounts."""
    leaves: list[bytes] = []
    while True:
        page = member.ask(messages.LogPage, messages.GetLog(0, len(leaves)))
        leaves += [page.leaves[at : at + LEAF_BYTES] for at in range(0, len(page.leaves), LEAF_BYTES)]
        if len(leaves) >= TreeHead.decode(page.head[:-RSA_BYTES]).size:
            return World(server_id, accounts, leaves)
