"""The end of an account, and of what an account had before a reset: sessions at once, rooms where nobody is left."""

from collections.abc import Iterable
from contextlib import suppress

from chatserv.commands.attendance import last_word
from chatserv.commands.context import Context
from chatserv.commands.leaving import close_if_deserted
from chatserv.commands.rooms_needed import record_at
from chatserv.control_models import GONE
from chatserv.crypto.log_leaves import ZEROS, LeafType, user_leaf
from chatserv.domain.hub import LiveSession
from chatserv.errors import WireError
from chatserv.models import Account, LeafDraft, Registration


async def end_account(
    context: Context, name: str, statement: bytes, signer: bytes | None, last: LiveSession | None = None
) -> None:
    """Ends an account for good; returns when the log's head covers it.

    Args:
        context: The world.
        name: Whose.
        statement: What the account's person has signed; empty: it is the server's word.
        signer: The fingerprint of the key that signed it.
        last: The session that has to hear of it, and ends then.

    Raises:
        NotFound: There is no such account.
        BadKey: The key is not the account's newest.
        Forbidden: It is the last administrator who can log in.
    """
    now_ms = context.now_ms()
    rooms = await context.store.rooms_of(name)
    leaf = user_leaf(LeafType.GONE, context.log.server_id, name, ZEROS, statement, now_ms)
    with last_word(context, last, GONE):
        await context.store.end_account(name, LeafDraft(leaf.encode(), statement), now_ms, signer)
        await context.backplane.ordered()
        await close_rooms(context, rooms)
        await context.log.covered()


async def register(context: Context, registration: Registration) -> Account:
    """Makes an account, as `chatserv.account_ports.AccountStore.register` says."""
    return await context.store.register(registration, context.now_ms())


async def reset_account(context: Context, registration: Registration) -> Account:
    """Gives an account to who has a link for that; what it had before is at its end. Raises as `register`."""
    name, rooms = registration.name, await context.store.rooms_of(registration.name)
    account = await register(context, registration)
    await context.backplane.ordered()
    context.effects.audit("Reset", who=name, way="login", result="ok", device=registration.device_id.hex())
    await close_rooms(context, rooms)
    return account


async def close_rooms(context: Context, rooms: Iterable[bytes]) -> None:
    """Ends those of the rooms in which nobody is left, now that the log says who has gone."""
    await context.backplane.current()
    for room_id in rooms:
        with suppress(WireError):  # else the next start of a node does it
            await close_if_deserted(context, await record_at(context, room_id))
