"""What is read from and written to the tables: synchronous functions of a connection and values.

Nobody here begins or ends a transaction. Every rule is checked before the first write of a function, so that a refusal
leaves nothing behind.
"""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, update

from chatserv import ports
from chatserv.domain.roles import Role
from chatserv.errors import BadMessage, InviteInvalid, LocalProtocolError, NameTaken, Quota
from chatserv.store.limits import StoreLimits
from chatserv.store.schema import account, device, event, invite, membership, meta, room

INCARNATION = "incarnation"

_device = (
    select(device.c.device_id, device.c.certificate, account.c.account_id, account.c.name, account.c.role)
    .join_from(device, account)
    .where(account.c.name == bindparam("name"), device.c.device_id == bindparam("device_id"))
)
_registered = (
    select(account.c.account_id, account.c.name, account.c.role)
    .join_from(account, device)
    .where(account.c.name == bindparam("name"), device.c.cert_hash == bindparam("cert_hash"))
)
_rooms = select(room.c.room_id, room.c.name, room.c.epoch, room.c.head).order_by(room.c.pk)
_memberships = (
    select(room.c.room_id, account.c.account_id, membership.c.since)
    .join_from(membership, account)
    .join(room)
    .where(account.c.account_id == bindparam("account_id"))
    .order_by(room.c.pk)
)
_events = (
    select(event.c.seq, event.c.at_ms, event.c.sender, event.c.kind, event.c.body)
    .join_from(event, room)
    .where(room.c.room_id == bindparam("room_id"), event.c.seq > bindparam("after"))
    .limit(bindparam("count"))
)
_events_after = _events.order_by(event.c.seq)
_events_before = _events.where(event.c.seq < bindparam("before")).order_by(event.c.seq.desc())


def incarnation(conn: Connection) -> bytes | None:
    """The id of this life of the database (16 bytes), or None before it has one."""
    value: bytes | None = conn.execute(select(meta.c.value).where(meta.c.key == INCARNATION)).scalar()
    return value


def renew_incarnation(conn: Connection) -> bytes:
    """Gives the database a new random incarnation id, as after a restore."""
    value = secrets.token_bytes(16)
    conn.execute(delete(meta).where(meta.c.key == INCARNATION))
    conn.execute(insert(meta).values(key=INCARNATION, value=value))
    return value


def add_room(conn: Connection, name: str, *, public: bool, epoch: int = 0) -> bytes:
    """Makes an empty room and returns its random id (16 bytes)."""
    room_id = secrets.token_bytes(16)
    conn.execute(insert(room).values(room_id=room_id, name=name, public=public, epoch=epoch, head=0))
    return room_id


def administrator_exists(conn: Connection) -> bool:
    """Whether any account is an administrator."""
    return conn.execute(select(account.c.pk).where(account.c.role == Role.ADMIN).limit(1)).first() is not None


def add_invite(conn: Connection, new: ports.Invite, now_ms: int, limits: StoreLimits) -> None:
    """Stores an invite and deletes those that expired unused; used ones stay recorded.

    Raises:
        Quota: ``limits.open_invites`` invites are open.
        LocalProtocolError: The token exists.
    """
    unused = invite.c.used_by.is_(None)
    still_open = select(func.count()).select_from(invite).where(unused, invite.c.expires_ms > now_ms)
    if conn.execute(still_open).scalar_one() >= limits.open_invites:
        raise Quota("open invites")
    conn.execute(delete(invite).where(unused, invite.c.expires_ms <= now_ms))
    if conn.execute(select(invite.c.pk).where(invite.c.token_hash == new.token_hash)).first() is not None:
        raise LocalProtocolError("the token of this invite exists")
    conn.execute(
        insert(invite).values(token_hash=new.token_hash, role=int(new.role), expires_ms=new.expires_ms, name=new.name)
    )


def invite_works(conn: Connection, token_hash: bytes, now_ms: int) -> bool:
    """Whether the invite is known, unused and not expired."""
    usable = (invite.c.token_hash == token_hash) & invite.c.used_by.is_(None) & (invite.c.expires_ms > now_ms)
    return conn.execute(select(invite.c.pk).where(usable)).first() is not None


