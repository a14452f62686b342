"""Invites and registrations in the tables. Nobody here begins or ends a transaction; a refusal leaves nothing behind."""

import secrets
from typing import Any

from sqlalchemy import Connection, bindparam, delete, false, func, insert, select, update

from chatserv.crypto.suite import sha256
from chatserv.domain.roles import Role
from chatserv.errors import BadMessage, InviteInvalid, NameTaken, Quota
from chatserv.local_errors import LocalProtocolError
from chatserv.models import Account, Invite, Registration
from chatserv.store.ending_statements import end_devices, forget
from chatserv.store.identity_statements import account_key, add_identity
from chatserv.store.limits import StoreLimits
from chatserv.store.log_statements import append_leaves
from chatserv.store.schema import account, device, invite

_registered = (
    select(account.c.account_id, account.c.name, account.c.role)
    .join_from(account, device)
    .where(
        account.c.name == bindparam("name"),
        account.c.gone_ms.is_(None),
        device.c.cert_hash == bindparam("cert_hash"),
    )
)
_MADE = (account.c.pk, account.c.account_id, account.c.role)
_new_account = insert(account).returning(*_MADE)
_accounts = select(func.count()).select_from(account)
_highest = select(func.coalesce(func.max(account.c.pk), 0))
_same_name = select(account.c.pk).where(
    (account.c.name == bindparam("name")) | (account.c.skeleton == bindparam("skeleton"))
)
_new_device = insert(device)
_same_device = select(device.c.pk).where(
    (device.c.device_id == bindparam("device_id")) | (device.c.cert_hash == bindparam("cert_hash"))
)
_open = select(invite.c.role, invite.c.expires_ms, invite.c.name, invite.c.reset).where(
    invite.c.token_hash == bindparam("token_hash"), invite.c.used_by.is_(None)
)


def add_invite(conn: Connection, new: Invite, now_ms: int, limits: StoreLimits) -> None:
    """Stores an invite and deletes those that expired unused; used ones stay recorded.

    Raises:
        NotFound: It resets an account that there is not.
        Quota: ``limits.open_invites`` invites are open.
        LocalProtocolError: The token exists.
    """
    unused = invite.c.used_by.is_(None)
    if new.reset:
        account_key(conn, new.name)
    replaced = unused & (invite.c.reset.is_(True) & (invite.c.name == new.name) if new.reset else false())
    still_open = select(func.count()).select_from(invite).where(unused, invite.c.expires_ms > now_ms, ~replaced)
    if conn.execute(still_open).scalar_one() >= limits.open_invites:
        raise Quota("open invites")
    conn.execute(delete(invite).where(unused & (invite.c.expires_ms <= now_ms) | replaced))
    if conn.execute(select(invite.c.pk).where(invite.c.token_hash == new.token_hash)).first() is not None:
        raise LocalProtocolError("the token of this invite exists")
    conn.execute(
        insert(invite).values(
            token_hash=new.token_hash,
            role=int(new.role),
            expires_ms=new.expires_ms,
            name=new.name,
            reset=new.reset,
        )
    )


def find_invite(conn: Connection, token_hash: bytes) -> Invite | None:
    """The invite with this token that was not used, or None."""
    row = conn.execute(_open, {"token_hash": token_hash}).first()
    return None if row is None else Invite(token_hash, Role(row.role), row.expires_ms, row.name, row.reset)


def invite_works(conn: Connection, token_hash: bytes, now_ms: int) -> bool:
    """Whether the invite is known, unused and not expired."""
    usable = (invite.c.token_hash == token_hash) & invite.c.used_by.is_(None) & (invite.c.expires_ms > now_ms)
    return conn.execute(select(invite.c.pk).where(usable)).first() is not None


def is_registered(conn: Connection, new: Registration) -> bool:
    """Whether the registration was carried out already."""
    row = {"name": new.name, "cert_hash": sha256(new.certificate)}
    return conn.execute(_registered, row).first() is not None


