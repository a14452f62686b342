"""Rooms made and changed by real commits, for whoever has the accounts' keys."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from bench.accounts import Account
from chatserv.crypto.commits import Add, Commit, CommitTBS, Create, Op, SetMember, make_commit
from chatserv.crypto.e2e.epoch import confirmation
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.log_leaves import Leaf
from chatserv.crypto.merkle import Frontier, leaf_hash
from chatserv.crypto.room_draft import Evidence
from chatserv.crypto.room_rules import Head, Step
from chatserv.crypto.room_state import MAX_DEVICES, Kind, Policy, Role
from chatserv.crypto.wraps import wraps_tree

POLICY: Final = Policy(Kind.ROOM, max_devices=MAX_DEVICES, rotate_messages=2**32 - 1)
SECRET_BYTES: Final = 32


class World:
    """A server's log, and what the certificates in it say: what commits are validated by.

    Args:
        server_id: SHA-256 of the server's identity key, 32 bytes.
        accounts: Whose certificates are known.
        leaves: The log, encoded.
    """

    def __init__(self, server_id: bytes, accounts: Iterable[Account], leaves: Iterable[bytes]) -> None:
        self.certificates = {account.cert_hash: account.facts for account in accounts}
        self.facts = LogFacts(server_id)
        self.leaves = tuple(leaves)
        frontier = Frontier()
        self._roots = [frontier.root]
        for leaf in self.leaves:
            self.facts.append(Leaf.decode(leaf))
            frontier = frontier.append(leaf_hash(leaf))
            self._roots.append(frontier.root)

    @classmethod
    def of(cls, server_id: bytes, accounts: Sequence[Account]) -> "World":
        """A server on which these accounts registered one after the other."""
        return cls(server_id, accounts, (leaf.encode() for account in accounts for leaf in account.leaves()))

    def root_at(self, size: int) -> bytes | None:
        """The root over the first ``size`` leaves, 32 bytes; None where there are not so many."""
        return self._roots[size] if size <= self.facts.size else None

    @property
    def root(self) -> bytes:
        """The root over all leaves."""
        return self._roots[-1]

    @property
    def evidence(self) -> Evidence:
        """What a commit is validated by at the log's present size."""
        return Evidence(self.certificates, self.facts, self.facts.size)


def making(nonce: bytes, accounts: Sequence[Account], policy: Policy = POLICY) -> tuple[Op, ...]:
    """The ops that make a private room with the devices of these accounts, of whom the first one commits, and owns it."""
    owner, *others = accounts
    first = Role.MEMBER if policy.kind.fixed else Role.OWNER
    ops: list[Op] = [Create(nonce, policy), SetMember(owner.user, first), Add(owner.entry(0))]
    ops += [SetMember(other.user, Role.MEMBER) for other in others]
    ops += [Add(other.entry(leaf)) for leaf, other in enumerate(others, 1)]
    return tuple(ops)


def sign_commit(
    account: Account,
    head: Head,
    ops: tuple[Op, ...],
    step: Step,
    world: World,
    wrap_hashes: Mapping[int, bytes],
    secret: bytes,
) -> Commit:
    """The commit, as `chatserv.client.commits.committer` makes it once the wraps are there.

    Args:
        account: Whose device commits; it has its leaf already, or makes the room.
        head: Where the room's chain stands.
        ops: The changes.
        step: What they make of the room.
        world: The log that the commit names.
        wrap_hashes: The hash of each wrap, by leaf.
        secret: The epoch's, 32 bytes.
    """
    tbs = CommitTBS(
        room_id=head.room_id,
        epoch=head.epoch + 1,
        prev=head.commit_hash,
        state_hash=step.state.state_hash,
        committer_leaf=step.committer.leaf,
        ops=ops,
        heads=(),
        kt_size=world.facts.size,
        kt_root=world.root,
        wraps_root=wraps_tree(wrap_hashes).root,
        confirmation=bytes(32),
    )
    return make_commit(replace(tbs, confirmation=confirmation(secret, tbs.confirmed())), account.signing)
