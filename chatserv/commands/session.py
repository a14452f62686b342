"""Commands about the session itself, and the first message of one."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from chatserv.commands import attendance, guests
from chatserv.commands.context import Context
from chatserv.commands.delivery import room_info
from chatserv.commands.guests import GuestSession
from chatserv.domain.closing import CloseReason
from chatserv.domain.hub import LiveSession, Outbox, Place
from chatserv.domain.roles import Role
from chatserv.limits import Limits
from chatserv.models import AccountStatus, PlaceAt
from chatserv.node_models import Standing
from chatserv.wire import messages
from chatserv.wire.fields import MAX_ROOMS
from chatserv.wire.password_login import GuestOffer


class Admission(Struct, frozen=True):
    """Somebody who may come in, and what their session begins with.

    Args:
        status: The account.
        device_id: The device that has proved itself.
        ed25519: Its signature key, 32 bytes.
        places: Its places.
        reads: The account's read markers, by room.
        prekeys: One-time prekeys of the device.
        backup: The counter of the account's backup.
        number: The store's, of the session.
    """

    status: AccountStatus
    device_id: bytes
    ed25519: bytes
    places: dict[bytes, Place]
    reads: Mapping[bytes, int]
    prekeys: int
    backup: int
    number: int

    def session(self, outbox: Outbox, host: str, now_ms: int) -> LiveSession:  # noqa: ARG002 - as `GuestAdmission`
        """The session of somebody who comes from ``host`` at ``now_ms``, not attached to anything yet."""
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
            number=self.number,
        )

    def lifetime(self, limits: Limits) -> float:
        """How many seconds the session may last."""
        return limits.session_max_seconds

    def forget(self, context: Context) -> None:
        """The connection has gone meanwhile."""
        attendance.let_go(context, self.device_id)

    def begin(self, context: Context, session: LiveSession) -> list[messages.Notice]:
        """Takes the session in, and gives what it is told first."""
        attendance.enter(context, session)
        return [welcome(context, session, self), *context.guests.waiting(session.name)]


class GuestAdmission(Struct, frozen=True):
    """A guest who may come in.

    Args:
        status: The account.
        identity_spki: Its newest identity key, DER.
        offer: The device that the guest would like to be.
    """

    status: AccountStatus
    identity_spki: bytes
    offer: GuestOffer

    def session(self, outbox: Outbox, host: str, now_ms: int) -> GuestSession:
        """The session, as of `Admission`; a guest never has more rights than a user."""
        account, offer = self.status.account, self.offer
        return GuestSession(
            account.account_id,
            account.name,
            Role.USER,
            offer.device_id,
            outbox,
            {},
            ed25519=offer.ed25519,
            host=host,
            offer=offer,
            since_ms=now_ms,
        )

    def lifetime(self, limits: Limits) -> float:
        """How many seconds the session may last."""
        return limits.guest_seconds

    def forget(self, context: Context) -> None:
        """The connection has gone meanwhile: nothing was done for it."""

    def begin(self, context: Context, session: LiveSession) -> list[messages.Notice]:
        """Takes the session in, and gives what it is told first."""
        if not isinstance(session, GuestSession):
            raise AssertionError("a guest's admission for another session")
        guests.enter(context.hub, context.guests, session, context.backplane.show)
        greeting = messages.GuestWelcome(
            account=session.account_id,
            name=session.name,
            time=context.now_ms(),
            log_head=context.log.signed_head,
            server_key=context.identity.spki,
            identity_spki=self.identity_spki,
            limits=limit_info(context),
        )
        return [greeting]


async def ping(context: Context, session: LiveSession, command: messages.Ping) -> messages.Ok:  # noqa: ARG001
    """Answers."""
    return messages.Ok(command.label)


async def bye(context: Context, session: LiveSession, command: messages.Bye) -> messages.Ok:  # noqa: ARG001
    """Answers, then closes."""
    session.outbox.end(CloseReason.NORMAL)
    return messages.Ok(command.label)


async def places_of(context: Context, name: str, device_id: bytes) -> dict[bytes, Place]:
    """The places of a device as they stand now, for who attaches them to its session at once: see `places_in`."""
    hub = context.hub
    while True:
        arrival = hub.expect(device_id)
        try:
            places = await places_in(context, name, await context.store.standing(device_id))
        finally:
            hub.arrived(arrival)
        if not arrival.touched:
            return places


async def places_in(context: Context, name: str, found: Standing) -> dict[bytes, Place]:
    """The places that a device begins a session with, of those that the store has said.

    Without those of rooms that its user has left and that have not taken the Leave yet, those that have yielded to
    others, and those of rooms that have ended by the word of the log, and that a restored server has not ended again
    yet. This node has come as far then as the store was: whoever comes from one that was ahead is not taken back, and
    who was removed does not read on. Where there are more than a welcome holds, the oldest ended ones go first, then
    those that nobody has agreed to. What a commit has changed since the store was asked the caller notices, and asks
    again (`chatserv.domain.arriving`); what the store is ahead with comes when it is handed out.
    """
    wanted = _wanted(context, found.places)
    await context.backplane.arrive({room_id: found.heads[room_id] for room_id in wanted}, found.numbers)
    places = {item.room_id: item.place for item in wanted.values() if _is_open_to(context, name, item)}
    invitations = context.registry.invitations
    still = {room_id: place for room_id, place in places.items() if place.until is None}
    if len(still) > MAX_ROOMS:
        first = sorted(still, key=lambda room_id: invitations.get(name, room_id) is not None)
        still = {room_id: still[room_id] for room_id in first[:MAX_ROOMS]}
    ended = [(room_id, place) for room_id, place in places.items() if place.until is not None]
    spare = max(0, MAX_ROOMS - len(still))
    return still | dict(ended[len(ended) - min(spare, len(ended)) :])


def _wanted(context: Context, places: Iterable[PlaceAt]) -> dict[bytes, PlaceAt]:
    """The places whose rooms have to be here: those that are open, and of the ended ones as many as a welcome could hold."""
    found = [item for item in places if not context.log.ended(item.room_id)]
    ended = [item.room_id for item in found if item.place.until is not None]
    over = set(ended[: max(0, len(ended) - MAX_ROOMS)])
    return {item.room_id: item for item in found if item.room_id not in over}


def _is_open_to(context: Context, name: str, item: PlaceAt) -> bool:
    """Whether the place counts: the commit that gave it was handed out, its user has not left, nor has the room ended."""
    record = context.registry.get(item.room_id)
    if record is None or name in record.leaves or context.registry.invitations.has_yielded(name, item.room_id):
        return False
    return not context.log.ended(item.room_id) and item.place.since < context.hub.rooms[item.room_id].head


def limit_info(context: Context) -> messages.LimitInfo:
    """The limits that both ends keep."""
    limits = context.config.limits
    return messages.LimitInfo(
        limits.line_bytes,
        limits.envelope_bytes,
        limits.idle_seconds,
        limits.history_events,
        limits.one_time_prekeys,
        limits.rooms_per_account,
        limits.chat_burst,
        limits.chat_per_second,
        limits.chat_burst_bytes,
        limits.chat_bytes_per_second,
        *((limits.blob_bytes, context.config.blob_days) if context.uploads is not None and limits.blob_bytes else ()),
    )


def welcome(context: Context, session: LiveSession, admission: Admission) -> messages.Welcome:
    """What a session is told first: who it is, its rooms and their heads, the limits, the clock, the log's head."""
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
        limits=limit_info(context),
        time=context.now_ms(),
        log_head=context.log.signed_head,
        store=context.store.incarnation,
        server_key=context.identity.spki,
        prekeys=admission.prekeys,
        muted=session.muted,
        backup=admission.backup,
        restored=context.mending.statement,
        mending=context.mending.active,
        addresses=context.addresses.told,
        retention=messages.RetentionInfo(context.config.retention.age, context.config.retention.bytes),
    )
