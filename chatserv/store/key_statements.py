"""Devices, their certificates and prekeys in the tables. Nobody here begins or ends a transaction."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from chatserv.account_models import OwnDevice
from chatserv.crypto.prekeys import is_last_resort
from chatserv.domain.roles import Role
from chatserv.errors import NotFound
from chatserv.models import Account, Certified, Device, PrekeyItem, TakenPrekey
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
_devices = (
    select(device.c.device_id, device.c.cert_hash, device.c.created_ms, func.coalesce(device.c.seen_ms, 0))
    .join_from(device, account)
    .where(account.c.name == bindparam("name"), device.c.revoked_ms.is_(None))
    .order_by(device.c.pk)
)
_saw = (
    update(device)
    .where(device.c.device_id == bindparam("of_device"), func.coalesce(device.c.seen_ms, 0) < bindparam("now_ms"))
    .values(seen_ms=bindparam("now_ms"))
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
_listed = update(device).where(device.c.pk == bindparam("of_device"))
_new_prekeys = insert(prekey)


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


def devices(conn: Connection, name: str) -> list[OwnDevice]:
    """The valid devices of the account called ``name``, oldest first."""
    return [OwnDevice(*row) for row in conn.execute(_devices, {"name": name})]


def saw(conn: Connection, device_id: bytes, now_ms: int) -> None:
    """Notes when a device was here; never an earlier time than is noted."""
    conn.execute(_saw, {"of_device": device_id, "now_ms": now_ms})


def publish_prekeys(conn: Connection, device_id: bytes, prekeys: Sequence[PrekeyItem], most: int) -> int:
    """Lists prekeys as `chatserv.account_ports.AccountStore.publish_prekeys` says; returns how many one-time ones there are.

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
    conn.execute(_listed, {"of_device": row.pk, "highest_prekey": highest, "last_resort": last_resort})
    if taken:
        conn.execute(_new_prekeys, taken)
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
