"""What this device tells the person's others, in the room of their own devices (docs/rooms.rst 7.6)."""

import platform
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from chatserv.client.outbound.outbox import Outbox
from chatserv.client.own.proofs import Proofs
from chatserv.client.recovery.arrival import seen
from chatserv.client.state.context import ClientContext
from chatserv.client.state.pins import PinState
from chatserv.client.state.rooms import Room, Rooms
from chatserv.crypto.own_bodies import (
    MAX_DEVICE_NAME_BYTES,
    Consents,
    DeviceInfo,
    IgnoredPeople,
    KnownIdentities,
    Occasion,
    OwnBody,
    ReadMarks,
    RoomTitles,
)
from chatserv.errors import ChatError

NAME: Final = "device name"
ENTERED: Final = "own devices entered"  # the room in which we have asked the others
PAGE_BYTES: Final = 8000  # of one message
MARK_SECONDS: Final = 3.0  # read marks are gathered so long
ANSWER_SECONDS: Final = 5.0  # within which the first one answers a device that asks


class Talk:
    """Says things to our other devices, where there are any; what it says reaches those that are away as well.

    Args:
        context: What the client's parts share.
        rooms: All rooms.
        outbox: Sends.
        proofs: That this device holds the identity key.
    """

    def __init__(self, context: ClientContext, rooms: Rooms, outbox: Outbox, proofs: Proofs) -> None:
        self._context, self._rooms, self._outbox, self._proofs = context, rooms, outbox, proofs
        self._marking = self._answering = self._answered = False

    def others(self) -> Room | None:
        """The room of our devices, if there is another one in it."""
        room = self._rooms.devices()
        return room if room is not None and room.state is not None and len(room.state.roster) > 1 else None

    def say(self, *bodies: OwnBody) -> bool:
        """Says so; False where nobody is there to be told, or the outbox is full: who comes later is told everything."""
        room = self.others()
        if room is None:
            return False
        try:
            for body in bodies:
                self._outbox.put_body(room, body)
        except ChatError:
            return False
        return True

    # -- of ourselves --------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What this device is called; that of the machine until a person says otherwise."""
        kept = self._context.vault.facts.get(NAME)
        return _machine_name() if kept is None else kept.decode()

    def rename(self, name: str) -> None:
        """Calls this device otherwise."""
        self._context.vault.facts.put(NAME, name.encode())
        self.tell_self()

    def tell_self(self, occasion: Occasion = Occasion.CHANGED) -> bool:
        """Says what this device is; also after its identity key or its backup has changed."""
        backup = seen(self._context.vault.facts)
        return self.say(DeviceInfo(self.name, self._proofs.own(), backup, occasion))

    def look(self) -> None:
        """Asks the others once, when there are any; and tells what they do not know yet."""
        room = self.others()
        if room is None:
            return
        if self._context.vault.facts.get(ENTERED) != room.room_id and self.tell_self(Occasion.ENTERED):
            self._context.vault.facts.put(ENTERED, room.room_id)
        elif not self._proofs.told:  # the profile is of a version that proved nothing
            self.tell_self()
        self.read_moved()

    # -- how far the person has read -----------------------------------------------------------------------------------

    def read_moved(self) -> None:
        """A read mark has moved: the others are told in a moment."""
        if not self._marking:
            self._marking = True
            self._context.later(MARK_SECONDS, self._tell_marks)

    def _tell_marks(self) -> None:
        self._marking = False
        if self._outbox.ready:
            self._say_marks(lambda room: room.row is not None and room.row.read > room.row.read_told)

    def _say_marks(self, wanted: Callable[[Room], bool]) -> None:
        rooms = [room for room in self._rooms.ours() if not room.of_devices and not room.offered and wanted(room)]
        marks = [(room.room_id, room.row.read) for room in rooms if room.row is not None]
        with self._context.vault.transaction(wait=False):  # what is said leaves when it is on disk
            if self.say(*_pages(ReadMarks, marks)):
                for room in rooms:
                    self._rooms.told_read(room)

    # -- everything ----------------------------------------------------------------------------------------------------

    def asked(self) -> None:
        """Another device asks what we know: whoever is first tells it everything."""
        if not self._answering:
            self._answering, self._answered = True, False
            self._context.later(self._context.chance(ANSWER_SECONDS), self._answer)

    def heard_answer(self) -> None:
        """Another device has told everything."""
        self._answered = True

    def _answer(self) -> None:
        self._answering = False
        if self._answered:
            self.tell_self()
        elif self.tell_self(Occasion.ANSWERS):
            # what was said before we came nobody has read here: we have heard of it, or have imported it
            self._say_marks(lambda room: room.row is not None and room.row.read > room.row.since)
            self.say(*self._everything())

    def _everything(self) -> Iterator[OwnBody]:
        vault = self._context.vault
        private = [
            room for room in self._rooms.ours() if room.state and not room.state.policy.public and not room.of_devices
        ]
        agreed = [(room.room_id, True) for room in private if not room.offered]
        refused = [(room_id, False) for room_id in vault.ignored.refused()]
        rows = [room.row for room in private if room.row is not None and room.row.title]
        yield from _pages(RoomTitles, [(row.room_id, row.title, row.topic) for row in rows])
        yield from _pages(Consents, agreed + refused)
        yield from _pages(KnownIdentities, self._identities())
        yield from _pages(IgnoredPeople, [(user, True) for user in vault.ignored.users()])

    def _identities(self) -> Iterator[tuple[str, bytes, bool]]:
        """Whom the person has verified, and whose change they have accepted."""
        log = self._context.log
        for pin in self._context.vault.pins.all():
            accepted = len(log.facts.identities(pin.user, log.size)) > 1
            if pin.state is PinState.VERIFIED or (pin.state is PinState.UNVERIFIED and accepted):
                yield pin.user, pin.fingerprint, pin.state is PinState.VERIFIED


def _pages(kind: Callable[[tuple[Any, ...]], OwnBody], items: Iterable[Any]) -> Iterator[OwnBody]:
    """Bodies that hold these items, each small enough for a message."""
    page: list[Any] = []
    size = 0
    for item in items:
        more = len(kind((item,)).encode())
        if page and size + more > PAGE_BYTES:
            yield kind(tuple(page))
            page, size = [], 0
        page.append(item)
        size += more
    if page:
        yield kind(tuple(page))


def _machine_name() -> str:
    """The first part of the host's name, as far as it fits."""
    name = unicodedata.normalize("NFC", platform.node().partition(".")[0])
    return name.encode("utf-8", "ignore")[:MAX_DEVICE_NAME_BYTES].decode("utf-8", "ignore")
