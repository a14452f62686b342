"""What the devices of a person leave for each other: who they are, the sealed backup, the rooms that one has to enter."""

from chatserv.account_models import SealedBackup
from chatserv.commands.context import Context
from chatserv.domain.hub import LiveSession
from chatserv.errors import BadMessage, NotFound
from chatserv.models import Consent
from chatserv.node_models import Membership
from chatserv.wire import messages
from chatserv.wire.fields import LIST_PAGE, MAX_BACKUP_STEP


async def list_devices(context: Context, session: LiveSession, command: messages.ListDevices) -> messages.DeviceList:
    """The own valid devices, oldest first; who is here now was seen now."""
    found = await context.store.devices(session.name)
    online = {each.device_id for each in context.hub.sessions_of(session.name)}
    online |= context.hub.elsewhere.devices(session.name)
    now_ms = context.now_ms()
    items = tuple(
        messages.DeviceInfo(
            each.device_id,
            each.cert_hash,
            each.created_ms,
            now_ms if each.device_id in online else each.seen_ms,
            each.device_id in online,
        )
        for each in found[:LIST_PAGE]
    )
    return messages.DeviceList(command.label, items)


async def own_rooms(context: Context, session: LiveSession, command: messages.OwnRooms) -> messages.OwnRoomList:
    """A page of the rooms that the account is a member of and this device has no open place in, in order of id."""
    rooms = [
        messages.OwnRoom(each.room_id, each.consent is Consent.AGREED)
        for each in await context.store.memberships(session.name)
        if each.room_id > command.after and _is_missing(session, each)
    ]
    rooms.sort(key=lambda each: each.room)
    return messages.OwnRoomList(command.label, tuple(rooms[:LIST_PAGE]), more=len(rooms) > LIST_PAGE)


def _is_missing(session: LiveSession, membership: Membership) -> bool:
    place = session.places.get(membership.room_id)
    return membership.consent is not Consent.YIELDED and (place is None or place.until is not None)


async def get_backup(context: Context, session: LiveSession, command: messages.GetBackup) -> messages.Backup:
    """The account's sealed backup. Raises `NotFound` where there is none."""
    found = await context.store.backup(session.name)
    if found is None:
        raise NotFound("backup")
    await session.outbox.writable()
    return messages.Backup(command.label, found.counter, found.at_ms, found.blob, found.slots)


async def put_backup(context: Context, session: LiveSession, command: messages.PutBackup) -> messages.Ok:
    """Puts a sealed backup in the place of the one before.

    Raises:
        StaleBackup: It is not newer by its counter.
        BadMessage: It is newer by more than `MAX_BACKUP_STEP`: after the last counter there would never be another backup.
    """
    if command.counter - await context.store.backup_counter(session.name) > MAX_BACKUP_STEP:
        raise BadMessage("backup: a counter too far ahead")
    new = SealedBackup(command.counter, context.now_ms(), command.blob, command.slots)
    await context.store.put_backup(session.name, new)
    return messages.Ok(command.label)