def register(conn: Connection, new: ports.Registration, now_ms: int, limits: StoreLimits) -> ports.Account:
    """Makes account, device and memberships and uses up the invite; a repetition answers with the same account.

    Raises:
        InviteInvalid: The invite is unknown, used, expired or for another name.
        NameTaken: The name or its skeleton exists.
        Quota: There are ``limits.accounts`` accounts.
        BadMessage: The device id or the certificate belongs to another account.
    """
    cert_hash = hashlib.sha256(new.certificate).digest()
    again = conn.execute(_registered, {"name": new.name, "cert_hash": cert_hash}).first()
    if again is not None:
        return ports.Account(again.account_id, again.name, Role(again.role))
    role = _invited_role(conn, new, now_ms)
    if conn.execute(
        select(account.c.pk).where((account.c.name == new.name) | (account.c.skeleton == new.skeleton))
    ).first():
        raise NameTaken("name or skeleton")
    if conn.execute(select(func.count()).select_from(account)).scalar_one() >= limits.accounts:
        raise Quota("accounts")
    if conn.execute(
        select(device.c.pk).where((device.c.device_id == new.device_id) | (device.c.cert_hash == cert_hash))
    ).first():
        raise BadMessage("device exists")
    account_id = secrets.token_bytes(16)
    pk = conn.execute(
        insert(account)
        .values(
            account_id=account_id,
            name=new.name,
            skeleton=new.skeleton,
            role=int(role),
            identity_spki=new.identity_spki,
            verifier=new.verifier,
            created_ms=now_ms,
        )
        .returning(account.c.pk)
    ).scalar_one()
    conn.execute(
        insert(device).values(
            device_id=new.device_id,
            account=pk,
            certificate=new.certificate,
            cert_hash=cert_hash,
            created_ms=now_ms,
        )
    )
    public = select(bindparam("account", pk), room.c.pk, room.c.head).where(room.c.public)
    conn.execute(insert(membership).from_select(["account", "room", "since"], public))
    if new.token_hash is not None:
        conn.execute(
            update(invite).where(invite.c.token_hash == new.token_hash).values(used_by=cert_hash, used_ms=now_ms)
        )
    return ports.Account(account_id, new.name, role)


def _invited_role(conn: Connection, new: ports.Registration, now_ms: int) -> Role:
    if new.token_hash is None:
        return Role.USER
    found = conn.execute(select(invite).where(invite.c.token_hash == new.token_hash)).first()
    if found is None or found.used_by is not None:
        raise InviteInvalid("unknown or used")
    if found.expires_ms <= now_ms:
        raise InviteInvalid("expired")
    if found.name not in {"", new.name}:
        raise InviteInvalid("for another name")
    return Role(found.role)


def find_device(conn: Connection, name: str, device_id: bytes) -> ports.Device | None:
    """The device of the account called ``name``, or None."""
    row = conn.execute(_device, {"name": name, "device_id": device_id}).first()
    if row is None:
        return None
    return ports.Device(row.device_id, row.certificate, ports.Account(row.account_id, row.name, Role(row.role)))


def rooms(conn: Connection) -> list[ports.Room]:
    """All rooms, oldest first."""
    return [ports.Room(*row) for row in conn.execute(_rooms)]


def memberships(conn: Connection, account_id: bytes) -> list[ports.Membership]:
    """The rooms of an account; empty for an unknown one."""
    return [ports.Membership(*row) for row in conn.execute(_memberships, {"account_id": account_id})]


def events(conn: Connection, room_id: bytes, after: int, limit: int) -> list[ports.Event]:
    """Up to ``limit`` events with ``seq > after``, in order of seq."""
    return _page(conn, _events_after, room_id, {"after": after, "count": max(limit, 0)})


def events_before(conn: Connection, room_id: bytes, before: int, since: int, limit: int) -> list[ports.Event]:
    """The last ``limit`` events with ``since < seq < before``, in order of seq."""
    return _page(conn, _events_before, room_id, {"after": since, "before": before, "count": max(limit, 0)})[::-1]


def _page(conn: Connection, query: Select[Any], room_id: bytes, bounds: dict[str, int]) -> list[ports.Event]:
    rows: Sequence[Any] = conn.execute(query, {"room_id": room_id, **bounds}).all()
    return [
        ports.Event(room_id, seq, at_ms, sender, ports.EventKind(kind), body) for seq, at_ms, sender, kind, body in rows
    ]
