"""What our other devices tell this one (docs/rooms.rst 7.6), taken in with the message that says it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from chatserv.client.events import ClientEvent, IdentityChanged, ReadMoved, RoomTitled
from chatserv.client.outbound.outbox import Outbox
from chatserv.client.own.consents import Consents
from chatserv.client.own.proofs import Proofs
from chatserv.client.own.talk import Talk
from chatserv.client.state.context import ClientContext
from chatserv.client.state.pins import PinState
from chatserv.client.state.rooms import Room, Rooms, is_room_name
from chatserv.client.storage.own_devices import OwnDeviceRow
from chatserv.crypto import own_bodies
from chatserv.crypto.history_body import History
from chatserv.crypto.own_bodies import (
    DeviceInfo,
    IgnoredPeople,
    KnownIdentities,
    Occasion,
    OwnBody,
    ReadMarks,
    RoomTitles,
    SealedIdentity,
)

ACCEPTED: Final = "accepted elsewhere "  # and whose; the identity that another device of ours has accepted


class Hearing:
    """Takes bodies of the devices' room in; inside the transaction of the message.

    Args:
        context: What the client's parts share.
        rooms: All rooms.
        outbox: Tells whether everything that was missing is here.
        consents: Rooms and people.
        talk: Answers.
        proofs: Whose word counts for identities.

    Attributes:
        sealed: Takes a new identity key, if it is for this device.
        backed_up: Told the counter of a backup that another device knows.
        history: Takes a history that another device shares, and gives what is to be told of it.
        trust_moved: Told that somebody may be sent to again.
    """

    sealed: Callable[[Room, bytes, SealedIdentity], None]
    backed_up: Callable[[int], None]
    history: Callable[[bytes, History], Sequence[ClientEvent]]
    trust_moved: Callable[[], None]

    def __init__(
        self, context: ClientContext, rooms: Rooms, outbox: Outbox, consents: Consents, talk: Talk, proofs: Proofs
    ) -> None:
        self._context, self._rooms, self._outbox = context, rooms, outbox
        self._consents, self._talk, self._proofs = consents, talk, proofs

    def take(self, device_id: bytes, body: OwnBody | History) -> list[ClientEvent]:
        """Another device of ours has said something; gives what is to be told of it."""
        match body:
            case History():
                return [*self.history(device_id, body)]
            case DeviceInfo():
                self._info(device_id, body)
            case ReadMarks(marks):
                return [event for room_id, seq in marks for event in self._read(room_id, seq)]
            case RoomTitles(titles):
                return [event for title in titles for event in self._title(*title)]
            case own_bodies.Consents(rooms):
                return [event for room_id, on in rooms for event in self._consents.heard(room_id, agreed=on)]
            case KnownIdentities(pins):
                return [event for pin in pins for event in self._identity(device_id, *pin)]
            case IgnoredPeople(people):
                for user, on in people:
                    if user != self._context.user:
                        self._consents.heard_of(user, ignored=on)
            case SealedIdentity():
                room = self._rooms.devices()
                if room is not None:
                    self.sealed(room, device_id, body)
        return []

    def _info(self, device_id: bytes, info: DeviceInfo) -> None:
        """Who has proved that they hold the identity key goes on to: each rotation gives them the next one."""
        room = self._rooms.devices()
        holds = device_id in self._proofs.holders()
        holds = holds or (room is not None and self._proofs.proves(room, device_id, info.proof))
        self._context.vault.own_devices.put(OwnDeviceRow(device_id, info.name, holds, info.backup))
        self.backed_up(info.backup)
        if info.occasion is Occasion.ENTERED:
            self._talk.asked()
        elif info.occasion is Occasion.ANSWERS:
            self._talk.heard_answer()

    def _read(self, room_id: bytes, seq: int) -> list[ClientEvent]:
        """Marks never go back; while we catch up, one may be ahead of what has come."""
        room = self._rooms.get(room_id)
        if room is None or room.row is None or not room.in_it:
            self._context.vault.heard_rooms.put_read(room_id, seq)
            return []
        if self._outbox.ready:
            seq = min(seq, room.newest)
        read, told = max(room.row.read, seq), max(room.row.read_told, seq)
        moved = read > room.row.read
        self._rooms.keep(room, replace(room.row, read=read, read_told=told))
        return [ReadMoved(self._rooms.name(room), self._context.user, seq)] if moved and not room.offered else []

    def _title(self, room_id: bytes, name: str, topic: str) -> list[ClientEvent]:
        """Counts where this device has no name of a room yet."""
        room = self._rooms.get(room_id)
        if not is_room_name(name):
            return []
        if room is None or room.row is None or not room.in_it:
            self._context.vault.heard_rooms.put_title(room_id, name, topic)
            return []
        if room.row.title or room.state is None or room.state.policy.public or room.state.policy.kind.fixed:
            return []
        before = self._rooms.name(room)
        self._rooms.keep(room, replace(room.row, title=name, topic=topic))
        return [] if room.offered else [RoomTitled(self._rooms.name(room), before, topic, self._context.user)]

    def _identity(self, device_id: bytes, user: str, fingerprint: bytes, verified: bool) -> list[ClientEvent]:
        """Counts where it is the identity that the log names as the newest.

        A change counts as accepted if a device says so that holds the identity key, and the person is told. Nobody but they
        themselves, on this device, makes it a verified one: a stolen device and a server that lies are two of a kind.
        """
        pins, facts, log = self._context.pins, self._context.vault.facts, self._context.log
        pin, told = pins.look(user, self._context.now_ms()), list[ClientEvent]()
        if pin is None:
            return told
        if pin.state is PinState.CHANGED:
            if pin.offered != fingerprint or device_id not in self._proofs.holders():
                return told
            facts.put(ACCEPTED + user, fingerprint)
            was_verified, pin = pin.was_verified, pins.accept(user, fingerprint)
            self._context.vault.archive.accept(user, fingerprint)
            told.append(
                IdentityChanged(user, was_verified, accepted_on=self._context.vault.own_devices.label(device_id))
            )
        elif verified and pin.state is PinState.UNVERIFIED and pin.fingerprint == fingerprint:
            there = facts.get(ACCEPTED + user)
            if there is None or not log.facts.carried(user, there, log.size, fingerprint):
                pins.verify(user, fingerprint)
        self._context.later(0, self.trust_moved)
        return told
