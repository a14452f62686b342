"""Values for tests of stores: drafts whose parts follow from numbers and names."""

from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import msgspec
from twisted.internet.defer import Deferred, gatherResults

from chatserv.account_models import SealedBackup
from chatserv.crypto.envelope import Header
from chatserv.crypto.suite import sha256
from chatserv.domain.roles import Role
from chatserv.models import CommitDraft, EventDraft, Invite, LeafDraft, PrekeyItem, Registration, WrapDraft

T = TypeVar("T")

NOW_MS = 1_790_000_000_000
LEAVES = {b"d": 0, b"e": 1, b"f": 2}
"""The leaf that a device has from the beginning, where it is in the room."""


def device_id(letter: bytes) -> bytes:
    """The id of the device that tests call by this letter."""
    return letter * 16


def draft(
    room_id: bytes,
    number: int,
    *,
    device: bytes = b"d",
    epoch: int = 0,
    at_ms: int = NOW_MS,
    leaf: int | None = None,
    generation: int | None = None,
) -> EventDraft:
    """A message whose id, text and generation follow from ``number``; its place stands in its clear header."""
    leaf, generation = LEAVES[device] if leaf is None else leaf, number if generation is None else generation
    return EventDraft(
        room_id=room_id,
        id=number.to_bytes(16, "big"),
        epoch=epoch,
        account_id=b"a" * 16,
        device_id=device_id(device),
        sender="alice",
        body=Header(room_id, max(epoch, 0), leaf, generation, bytes(4)).encode() + b"body %d" % number,
        at_ms=at_ms,
        leaf=leaf,
        generation=generation,
    )


def founding(number: int, *, devices: Sequence[bytes] = (b"d", b"e"), name: str = "", **changes: Any) -> CommitDraft:
    """The first commit of the room of this number, with these devices."""
    first = CommitDraft(
        room_id=number.to_bytes(16, "big"),
        epoch=0,
        prev=bytes(32),
        commit_hash=sha256(b"commit", number.to_bytes(4, "big")),
        kt_size=1,
        state=b"state 0",
        name=name,
        skeleton=name.lower(),
        pair=b"",
        account_id=b"a" * 16,
        device_id=device_id(b"d"),
        sender="alice",
        body=b"commit 0",
        at_ms=NOW_MS,
        added=tuple((device_id(each), LEAVES[each]) for each in devices),
    )
    return msgspec.structs.replace(first, **changes)


def following(previous: CommitDraft, *, salt: bytes = b"", **changes: Any) -> CommitDraft:
    """The commit after ``previous``; with another ``salt`` another one."""
    epoch = previous.epoch + 1
    following = msgspec.structs.replace(
        previous,
        epoch=epoch,
        prev=previous.commit_hash,
        commit_hash=sha256(b"commit", previous.commit_hash, salt),
        kt_size=previous.kt_size + 1,
        state=b"state %d" % epoch,
        body=b"commit %d" % epoch + salt,
        added=(),
        removed=(),
        left=(),
        wraps=(),
        leaves=(),
        asked=(),
        agreed=(),
        gone=(),
    )
    return msgspec.structs.replace(following, **changes)


def wrap(device: bytes, number: int, *, path: int = 2) -> WrapDraft:
    """A wrap of this number for a device."""
    return WrapDraft(device_id(device), b"wrap %d" % number, tuple(bytes([each]) * 32 for each in range(path)))


def log_leaf(number: int) -> LeafDraft:
    """A leaf with its statement; stores do not look into it."""
    return LeafDraft(b"leaf %d" % number, b"statement %d" % number)


def registration(
    name: str,
    token_hash: bytes | None = None,
    leaves: tuple[LeafDraft, ...] = (),
    *,
    number: int = 0,
    reset: bool = False,
) -> Registration:
    """A registration whose keys follow from ``name``, and from ``number`` where it is not the first."""
    key = name.encode() + (b"%d" % number if number else b"")
    return Registration(
        token_hash=token_hash,
        name=name,
        skeleton=name.lower(),
        identity_spki=b"spki " + key,
        device_id=key.ljust(16, b"."),
        certificate=b"certificate " + key,
        verifier=b"verifier " + key,
        leaves=leaves,
        reset=reset,
    )


def cert_hash(name: str, number: int = 0) -> bytes:
    """The hash of the certificate in `registration`."""
    return sha256(registration(name, number=number).certificate)


def signer(name: str, number: int = 0) -> bytes:
    """The fingerprint of the identity in `registration`."""
    return sha256(registration(name, number=number).identity_spki)


def invite(
    number: int,
    *,
    role: Role = Role.USER,
    expires_ms: int = NOW_MS + 1000,
    name: str = "",
    reset: bool = False,
) -> Invite:
    """An invite whose token follows from ``number``."""
    return Invite(number.to_bytes(32, "big"), role, expires_ms, name, reset)


def sealed(counter: int, *, at_ms: int = NOW_MS, slots: int = 2) -> SealedBackup:
    """A backup whose content follows from its counter."""
    parts = tuple(b"slot %d of %d" % (number, counter) for number in range(slots))
    return SealedBackup(counter, at_ms, b"sealed %d" % counter, parts)


def prekeys(*numbers: int) -> list[PrekeyItem]:
    """Prekeys of these numbers."""
    return [PrekeyItem(number, b"signed %d" % number) for number in numbers]


async def _wait(awaitable: Awaitable[T]) -> T:
    return await awaitable


def start(awaitable: Awaitable[T]) -> Deferred[T]:
    """Starts a call of a port."""
    return Deferred.fromCoroutine(_wait(awaitable))


def together(awaitables: Sequence[Awaitable[T]]) -> Deferred[list[T]]:
    """Starts all in one turn of the reactor and fires with their results."""
    return gatherResults([start(awaitable) for awaitable in awaitables], consumeErrors=True)
