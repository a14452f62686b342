"""Invites, accounts and bans in the tables: synchronous functions of a connection and values.

Nobody here begins or ends a transaction. Every rule is checked before the first write of a function, so that a refusal
leaves nothing behind.
"""

import secrets
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, update

from chatserv.crypto.suite import sha256
from chatserv.domain.roles import Role
from chatserv.errors import BadMessage, Forbidden, InviteInvalid, NameTaken, NotFound, Quota
from chatserv.local_errors import LocalProtocolError
from chatserv.models import Account, AccountStatus, Ban, BanKind, Invite, Registration
from chatserv.store.limits import StoreLimits
from chatserv.store.log_statements import append_leaves
from chatserv.store.schema import account, ban, device, identity, invite

_registered = (
    select(account.c.account_id, account.c.name, account.c.role)
    .join_from(account, device)
    .where(account.c.name == bindparam("name"), device.c.cert_hash == bindparam("cert_hash"))
)
_status = select(
    account.c.account_id, account.c.name, account.c.role, account.c.suspended, account.c.muted, account.c.created_ms
)
_account = _status.where(account.c.name == bindparam("name"))
_accounts = _status.where(account.c.name > bindparam("after")).order_by(account.c.name).limit(bindparam("count"))
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
_bans = select(ban.c.kind, ban.c.subject, ban.c.by, ban.c.at_ms).order_by(ban.c.subject, ban.c.kind)


def administrator_exists(conn: Connection) -> bool:
    """Whether any account is an administrator."""
    return conn.execute(select(account.c.pk).where(account.c.role == int(Role.ADMIN)).limit(1)).first() is not None


def add_invite(conn: Connection, new: Invite, now_ms: int, limits: StoreLimits) -> None:
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


def register(conn: Connection, new: Registration, now_ms: int, limits: StoreLimits) -> Account:
    """Makes account, identity and device, uses up the invite, and appends the leaves.

    A repetition answers with the same account.

    Raises:
        InviteInvalid: The invite is unknown, used, expired or for another name.
        NameTaken: The name or its skeleton exists.
        Quota: There are ``limits.accounts`` accounts, or the account has ``limits.devices`` devices.
        BadMessage: The device id or the certificate belongs to another account.
    """
    cert_hash = sha256(new.certificate)
    again = conn.execute(_registered, {"name": new.name, "cert_hash": cert_hash}).first()
    if again is not None:
        return Account(again.account_id, again.name, Role(again.role))
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
    if limits.devices < 1:
        raise Quota("devices")
    account_id = secrets.token_bytes(16)
    pk = conn.execute(
        insert(account)
        .values(
            account_id=account_id,
            name=new.name,
            skeleton=new.skeleton,
            role=int(role),
            verifier=new.verifier,
            created_ms=now_ms,
        )
        .returning(account.c.pk)
    ).scalar_one()
    _add_device(conn, pk, new, cert_hash, now_ms)
    if new.token_hash is not None:
        conn.execute(
            update(invite).where(invite.c.token_hash == new.token_hash).values(used_by=cert_hash, used_ms=now_ms)
        )
    append_leaves(conn, new.leaves)
    return Account(account_id, new.name, role)


def _add_device(conn: Connection, account_pk: int, new: Registration, cert_hash: bytes, now_ms: int) -> None:
    key = conn.execute(
        insert(identity)
        .values(account=account_pk, fingerprint=sha256(new.identity_spki), spki=new.identity_spki)
        .returning(identity.c.pk)
    ).scalar_one()
    conn.execute(
        insert(device).values(
            device_id=new.device_id,
            account=account_pk,
            identity=key,
            certificate=new.certificate,
            cert_hash=cert_hash,
            created_ms=now_ms,
            highest_prekey=-1,
        )
    )


def _invited_role(conn: Connection, new: Registration, now_ms: int) -> Role:
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


def find_account(conn: Connection, name: str) -> AccountStatus | None:
    """The account of that name, or None."""
    row = conn.execute(_account, {"name": name}).first()
    return None if row is None else _as_status(row)


def accounts(conn: Connection, after: str, limit: int) -> list[AccountStatus]:
    """Up to ``limit`` accounts with ``name > after``, in order of name."""
    return [_as_status(row) for row in conn.execute(_accounts, {"after": after, "count": max(limit, 0)})]


def set_account(
    conn: Connection, name: str, role: Role | None, suspended: bool | None, muted: bool | None
) -> AccountStatus:
    """Changes what is not None.

    Raises:
        NotFound: No such account.
        Forbidden: It is the last administrator who is not suspended, and would be that no longer.
    """
    old = find_account(conn, name)
    if old is None:
        raise NotFound("account")
    new = AccountStatus(
        Account(old.account.account_id, name, old.account.role if role is None else role),
        old.suspended if suspended is None else suspended,
        old.muted if muted is None else muted,
        old.created_ms,
    )
    if _administers(old) and not _administers(new):
        require_another_administrator(conn, name)
    conn.execute(
        update(account)
        .where(account.c.name == name)
        .values(role=int(new.account.role), suspended=new.suspended, muted=new.muted)
    )
    return new


def require_another_administrator(conn: Connection, name: str) -> None:
    """Raises `Forbidden` where nobody but ``name`` is an administrator who can log in."""
    if conn.execute(_another_administrator, {"name": name}).first() is None:
        raise Forbidden("the last administrator")


def set_ban(conn: Connection, new: Ban, on: bool, limits: StoreLimits) -> None:
    """Adds a ban, or lifts it; one that is there stays as it was made.

    Raises:
        Quota: There are ``limits.bans`` bans.
    """
    same = (ban.c.subject == new.subject) & (ban.c.kind == new.kind.value)
    if not on:
        conn.execute(delete(ban).where(same))
    elif conn.execute(select(ban.c.pk).where(same)).first() is None:
        if conn.execute(select(func.count()).select_from(ban)).scalar_one() >= limits.bans:
            raise Quota("bans")
        conn.execute(insert(ban).values(subject=new.subject, kind=new.kind.value, by=new.by, at_ms=new.at_ms))


def bans(conn: Connection) -> list[Ban]:
    """All bans, in order of subject."""
    return [Ban(BanKind(kind), subject, by, at_ms) for kind, subject, by, at_ms in conn.execute(_bans)]


def _as_status(row: Any) -> AccountStatus:
    account_id, name, role, suspended, muted, created_ms = row
    return AccountStatus(Account(account_id, name, Role(role)), suspended, muted, created_ms)


def _administers(status: AccountStatus) -> bool:
    return status.account.role is Role.ADMIN and not status.suspended
