"""Devices, their certificates and prekeys in the tables. Nobody here begins or ends a transaction."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from chatserv.crypto.prekeys import is_last_resort
from chatserv.domain.roles import Role
from chatserv.errors import NotFound
from chatserv.models import Account, Certified, Device, LeafDraft, PrekeyItem, TakenPrekey
from chatserv.store.account_statements import require_another_administrator
from chatserv.store.log_statements import append_leaves
from chatserv.store.schema import account, device, identity, prekey

_HASHES = 500
"""In one query."""

_device = (
    select(device.c.device_id, device.c.certificate, account.c.account_id, account.c.name, account.c.role)
    .join_from(device, account)
    .where(
        account.c.name == bindparam("name"),
        device.c.device_id == bindparam("device_id"),
        device.c.revoked_ms.is_(None),
    )
)
_valid = (
    select(device.c.pk, device.c.account, account.c.name, account.c.role, account.c.suspended)
    .join_from(device, account)
    .where(device.c.cert_hash == bindparam("cert_hash"), device.c.revoked_ms.is_(None))
)
_others = (
    select(device.c.pk)
    .where(device.c.account == bindparam("account"), device.c.pk != bindparam("pk"), device.c.revoked_ms.is_(None))
    .limit(1)
)
_certified = (
    select(device.c.cert_hash, device.c.certificate, identity.c.spki)
    .join_from(device, identity)
    .where(device.c.cert_hash.in_(bindparam("hashes", expanding=True)))
)
_keys = select(device.c.pk, device.c.highest_prekey, device.c.last_resort).where(
    device.c.device_id == bindparam("device_id"), device.c.revoked_ms.is_(None)
)
_left = select(func.count()).select_from(prekey).where(prekey.c.device == bindparam("device"))
_lowest = (
    select(prekey.c.pk, prekey.c.signed)
    .where(prekey.c.device == bindparam("device"))
    .order_by(prekey.c.number)
    .limit(1)
)


def find_device(conn: Connection, name: str, device_id: bytes) -> Device | None:
    """The device of the account called ``name`` that is not revoked, or None."""
    row = conn.execute(_device, {"name": name, "device_id": device_id}).first()
    if row is None:
        return None
    return Device(row.device_id, row.certificate, Account(row.account_id, row.name, Role(row.role)))


def certificates(conn: Connection, hashes: Sequence[bytes]) -> list[Certified]:
    """Those of the certificates that are known, revoked ones included."""
    wanted = list(set(hashes))
    pages = [wanted[first : first + _HASHES] for first in range(0, len(wanted), _HASHES)]
    return [Certified(*row) for page in pages for row in conn.execute(_certified, {"hashes": page})]


def revoke(conn: Connection, cert_hash: bytes, leaf: LeafDraft, now_ms: int) -> bool:
    """Ends a device, deletes its prekeys, and appends the leaf; False where it is unknown or revoked already.

    Raises:
        Forbidden: It is the only device of the last administrator who can log in.
    """
    found = conn.execute(_valid, {"cert_hash": cert_hash}).first()
    if found is None:
        return False
    pk, name, administers = found.pk, found.name, found.role == int(Role.ADMIN) and not found.suspended
    if administers and conn.execute(_others, {"account": found.account, "pk": pk}).first() is None:
        require_another_administrator(conn, name)
    conn.execute(update(device).where(device.c.pk == pk).values(revoked_ms=now_ms, last_resort=None))
    conn.execute(delete(prekey).where(prekey.c.device == pk))
    append_leaves(conn, [leaf])
    return True


def publish_prekeys(conn: Connection, device_id: bytes, prekeys: Sequence[PrekeyItem], most: int) -> int:
    """Lists prekeys as `chatserv.ports.Store.publish_prekeys` says; returns how many one-time ones there are.

    Raises:
        NotFound: The device is unknown or revoked.
    """
    row = conn.execute(_keys, {"device_id": device_id}).first()
    if row is None:
        raise NotFound("device")
    left: int = conn.execute(_left, {"device": row.pk}).scalar_one()
    highest, last_resort = row.highest_prekey, row.last_resort
    taken: list[dict[str, Any]] = []
    for item in sorted(prekeys, key=lambda item: item.number):
        if is_last_resort(item.number):
            last_resort = item.signed
        elif item.number > highest and left + len(taken) < most:
            highest = item.number
            taken.append({"device": row.pk, "number": item.number, "signed": item.signed})
    conn.execute(update(device).where(device.c.pk == row.pk).values(highest_prekey=highest, last_resort=last_resort))
    if taken:
        conn.execute(insert(prekey), taken)
    return left + len(taken)


def take_prekey(conn: Connection, device_id: bytes, one_time: bool) -> TakenPrekey:
    """Gives out a prekey: of the one-time ones the lowest, which is deleted."""
    row = conn.execute(_keys, {"device_id": device_id}).first()
    if row is None:
        return TakenPrekey(None, 0)
    left: int = conn.execute(_left, {"device": row.pk}).scalar_one()
    found = conn.execute(_lowest, {"device": row.pk}).first() if one_time else None
    if found is None:
        return TakenPrekey(row.last_resort, left)
    conn.execute(delete(prekey).where(prekey.c.pk == found.pk))
    return TakenPrekey(found.signed, left - 1)


def prekeys_left(conn: Connection, device_id: bytes) -> int:
    """How many one-time prekeys the device has."""
    row = conn.execute(_keys, {"device_id": device_id}).first()
    return 0 if row is None else int(conn.execute(_left, {"device": row.pk}).scalar_one())
