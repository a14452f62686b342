"""What stores hold and are asked for: values without behaviour.

Ids are bytes without meaning; only ``seq`` counts, per room, and the store alone gives it out.
"""

from enum import IntEnum, StrEnum

import msgspec

from chatserv.discreet import Discreet
from chatserv.domain.hub import Place
from chatserv.domain.roles import Role


class EventKind(IntEnum):
    """What a room's log holds."""

    MESSAGE = 0
    COMMIT = 1


class Account(msgspec.Struct, frozen=True):
    """A registered identity. ``name`` may change one day, ``account_id`` (16 bytes) never does."""

    account_id: bytes
    name: str
    role: Role


class Device(msgspec.Struct, frozen=True):
    """A key-holding installation of an account; ``certificate`` is kept as the signed bytes (docs/rooms.rst 3.2)."""

    device_id: bytes
    certificate: bytes
    account: Account


class Invite(msgspec.Struct, frozen=True):
    """A one-use permission to register; only the SHA-256 of its token is stored.

    ``name`` empty: any name. ``expires_ms``: milliseconds since 1970. ``reset``: for that account, whose devices end then.
    """

    token_hash: bytes
    role: Role
    expires_ms: int
    name: str = ""
    reset: bool = False


class LeafDraft(msgspec.Struct, frozen=True):
    """A leaf for the log. ``statement``: the signed bytes whose hash it holds; empty for a public room's commit."""

    leaf: bytes
    statement: bytes = b""


class Registration(Discreet, frozen=True):
    """A checked request to register; signatures are verified before it gets here.

    ``token_hash``: None where registration is open. ``skeleton``: the confusable skeleton of ``name``. ``verifier``: salt,
    KDF parameters, StoredKey and ServerKey (docs/protocol.rst 4.3). ``leaves``: of the log, appended with the account: each
    the leaf's 105 bytes and the signed statement behind its hash. ``reset``: of the account of that name, by an invite that
    is for that. ``mended``: carried out before a restore, as the log says: no invite is due.
    """

    shown = ("name", "device_id", "reset", "mended")

    token_hash: bytes | None
    name: str
    skeleton: str
    identity_spki: bytes
    device_id: bytes
    certificate: bytes
    verifier: bytes
    leaves: tuple[LeafDraft, ...] = ()
    reset: bool = False
    mended: bool = False


class Room(msgspec.Struct, frozen=True):
    """A room as it stands.

    ``epoch`` is the current one, ``head`` the last ``seq`` given, ``commit_hash`` and ``state`` (docs/rooms.rst 4) those of
    the newest commit, ``kt_size`` the size of the log that it went by. ``name``: of a public room, else empty. ``leaves``:
    by user, the Leaves that wait for a commit, each ``u32 leaf; sig[64]``. ``gone_through``: the highest seq not kept.
    """

    room_id: bytes
    name: str
    epoch: int
    head: int
    commit_hash: bytes
    kt_size: int
    state: bytes
    leaves: tuple[tuple[str, bytes], ...] = ()
    gone_through: int = 0


class Consent(IntEnum):
    """Whether a user has agreed to be in a room.

    ``ASKED``: somebody else took them in, and they have not said anything. ``YIELDED``: they had too many of these, and the
    server does not carry this one. ``EARLIER``: nobody asked, in versions that did not.
    """

    ASKED = 0
    AGREED = 1
    YIELDED = 2
    EARLIER = 3


class ConsentAt(msgspec.Struct, frozen=True):
    """What a user says to their place in a room, and who took them in; empty for who came by themselves."""

    room_id: bytes
    user: str
    inviter: str
    consent: Consent


class PlaceAt(msgspec.Struct, frozen=True):
    """A device's place in a room (see `chatserv.domain.hub.Place`)."""

    room_id: bytes
    place: Place


class EventDraft(msgspec.Struct, frozen=True):
    """An event that wants its place in a room's log. ``id`` is the client's (16 bytes), ``body`` is opaque.

    ``leaf`` and ``generation`` are those of the envelope's clear header (docs/rooms.rst 7.2).
    """

    room_id: bytes
    id: bytes
    epoch: int
    account_id: bytes
    device_id: bytes
    sender: str
    body: bytes
    at_ms: int
    leaf: int = 0
    generation: int = 0


class WrapDraft(msgspec.Struct, frozen=True):
    """A wrap of a commit for one device, with its audit path."""

    device_id: bytes
    wrap: bytes
    path: tuple[bytes, ...]


