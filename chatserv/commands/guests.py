"""Guests: sessions of people who have logged in by password, on a machine that is no device yet (docs/protocol.rst 4.7).

They stand beside the hub, not in it: nothing of any room is for them, and nobody but their own account knows of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from chatserv.bus_models import GuestShown
from chatserv.commands.broadcast import notify, notify_if_place
from chatserv.domain.closing import CloseReason
from chatserv.domain.hub import Hub, LiveSession
from chatserv.errors import ServerFull
from chatserv.live_settings import LiveSettings
from chatserv.wire import messages
from chatserv.wire.codec import encode_message
from chatserv.wire.password_login import GuestOffer

MAX_ELSEWHERE: Final = 10_000  # guests of other nodes that are known at once


@dataclass(eq=False, slots=True)
class GuestSession(LiveSession):
    """One guest. ``offer``: the device that it would like to be; ``since_ms``: when it came, milliseconds since 1970."""

    offer: GuestOffer = field(kw_only=True)
    since_ms: int = field(kw_only=True)


class Guests:
    """All guests, by account.

    Args:
        settings: ``guests``, ``guests_per_account``; ``retry_seconds``: when who finds no place should try again.
    """

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        self._guests: dict[str, dict[bytes, GuestSession]] = {}
        self._elsewhere: dict[str, dict[bytes, dict[bytes, GuestShown]]] = {}  # by account, device and node
        self._count = self._count_elsewhere = 0

    def __len__(self) -> int:
        return self._count

    @property
    def sessions(self) -> Sequence[GuestSession]:
        """Every guest."""
        return [guest for named in self._guests.values() for guest in named.values()]

    def of(self, name: str) -> Sequence[GuestSession]:
        """The guests of an account, oldest first."""
        return list(self._guests.get(name, {}).values())

    def find(self, name: str, device_id: bytes) -> GuestSession | None:
        """The guest of that account that would like to be that device."""
        return self._guests.get(name, {}).get(device_id)

    def is_here(self, guest: GuestSession) -> bool:
        """Whether it is still there."""
        return self.find(guest.name, guest.device_id) is guest

    # -- those of other nodes

    def put_elsewhere(self, node: bytes, guest: GuestShown) -> None:
        """A guest is on that node, or is there no more."""
        named = self._elsewhere.setdefault(guest.name, {})
        found = named.setdefault(guest.device_id, {})
        if guest.at and (node in found or self._count_elsewhere < MAX_ELSEWHERE):
            self._count_elsewhere += node not in found
            found[node] = guest
        elif not guest.at and found.pop(node, None) is not None:
            self._count_elsewhere -= 1
        if not found:
            del named[guest.device_id]
        if not named:
            del self._elsewhere[guest.name]

    def on_node(self, node: bytes) -> Sequence[GuestShown]:
        """Those that it has told of."""
        guests = (found for named in self._elsewhere.values() for found in named.values())
        return [found[node] for found in guests if node in found]

    def is_elsewhere(self, name: str, device_id: bytes) -> bool:
        """Whether the guest of that account who would like to be that device is on another node."""
        return device_id in self._elsewhere.get(name, {})

    def waiting(self, name: str) -> list[messages.GuestWaits]:
        """What the account's devices are told of its guests, wherever these are."""
        shown = {device_id: next(iter(nodes.values())) for device_id, nodes in self._elsewhere.get(name, {}).items()}
        shown |= {guest.device_id: shown_of(guest) for guest in self.of(name)}
        return list(map(waits, shown.values()))

    # -- places

    def check_place(self, name: str, device_id: bytes) -> None:
        """Raises `ServerFull` where there is no place for a guest, and none of the same account would go for it."""
        if self._count >= self._settings.limits.guests and self._who_yields(name, device_id) is None:
            raise ServerFull("guests", after_seconds=self._settings.limits.retry_seconds)

    def _who_yields(self, name: str, device_id: bytes) -> GuestSession | None:
        """Who has to go for one more of this account: the same machine's earlier session, else the oldest of too many."""
        named = self._guests.get(name, {})
        same, most = named.get(device_id), self._settings.limits.guests_per_account
        return same if same is not None or len(named) < most else next(iter(named.values()))

    def add(self, guest: GuestSession) -> GuestSession | None:
        """Takes a guest in that has a place (`check_place`). Returns who had to go for it, and is out already."""
        yielding = self._who_yields(guest.name, guest.device_id)
        if yielding is not None:
            self.remove(yielding)
        self._guests.setdefault(guest.name, {})[guest.device_id] = guest
        self._count += 1
        return yielding

    def remove(self, guest: GuestSession) -> bool:
        """Lets a guest go; says whether it was there."""
        if not self.is_here(guest):
            return False
        named = self._guests[guest.name]
        del named[guest.device_id]
        if not named:
            del self._guests[guest.name]
        self._count -= 1
        return True


Show = Callable[[GuestShown], None]


def enter(hub: Hub, guests: Guests, guest: GuestSession, show: Show) -> None:
    """Takes a guest in, and tells the account's devices; ``show`` tells other nodes. Who has to go is told so, and ends."""
    yielding = guests.add(guest)
    if yielding is not None:
        notify([yielding], messages.Farewell("replaced"))
        yielding.outbox.end(CloseReason.REPLACED)
        if yielding.device_id != guest.device_id:
            _tell_gone(hub, guests, yielding, show)
    shown = shown_of(guest)
    tell_waits(hub, shown)
    show(shown)


def depart(hub: Hub, guests: Guests, guest: GuestSession, show: Show) -> None:
    """Lets a guest go, and tells the account's devices; harmless when it is gone already."""
    if guests.remove(guest):
        _tell_gone(hub, guests, guest, show)


def shown_of(guest: GuestSession) -> GuestShown:
    """A guest as other nodes know it."""
    offer = guest.offer
    keys = offer.rsa_spki, offer.ed25519
    return GuestShown(guest.name, offer.device_id, guest.since_ms, offer.created_ms, *keys)


def waits(guest: GuestShown) -> messages.GuestWaits:
    """What the account's devices are told of it."""
    return messages.GuestWaits(guest.device_id, guest.rsa_spki, guest.ed25519, guest.created, guest.at)


def tell_waits(hub: Hub, guest: GuestShown) -> None:
    """Tells the account's devices here of a guest."""
    notify_if_place(hub.sessions_of(guest.name), encode_message(waits(guest)))


def tell_gone(hub: Hub, guests: Guests, name: str, device_id: bytes) -> None:
    """Tells the account's devices here that a guest is gone, unless it is anywhere."""
    if guests.find(name, device_id) is None and not guests.is_elsewhere(name, device_id):
        notify_if_place(hub.sessions_of(name), encode_message(messages.GuestGone(device_id)))


def _tell_gone(hub: Hub, guests: Guests, guest: GuestSession, show: Show) -> None:
    tell_gone(hub, guests, guest.name, guest.device_id)
    show(GuestShown(guest.name, guest.device_id))
