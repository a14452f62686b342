"""The log of a restored server: leaves are taken up to a head that this server has signed before.

None of them counts before their root is that of the head, and nothing that was signed before it has the hash that its leaf
names. So nobody can make a leaf up, or leave one out: whoever offers, the log is the one that there was. The key is the
newest one that the log names: what came later was signed by none that was given up, which somebody may have stolen.
"""

from contextlib import ExitStack
from typing import Final

from chatserv.commands.context import Context
from chatserv.commands.leaving import put_out_of_ended
from chatserv.commands.mended_accounts import MendedAccounts
from chatserv.commands.mending_state import Staged
from chatserv.crypto.identities import Rotation
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.log_leaves import LEAF_BYTES, Leaf, LeafType, TreeHead, server_key_leaf, verify_tree_head
from chatserv.crypto.merkle import leaf_hash
from chatserv.crypto.server_keys import ServerRotation
from chatserv.crypto.suite import of_both, same, sha256
from chatserv.domain.hub import LiveSession
from chatserv.errors import BadKey, BadMessage, Busy, NotFound, Reject
from chatserv.models import LeafDraft
from chatserv.wire import messages

PATIENCE_SECONDS: Final = 10.0  # so long a session that offers no more may keep the others from it


async def offer_log(context: Context, session: LiveSession, command: messages.OfferLog) -> messages.Taken:
    """Takes leaves, and what was signed behind those that are there or on their way.

    Raises:
        Forbidden: Nothing is being mended.
        BadKey: This server has not signed the head.
        BadMessage: These are no leaves, or they do not give the root that was signed.
        NotFound: What was signed behind a new identity is missing: nobody could tell whether its owner has.
        Busy: Another session is offering leaves.
        Quota: So many statements cannot wait.
    """
    context.mending.require()
    try:
        head = verify_tree_head(command.head, context.identity.spki)
    except Reject as error:
        raise BadKey(error.detail) from None
    staged = _staged(context, session, command.head, head)
    filled = False
    for index, statement in command.statements:
        if index < context.log.size:
            filled |= await _fill(context, index, statement)
        elif staged is not None:
            staged.keep(statement)
    if filled:
        context.mending.came()
        await MendedAccounts(context).carry_out()
    if staged is None:
        return messages.Taken(command.label, context.log.size)
    if command.leaves and command.first == staged.next:
        _take(staged, command.leaves, context.effects.seconds())
    if staged.next >= head.size:
        context.mending.staged = None
        await _append(context, staged)
        context.mending.came()
        await MendedAccounts(context).carry_out()
        return messages.Taken(command.label, context.log.size)
    return messages.Taken(command.label, staged.next)


def _staged(context: Context, session: LiveSession, signed: bytes, head: TreeHead) -> Staged | None:
    """Where the session's leaves wait; None where the log has as many as its head covers. Raises `Busy`."""
    mending, now = context.mending, context.effects.seconds()
    if head.size <= context.log.size:
        return None
    staged = mending.staged
    if staged is not None and staged.session is not session:
        if context.hub.is_attached(staged.session) and now - staged.at < PATIENCE_SECONDS:
            raise Busy("offer: another session's leaves", after_seconds=1)
        staged = None
    if staged is None or (staged.signed, staged.first) != (signed, context.log.size):
        staged = mending.staged = Staged(session, signed, head, context.log.size, now)
        for rotation in context.identity.rotations:  # nobody else need have them
            staged.keep(rotation)
    return staged


def _take(staged: Staged, leaves: bytes, now: float) -> None:
    try:
        if len(leaves) % LEAF_BYTES:
            raise Reject(f"log: {len(leaves)} bytes are no leaves")
        found = [leaves[at : at + LEAF_BYTES] for at in range(0, len(leaves), LEAF_BYTES)]
        for leaf in found:
            Leaf.decode(leaf)
    except Reject as error:
        raise BadMessage(error.detail) from None
    staged.leaves += found[: staged.head.size - staged.next]
    if len(found) >= messages.LEAVES_PAGE // 2:  # who gives one at a time would keep others from giving theirs
        staged.at = now


async def _append(context: Context, staged: Staged) -> None:
    """Takes the leaves into the log, all or none."""
    if not same(context.log.root_with(map(leaf_hash, staged.leaves)), staged.head.root):
        raise BadMessage("log: the leaves do not give the root that was signed")
    drafts = list(staged.drafts())
    with ExitStack() as vouched:
        for rotation in _rotations(context, staged):
            await _verify(context, staged, rotation)
            vouched.enter_context(context.log.vouched(staged.leaves[rotation.new.index - staged.first]))
        await context.store.append_leaves(staged.first, drafts)
    await put_out_of_ended(context)


def _rotations(context: Context, staged: Staged) -> list[Rotation]:
    """The new identities among the leaves, as the whole log has them."""
    if not any(leaf[0] == LeafType.ROTATE for leaf in staged.leaves):
        return []
    before = context.log.leaves(0, staged.first)
    leaves = [before[at : at + LEAF_BYTES] for at in range(0, len(before), LEAF_BYTES)] + staged.leaves
    facts = LogFacts(context.log.server_id, map(Leaf.decode, leaves))
    return [each for each in facts.undecided(facts.size) if each.new.index >= staged.first]


async def _verify(context: Context, staged: Staged, rotation: Rotation) -> None:
    async def behind(index: int) -> bytes:
        if index < staged.first:
            return await context.store.statement(index) or b""
        return staged.statements.get(Leaf.decode(staged.leaves[index - staged.first]).statement, b"")

    try:
        rotation.verify(await behind(rotation.new.index), await behind(rotation.old.index))
    except Reject as error:
        raise NotFound(f"leaf {rotation.new.index}: {error.detail}") from None


async def log_own_keys(context: Context) -> None:
    """Puts into the log what it lacks of the changes of the server's own key: clients follow to no key beside it."""
    missing, known = [], context.log.facts.server_ids(context.log.size)
    for statement in context.identity.rotations:
        key_id = sha256(ServerRotation.decode(of_both(statement)).new_spki)
        if key_id not in known:
            missing.append(LeafDraft(server_key_leaf(key_id, statement, context.now_ms()).encode(), statement))
    if missing:
        await context.store.append_leaves(context.log.size, missing)
        await context.log.covered()


async def _fill(context: Context, index: int, statement: bytes) -> bool:
    """Keeps what was signed behind a leaf of the log that has nothing behind it."""
    leaf = Leaf.decode(context.log.leaves(index, index + 1))
    if leaf.kind is LeafType.ROOM or not same(leaf.statement, sha256(statement)):
        return False
    return await context.store.fill_statement(index, statement)
