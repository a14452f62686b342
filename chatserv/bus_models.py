"""What nodes of a cluster tell each other that may be lost: nothing of it is stored, and nobody waits for it."""

from enum import IntEnum
from typing import Annotated

from msgspec import Meta, Struct


class NoticeKind(IntEnum):
    """What a notice says, and of what: a room, a device, or an account, of which every node hears."""

    LEASE_FREE = 1  # room: whoever waits for its lease may ask the store
    LEASE_WANTED = 2  # room: somebody waits for its lease on another node than the one that has it
    TYPING = 3  # room; name
    READ = 4  # room; name, and up to which seq
    PREKEYS_LOW = 5  # device; how many are left
    TOLD = 6  # device or guest of the account with this name, or nothing: all its devices; what they are told, encoded
    ASKED = 32  # another node, by its id, as a device: an operation is to be carried out there
    ANSWERED = 33  # likewise: what came of it


OF_ACCOUNTS = frozenset({NoticeKind.TOLD})
OF_ROOMS = frozenset({NoticeKind.LEASE_FREE, NoticeKind.LEASE_WANTED, NoticeKind.TYPING, NoticeKind.READ})


class Notice(Struct, frozen=True, array_like=True):
    """One. ``kind``: a `NoticeKind`, or of a newer version; ``about``: the id of a room or a device."""

    kind: Annotated[int, Meta(ge=0, le=255)]
    about: Annotated[bytes, Meta(max_length=64)] = b""
    name: Annotated[str, Meta(max_length=64)] = ""
    number: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    body: Annotated[bytes, Meta(max_length=65_536)] = b""


class PersonShown(Struct, frozen=True, array_like=True):
    """How somebody is on a node: 0 offline, 1 online, 2 away. ``devices``: of theirs, those that are there; ``rooms``: those
    that they are in there, where that is new.
    """

    name: Annotated[str, Meta(max_length=64)]
    status: Annotated[int, Meta(ge=0, le=2)]
    devices: Annotated[tuple[Annotated[bytes, Meta(max_length=64)], ...], Meta(max_length=100)] = ()
    rooms: Annotated[tuple[Annotated[bytes, Meta(max_length=64)], ...], Meta(max_length=1000)] = ()


class GuestShown(Struct, frozen=True, array_like=True):
    """A guest of an account, who waits on a node since ``at`` to become a device, or is there no more (``at`` 0)."""

    name: Annotated[str, Meta(max_length=64)]
    device_id: Annotated[bytes, Meta(max_length=64)]
    at: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    created: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    rsa_spki: Annotated[bytes, Meta(max_length=1024)] = b""
    ed25519: Annotated[bytes, Meta(max_length=64)] = b""


Shown = PersonShown | GuestShown
