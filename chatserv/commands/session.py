"""Commands about the session itself, and the first message of one."""

from collections.abc import Mapping
from dataclasses import dataclass

from chatserv.commands.context import Context
from chatserv.commands.delivery import room_info
from chatserv.domain.closing import CloseReason
from chatserv.domain.hub import LiveSession, Outbox, Place
from chatserv.models import AccountStatus, PlaceAt
from chatserv.wire import messages
from chatserv.wire.fields import MAX_ROOMS


@dataclass(frozen=True)
class Admission:
    """Somebody who may come in, and what their session begins with.

    Args:
        status: The account.
        device_id: The device that has proved itself.
        ed25519: Its signature key, 32 bytes.
        places: Its places.
        reads: The account's read markers, by room.
        prekeys: One-time prekeys of the device.
    """

    status: AccountStatus
    device_id: bytes
    ed25519: bytes
    places: dict[bytes, Place]
    reads: Mapping[bytes, int]
    prekeys: int

    def session(self, outbox: Outbox, host: str) -> LiveSession:
        """The session of somebody who comes from ``host``, not attached to anything yet."""
        account = self.status.account
        return LiveSession(
            account.account_id,
            account.name,
            account.role,
            self.device_id,
            outbox,
            self.places,
            ed25519=self.ed25519,
            muted=self.status.muted,
            host=host,
        )


async def ping(context: Context, session: LiveSession, command: messages.Ping) -> messages.Ok:  # noqa: ARG001
    """Answers."""
    return messages.Ok(command.label)


async def bye(context: Context, session: LiveSession, command: messages.Bye) -> messages.Ok:  # noqa: ARG001
    """Answers, then closes."""
    session.outbox.end(CloseReason.NORMAL)
    return messages.Ok(command.label)


async def places_of(context: Context, name: str, device_id: bytes) -> dict[bytes, Place]:
    """The places that a device begins a session with, as they stand now.

    Without those of rooms that its user has left and that have not taken the Leave yet, and those that have yielded to
    others. Where there are more than a welcome holds, the oldest ended ones go first, then those that nobody has agreed to.
    What a commit changes while the store is asked is asked for again, and what the store is ahead with comes when it is
    handed out; so the caller has the truth if it attaches the session at once.
    """
    hub = context.hub
    while True:
        arrival = hub.expect(device_id)
        try:
            found = await context.store.places(device_id)
        finally:
            hub.arrived(arrival)
        if not arrival.touched:
            break
    places = {item.room_id: item.place for item in found if _is_open_to(context, name, item)}
    invitations = context.registry.invitations
    still = {room_id: place for room_id, place in places.items() if place.until is None}
    if len(still) > MAX_ROOMS:
        wanted = sorted(still, key=lambda room_id: invitations.get(name, room_id) is not None)
        still = {room_id: still[room_id] for room_id in wanted[:MAX_ROOMS]}
    ended = [(room_id, place) for room_id, place in places.items() if place.until is not None]
    spare = max(0, MAX_ROOMS - len(still))
    return still | dict(ended[len(ended) - min(spare, len(ended)) :])


def _is_open_to(context: Context, name: str, item: PlaceAt) -> bool:
    """Whether the place counts: the commit that gave it was handed out, and its user has not left the room."""
    record = context.registry.get(item.room_id)
    if record is None or name in record.leaves or context.registry.invitations.has_yielded(name, item.room_id):
        return False
    return item.place.since < context.hub.rooms[item.room_id].head


def welcome(context: Context, session: LiveSession, admission: Admission) -> messages.Welcome:
    """What a session is told first: who it is, its rooms and their heads, the limits, the clock, the log's head."""
    limits = context.config.limits
    return messages.Welcome(
        account=session.account_id,
        name=session.name,
        role=session.role.name.lower(),
        rooms=tuple(
            room_info(
                context.hub.rooms[room_id],
                session,
                admission.reads.get(room_id, 0),
                agreed=context.registry.invitations.get(session.name, room_id) is None,
            )
            for room_id in session.places
        ),
        limits=messages.LimitInfo(
            limits.line_bytes,
            limits.envelope_bytes,
            limits.idle_seconds,
            limits.history_events,
            limits.one_time_prekeys,
            limits.rooms_per_account,
        ),
        time=context.now_ms(),
        log_head=context.log.signed_head,
        store=context.store.incarnation,
        server_key=context.server_key,
        prekeys=admission.prekeys,
        muted=session.muted,
    )
