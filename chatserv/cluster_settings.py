"""The settings of a node among others; a part of `chatserv.config`."""

from typing import Annotated

import msgspec
from msgspec import Meta

from chatserv.bus_address import BusAddress
from chatserv.listening import ANY_ADDRESS
from chatserv.settings_file import shown
from chatserv.settings_words import require
from chatserv.wire.link import MAX_LINK_ADDRESSES, Address, LinkInvalid, parse_addresses

Text = Annotated[str, Meta(max_length=4096)]
DEFAULT_PORT = 5000  # of an address that people reach, where none is said


class Cluster(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the nodes of one server have in common, which share a PostgreSQL database; ``bus`` empty: there is one node."""

    name: Annotated[str, Meta(min_length=1, max_length=32, pattern="^[a-z0-9_-]+$")] = (
        "chat"  # what the bus calls the cluster; all nodes have the same
    )
    bus: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=4096)], ...], Meta(max_length=16)
    ] = ()  # servers of NATS, one at least: "nats://10.0.0.1:4222", "tls://USER:PASSWORD@bus.example:4222"
    authority: Text = ""  # a file in PEM with who vouches for these servers; empty: whom the system trusts
    advertise: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=262)], ...], Meta(max_length=MAX_LINK_ADDRESSES)
    ] = ()  # where people reach the nodes, all of them: "a.example:5000"; links and clients get these
    poll_seconds: Annotated[float, Meta(ge=0.1, le=60)] = 0.5  # between two looks into the store while the bus is away
    idle_room_seconds: Annotated[float, Meta(ge=30, le=86_400)] = 60.0  # that a room stays in memory which nobody needs
    store_seconds: Annotated[float, Meta(ge=1, le=60)] = 5.0  # after which a call of the store counts as unanswered

    def __post_init__(self) -> None:
        hint = (
            'write "nats://HOST:PORT" or "tls://HOST:PORT", with USER:PASSWORD@ or TOKEN@ before the host where needed'
        )
        require(all(map(_is_bus, self.bus)), "bus", "one of them is not the address of a NATS server", hint)
        hint = 'write addresses that people reach, such as "a.example:5000" or "192.0.2.1:5000"'
        try:
            leads = all(host not in ANY_ADDRESS for host, _ in self.addresses)
        except LinkInvalid:
            leads = False
        require(leads, "advertise", f"{shown(', '.join(self.advertise))} leads nowhere", hint)

    @property
    def is_set(self) -> bool:
        """Whether there are other nodes, or may be."""
        return bool(self.bus)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Those of the nodes. Raises `LinkInvalid`."""
        return tuple(parse_addresses(",".join(self.advertise), DEFAULT_PORT)) if self.advertise else ()

    def __repr__(self) -> str:
        return f"Cluster(name={self.name!r}, bus={[BusAddress.parse(each).text for each in self.bus]})"


def _is_bus(text: str) -> bool:
    try:
        BusAddress.parse(text)
    except ValueError:
        return False
    return True
