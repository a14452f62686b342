"""Looking rooms up: the public ones, a room's chain of commits, a device's wrap."""

from typing import Final

from chatserv.commands.context import Context
from chatserv.commands.rooms import record_of
from chatserv.crypto.room_state import policy_of
from chatserv.domain.hub import LiveSession
from chatserv.errors import NotFound
from chatserv.wire import messages
from chatserv.wire.fields import LIST_PAGE
from chatserv.wire.records import ARRAY_HEADER_BYTES, plaintext_room

CHAIN_STEP: Final = 32  # commits read at once
CHAIN_BYTES: Final = 64  # of an answer that are not commits
COMMIT_BYTES: Final = 5  # before each commit in an answer
ROOM_BYTES: Final = 64  # of a public room in an answer that are not its name and topic


async def list_rooms(context: Context, session: LiveSession, command: messages.ListRooms) -> messages.RoomList:  # noqa: ARG001
    """The public rooms in order of name, as many as a page and a line hold."""
    found = await context.store.public_rooms(command.after, LIST_PAGE + 1)
    room = plaintext_room(context.config.limits.line_bytes) - ARRAY_HEADER_BYTES - CHAIN_BYTES
    page: list[messages.PublicRoom] = []
    for each in found[:LIST_PAGE]:
        topic = policy_of(each.policy).topic
        room -= ROOM_BYTES + len(each.name.encode()) + len(topic.encode())
        if room < 0:
            break
        page.append(messages.PublicRoom(each.room_id, each.name, topic, each.members))
    return messages.RoomList(command.label, tuple(page), more=len(page) < len(found))


async def room_chain(context: Context, session: LiveSession, command: messages.GetRoom) -> messages.Chain:
    """The room's commits from an epoch on, as many as fit into one line, at least one where there is one.

    Only those that were handed out here: one that is stored and under way may be that by which who asks is removed.
    """
    limits = context.config.limits
    current = record_of(context, command.room).head.epoch
    room = plaintext_room(limits.line_bytes) - ARRAY_HEADER_BYTES - CHAIN_BYTES
    chain: list[bytes] = []
    while command.epoch + len(chain) <= current:
        step = min(CHAIN_STEP, current + 1 - command.epoch - len(chain))
        commits = await context.store.commits(command.room, command.epoch + len(chain), step)
        for commit in commits:
            room -= len(commit) + COMMIT_BYTES
            if room < 0 and chain:
                break
            chain.append(commit)
        if room < 0 or len(commits) < step:
            break
    await session.outbox.writable()  # many chains asked for at once are more than the hard limit
    return messages.Chain(command.label, current, tuple(chain))


async def get_wrap(context: Context, session: LiveSession, command: messages.GetWrap) -> messages.Wrapped:
    """The device's own wrap of an epoch. Raises `NotFound` where there is none, or none any more."""
    found = await context.store.wrap(command.room, command.epoch, session.device_id)
    if found is None:
        raise NotFound(f"wrap of epoch {command.epoch}")
    return messages.Wrapped(command.label, found.path, found.wrap)
