"""The end of devices and accounts in the tables. Nobody here begins or ends a transaction."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, exists, select, update

from chatserv.domain.roles import Role
from chatserv.errors import Forbidden
from chatserv.models import LeafDraft
from chatserv.store.identity_statements import account_key, require_newest
from chatserv.store.log_statements import append_leaves
from chatserv.store.schema import (
    account,
    backup,
    consent,
    device,
    invite,
    login_network,
    place,
    prekey,
    read_mark,
    room,
    wrap,
)

_has_device = exists().where(device.c.account == account.c.pk, device.c.revoked_ms.is_(None))
_another_administrator = (
    select(account.c.pk)
    .where(
        account.c.role == int(Role.ADMIN),
        account.c.suspended.is_(False),
        account.c.name != bindparam("name"),
        _has_device,
    )
    .limit(1)
)
_valid_device = (
    select(device.c.pk, device.c.account, account.c.name, account.c.role, account.c.suspended)
    .join_from(device, account)
    .where(device.c.cert_hash == bindparam("cert_hash"), device.c.revoked_ms.is_(None))
)
_others = (
    select(device.c.pk)
    .where(device.c.account == bindparam("account"), device.c.pk != bindparam("pk"), device.c.revoked_ms.is_(None))
    .limit(1)
)
_devices = select(device.c.pk).where(device.c.account == bindparam("account"), device.c.revoked_ms.is_(None))
_id = select(device.c.device_id).where(device.c.pk == bindparam("of")).scalar_subquery()
_forget_wraps = delete(wrap).where(
    wrap.c.room.in_(select(place.c.room).where(place.c.device_id == _id)), wrap.c.device_id == _id
)
_end_places = (
    update(place)
    .where(place.c.device_id == _id, place.c.until.is_(None))
    .values(until=select(room.c.head).where(room.c.pk == place.c.room).scalar_subquery())
)
_forget_prekeys = delete(prekey).where(prekey.c.device == bindparam("of"))
_end_device = (
    update(device).where(device.c.pk == bindparam("of")).values(revoked_ms=bindparam("at_ms"), last_resort=None)
)


def require_another_administrator(conn: Connection, name: str) -> None:
    """Raises `Forbidden` where nobody but ``name`` is an administrator who can log in."""
    if conn.execute(_another_administrator, {"name": name}).first() is None:
        raise Forbidden("the last administrator")


def revoke(conn: Connection, cert_hash: bytes, leaf: LeafDraft | None, now_ms: int, signer: bytes) -> bool:
    """Ends a device and appends the leaf; False where it is unknown or revoked already.

    Raises:
        BadKey: ``signer`` is not the fingerprint of its user's newest identity key.
        Forbidden: It is the only device of the last administrator who can log in.
    """
    found = conn.execute(_valid_device, {"cert_hash": cert_hash}).first()
    if found is None:
        return False
    require_newest(conn, found.account, signer)
    pk, administers = found.pk, found.role == int(Role.ADMIN) and not found.suspended
    if administers and conn.execute(_others, {"account": found.account, "pk": pk}).first() is None:
        require_another_administrator(conn, found.name)
    _end(conn, [pk], now_ms)
    append_leaves(conn, [] if leaf is None else [leaf])
    return True


def device_of(conn: Connection, cert_hash: bytes) -> bytes:
    """The id of the device with that certificate, which there has to be."""
    found: bytes = conn.execute(select(device.c.device_id).where(device.c.cert_hash == cert_hash)).scalar_one()
    return found


def end_devices(conn: Connection, account_pk: int, now_ms: int) -> None:
    """Ends all devices of an account: their places, prekeys and wraps."""
    _end(conn, list(conn.execute(_devices, {"account": account_pk}).scalars()), now_ms)


def _end(conn: Connection, pks: Sequence[int], now_ms: int) -> None:
    if not pks:
        return
    rows = [{"of": pk, "at_ms": now_ms} for pk in pks]
    for statement in (_forget_wraps, _end_places, _forget_prekeys, _end_device):
        conn.execute(statement, rows)


def end_account(conn: Connection, name: str, leaf: LeafDraft | None, now_ms: int, signer: bytes | None) -> None:
    """Ends an account and appends the leaf, as `chatserv.account_ports.AccountStore.end_account` says.

    Raises:
        NotFound: No such account.
        BadKey: ``signer`` is not None, and not the fingerprint of its newest identity key.
        Forbidden: It is the last administrator who can log in.
    """
    pk = account_key(conn, name)
    if signer is not None:
        require_newest(conn, pk, signer)
    row = conn.execute(select(account.c.role, account.c.suspended).where(account.c.pk == pk)).one()
    if row.role == int(Role.ADMIN) and not row.suspended:
        require_another_administrator(conn, name)
    end_devices(conn, pk, now_ms)
    forget(conn, pk)
    conn.execute(delete(read_mark).where(read_mark.c.account == pk))
    conn.execute(delete(consent).where(consent.c.user == name))
    forget_resets(conn, name)
    nothing = {"verifier": b"", "role": int(Role.USER), "suspended": False, "muted": False}
    conn.execute(update(account).where(account.c.pk == pk).values(gone_ms=now_ms, **nothing))
    append_leaves(conn, [] if leaf is None else [leaf])


def forget(conn: Connection, account_pk: int) -> None:
    """Deletes what an account's person has left here to come back by: the backup, and where they have logged in from."""
    for table in (backup, login_network):
        conn.execute(delete(table).where(table.c.account == account_pk))


def forget_resets(conn: Connection, name: str) -> None:
    """Links that would reset the identity of this account work no more."""
    conn.execute(delete(invite).where(invite.c.reset.is_(True), invite.c.used_by.is_(None), invite.c.name == name))