class CommitDraft(msgspec.Struct, frozen=True):
    """A checked commit that wants to be the room's next (docs/protocol.rst 8, step 5).

    Attributes:
        room_id: The room; it is made where ``epoch`` is 0.
        epoch: The epoch that the commit opens.
        prev: The commit hash that it follows, 32 bytes.
        commit_hash: Its own, 32 bytes.
        kt_size: The size of the log that it was checked against.
        state: The new state, encoded.
        name: The public room's name, else empty; with its confusable ``skeleton``.
        pair: For a direct message, 32 bytes that stand for its two users, for the own devices' room for its one; else
            empty.
        replaces: The room that has had the pair and gives it up, where it is still the one.
        account_id: Whose commit it is; with ``device_id`` and ``sender`` (the name).
        body: The commit's bytes.
        at_ms: The clock, milliseconds since 1970.
        added: Devices that have a new leaf: (device id, leaf).
        removed: Devices that lost their leaf and have no new one.
        left: Users whose waiting Leaves are done with.
        wraps: For the devices of the new roster but the committer's.
        leaves: Leaves of the log, appended in the same transaction.
        asked: Users whom the committer takes in without having asked them.
        agreed: Users who are in the room by their own will: the committer.
        gone: Users who are in it no more.
        at_seq: The place that it goes back to, where a restored store is mended; 0: the next one.
    """

    room_id: bytes
    epoch: int
    prev: bytes
    commit_hash: bytes
    kt_size: int
    state: bytes
    name: str
    skeleton: str
    pair: bytes
    account_id: bytes
    device_id: bytes
    sender: str
    body: bytes
    at_ms: int
    added: tuple[tuple[bytes, int], ...] = ()
    removed: tuple[bytes, ...] = ()
    left: tuple[str, ...] = ()
    wraps: tuple[WrapDraft, ...] = ()
    leaves: tuple[LeafDraft, ...] = ()
    asked: tuple[str, ...] = ()
    agreed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    replaces: bytes = b""
    at_seq: int = 0


class Event(msgspec.Struct, frozen=True):
    """A stored event. ``sender`` is the name of the account at the time.

    ``change``: what a commit makes of the room; there where it was just committed, None where it is read back.
    """

    room_id: bytes
    seq: int
    at_ms: int
    sender: str
    kind: EventKind
    body: bytes
    change: CommitDraft | None = None


class Appended(msgspec.Struct, frozen=True):
    """The draft is durable under ``event.seq``."""

    event: Event


class Duplicate(msgspec.Struct, frozen=True):
    """The same message of this device is stored already, under this ``seq``; nothing was added."""

    seq: int
    at_ms: int


class Stale(msgspec.Struct, frozen=True):
    """The room is in another epoch, or the device has another leaf there or has sent this generation; nothing was added."""

    epoch: int


class PairTaken(msgspec.Struct, frozen=True):
    """The two have a direct message already, this one; nothing was made."""

    room_id: bytes


class Certified(msgspec.Struct, frozen=True):
    """A certificate and the identity key (DER) that signed it."""

    cert_hash: bytes
    certificate: bytes
    identity_spki: bytes


class StoredWrap(msgspec.Struct, frozen=True):
    """A device's wrap of one epoch, with its audit path."""

    wrap: bytes
    path: tuple[bytes, ...]


class PrekeyItem(msgspec.Struct, frozen=True):
    """A verified, signed prekey; ``number`` is its id, whose top bit says that it is a last-resort one."""

    number: int
    signed: bytes


class TakenPrekey(msgspec.Struct, frozen=True):
    """A prekey given out. ``signed`` None: the device has none at all. ``left``: one-time ones that remain."""

    signed: bytes | None
    left: int


class AccountStatus(msgspec.Struct, frozen=True):
    """An account as administrators see it. ``suspended`` and ``muted`` are the server's doing, not a room's."""

    account: Account
    suspended: bool
    muted: bool
    created_ms: int


class BanKind(StrEnum):
    """What a ban names."""

    ADDRESS = "address"
    ACCOUNT = "account"


class Ban(msgspec.Struct, frozen=True):
    """A ban from the server. ``subject``: an address, a network or a canonical name; ``by``: the administrator's name."""

    kind: BanKind
    subject: str
    by: str
    at_ms: int
