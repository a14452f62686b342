"""Makes the room of a run on the real server: one commit, signed and validated like any other.

The server checks the commit, and that the wraps are those that it names. What is in a wrap only its receiver could tell;
here it is random, since nobody opens it.
"""

import secrets
from collections.abc import Sequence
from itertools import count

from bench.accounts import Account
from bench.member import Member, Seat
from bench.rooms import SECRET_BYTES, World, making, sign_commit
from chatserv.crypto.log_leaves import LEAF_BYTES, TreeHead
from chatserv.crypto.room_rules import Head, take_step
from chatserv.crypto.room_state import room_id
from chatserv.crypto.suite import RSA_BYTES
from chatserv.crypto.wraps import WRAP_BYTES, wrap_hash
from chatserv.wire import messages


def found_room(members: Sequence[Member], server_id: bytes) -> None:
    """Makes a private room with these members, the first of whom owns it, and gives each its seat.

    Raises:
        BenchError: The server refuses.
    """
    founder, accounts = members[0], [member.account for member in members]
    labels, nonce, secret = count(), secrets.token_bytes(32), secrets.token_bytes(SECRET_BYTES)
    world = _world(founder, accounts, server_id)
    head, ops = Head.before(room_id(founder.account.cert_hash, nonce)), making(nonce, accounts)
    step = take_step(None, head.room_id, 0, ops, world.evidence)
    founder.ask(messages.Lease, messages.BeginCommit(next(labels), head.room_id, new=True))
    wraps = [(entry.leaf, secrets.token_bytes(WRAP_BYTES)) for entry in step.state.roster[1:]]
    for at in range(0, len(wraps), messages.WRAPS_PAGE):
        page = tuple(wraps[at : at + messages.WRAPS_PAGE])
        founder.ask(messages.Ok, messages.PutWraps(next(labels), head.room_id, 0, page))
    hashes = {leaf: wrap_hash(wrap) for leaf, wrap in wraps}
    commit = sign_commit(founder.account, head, ops, step, world, hashes, secret)
    done = founder.ask(messages.Committed, messages.PutCommit(next(labels), head.room_id, commit.encoded))
    for leaf, member in enumerate(members):
        member.sit(Seat(head.room_id, 0, leaf, done.seq))


def _world(member: Member, accounts: Sequence[Account], server_id: bytes) -> World:
    """The server's log, as the member gets it."""
    leaves: list[bytes] = []
    while True:
        page = member.ask(messages.LogPage, messages.GetLog(0, len(leaves)))
        leaves += [page.leaves[at : at + LEAF_BYTES] for at in range(0, len(page.leaves), LEAF_BYTES)]
        if len(leaves) >= TreeHead.decode(page.head[:-RSA_BYTES]).size:
            return World(server_id, accounts, leaves)
