"""Looking rooms up: the public ones, a room's chain of commits, a device's wrap."""

from typing import Final

from chatserv.commands.context import Context
from chatserv.commands.rooms import record_of
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
    found = context.registry.public(command.after, LIST_PAGE + 1)
    room = plaintext_room(context.config.limits.line_bytes) - ARRAY_HEADER_BYTES - CHAIN_BYTES
    page: list[messages.PublicRoom] = []
    for record in found[:LIST_PAGE]:
        topic = record.state.policy.topic
        room -= ROOM_BYTES + len(record.name.encode()) + len(topic.encode())
        if room < 0:
            break
        page.append(messages.PublicRoom(record.room_id, record.name, topic, len(record.members)))
    return messages.RoomList(command.label, tuple(page), more=len(page) < len(found))


async def room_chain(context: Context, session: LiveSession, command: messages.GetRoom) -> messages.Chain:
    """The room's commits from an epoch on, as many as fit into one line, at least one where there is one."""
    limits = context.config.limits
    current = record_of(context, command.room).head.epoch
    room = plaintext_room(limits.line_bytes) - ARRAY_HEADER_BYTES - CHAIN_BYTES
    chain: list[bytes] = []
    while True:
        commits = await context.store.commits(command.room, command.epoch + len(chain), CHAIN_STEP)
        for commit in commits:
            room -= len(commit) + COMMIT_BYTES
            if room < 0 and chain:
                break
            chain.append(commit)
        if room < 0 or len(commits) < CHAIN_STEP:
            break
    await session.outbox.writable()  # many chains asked for at once are more than the hard limit
    return messages.Chain(
        command.label, max(current, command.epoch + len(chain) - 1) if chain else current, tuple(chain)
    )


async def get_wrap(context: Context, session: LiveSession, command: messages.GetWrap) -> messages.Wrapped:
    """The device's own wrap of an epoch. Raises `NotFound` where there is none, or none any more."""
    found = await context.store.wrap(command.room, command.epoch, session.device_id)
    if found is None:
        raise NotFound(f"wrap of epoch {command.epoch}")
    return messages.Wrapped(command.label, found.path, found.wrap)