def administrator_invited(conn: Connection, now_ms: int) -> bool:
    """Whether somebody has an invite, unused and not expired, by which an administrator comes in."""
    usable = invite.c.used_by.is_(None) & (invite.c.expires_ms > now_ms) & (invite.c.role == int(Role.ADMIN))
    return conn.execute(select(invite.c.pk).where(usable)).first() is not None


def register(conn: Connection, new: Registration, now_ms: int, limits: StoreLimits) -> Account:
    """Makes account, identity and device, or resets an account; uses up the invite, and appends the leaves.

    A repetition answers with the same account.

    Raises:
        InviteInvalid: The invite is unknown, used, expired, for another name, or for a reset and this is none.
        NameTaken: The name or its skeleton exists, or did.
        Quota: There are ``limits.accounts`` accounts, or none may have a device.
        BadMessage: The device id or the certificate belongs to another account.
        BadKey: A reset to an identity that the account had before.
    """
    cert_hash = sha256(new.certificate)
    again = conn.execute(_registered, {"name": new.name, "cert_hash": cert_hash}).first()
    if again is not None:
        return Account(again.account_id, again.name, Role(again.role))
    role = _invited_role(conn, new, now_ms)
    if not new.reset:
        _check_name(conn, new, limits)
    if conn.execute(_same_device, {"device_id": new.device_id, "cert_hash": cert_hash}).first():
        raise BadMessage("device exists")
    if limits.devices < 1:
        raise Quota("devices")
    made = _reset(conn, new, now_ms) if new.reset else _make(conn, new, role, now_ms)
    row = {
        "device_id": new.device_id,
        "account": made.pk,
        "identity": add_identity(conn, made.pk, new.identity_spki),
        "certificate": new.certificate,
        "cert_hash": cert_hash,
        "created_ms": now_ms,
        "highest_prekey": -1,
    }
    conn.execute(_new_device, row)
    if new.token_hash is not None:
        conn.execute(
            update(invite).where(invite.c.token_hash == new.token_hash).values(used_by=cert_hash, used_ms=now_ms)
        )
    append_leaves(conn, new.leaves)
    return Account(made.account_id, new.name, Role(made.role))


def _check_name(conn: Connection, new: Registration, limits: StoreLimits) -> None:
    if conn.execute(_same_name, {"name": new.name, "skeleton": new.skeleton}).first():
        raise NameTaken("name or skeleton")
    highest = conn.execute(_highest).scalar_one()  # keys are numbers from 1 on: there are no more than that
    if highest >= limits.accounts and conn.execute(_accounts).scalar_one() >= limits.accounts:
        raise Quota("accounts")


def _make(conn: Connection, new: Registration, role: Role, now_ms: int) -> Any:
    values = {
        "account_id": secrets.token_bytes(16),
        "name": new.name,
        "skeleton": new.skeleton,
        "role": int(role),
        "verifier": new.verifier,
        "created_ms": now_ms,
    }
    return conn.execute(_new_account, values).one()


def _reset(conn: Connection, new: Registration, now_ms: int) -> Any:
    """What the account has from before goes, but for its role and its name."""
    pk = account_key(conn, new.name)
    end_devices(conn, pk, now_ms)
    forget(conn, pk)
    changed = update(account).where(account.c.pk == pk).values(verifier=new.verifier)
    return conn.execute(changed.returning(*_MADE)).one()


def _invited_role(conn: Connection, new: Registration, now_ms: int) -> Role:
    if new.mended or (new.token_hash is None and not new.reset):
        return Role.USER
    found = conn.execute(select(invite).where(invite.c.token_hash == new.token_hash)).first()
    if found is None or found.used_by is not None:
        raise InviteInvalid("unknown or used")
    if found.expires_ms <= now_ms:
        raise InviteInvalid("expired")
    if found.name not in {"", new.name}:
        raise InviteInvalid("for another name")
    if found.reset != new.reset:
        raise InviteInvalid("to reset an account" if found.reset else "not to reset an account")
    return Role(found.role)
