"""Accounts and bans in the tables: synchronous functions of a connection and values.

Nobody here begins or ends a transaction. Every rule is checked before the first write of a function, so that a refusal
leaves nothing behind.
"""

from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from chatserv.domain.roles import Role
from chatserv.errors import Forbidden, NotFound, Quota
from chatserv.models import Account, AccountStatus, Ban, BanKind
from chatserv.store.ending_statements import require_another_administrator
from chatserv.store.limits import StoreLimits
from chatserv.store.schema import account, ban

account_status = select(
    account.c.account_id, account.c.name, account.c.role, account.c.suspended, account.c.muted, account.c.created_ms
).where(account.c.gone_ms.is_(None))
_account = account_status.where(account.c.name == bindparam("name"), account.c.gone_ms.is_(None))
_accounts = (
    account_status.where(account.c.name > bindparam("after"), account.c.gone_ms.is_(None))
    .order_by(account.c.name)
    .limit(bindparam("count"))
)
_account_ban = select(ban.c.pk).where(ban.c.subject == bindparam("name"), ban.c.kind == BanKind.ACCOUNT.value)
_bans = select(ban.c.kind, ban.c.subject, ban.c.by, ban.c.at_ms).order_by(ban.c.subject, ban.c.kind)


def administrator_exists(conn: Connection) -> bool:
    """Whether any account is an administrator."""
    return conn.execute(select(account.c.pk).where(account.c.role == int(Role.ADMIN)).limit(1)).first() is not None


def find_account(conn: Connection, name: str) -> AccountStatus | None:
    """The account of that name, or None; also where there is none any more."""
    row = conn.execute(_account, {"name": name}).first()
    return None if row is None else as_status(row)


def name_of(conn: Connection, account_id: bytes) -> str:
    """The name of an account, which there has to be."""
    return str(conn.execute(select(account.c.name).where(account.c.account_id == account_id)).scalar_one())


def accounts(conn: Connection, after: str, limit: int) -> list[AccountStatus]:
    """Up to ``limit`` accounts with ``name > after``, in order of name."""
    return [as_status(row) for row in conn.execute(_accounts, {"after": after, "count": max(limit, 0)})]


def set_account(
    conn: Connection, name: str, role: Role | None, suspended: bool | None, muted: bool | None
) -> AccountStatus:
    """Changes what is not None.

    Raises:
        NotFound: No such account.
        Forbidden: It is the last administrator who is not suspended, and would be that no longer; or it is banned, and would
            administer.
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
    if role is Role.ADMIN and conn.execute(_account_ban, {"name": name}).first() is not None:
        raise Forbidden("server role: of a banned account")
    conn.execute(
        update(account)
        .where(account.c.name == name)
        .values(role=int(new.account.role), suspended=new.suspended, muted=new.muted)
    )
    return new


def set_ban(conn: Connection, new: Ban, on: bool, limits: StoreLimits) -> None:
    """Adds a ban, or lifts it; one that is there stays as it was made.

    Raises:
        Forbidden: Of an administrator.
        Quota: There are ``limits.bans`` bans.
    """
    if on and new.kind is BanKind.ACCOUNT:
        status = find_account(conn, new.subject)
        if status is not None and status.account.role is Role.ADMIN:
            raise Forbidden("ban: of an administrator")
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


def as_status(row: Any) -> AccountStatus:
    """An account, from the columns of `account_status`."""
    account_id, name, role, suspended, muted, created_ms = row
    return AccountStatus(Account(account_id, name, Role(role)), suspended, muted, created_ms)


def _administers(status: AccountStatus) -> bool:
    return status.account.role is Role.ADMIN and not status.suspended
