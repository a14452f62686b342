"""Identity keys of accounts in the tables: which is the newest, and the next. Nobody here begins or ends a transaction."""

from sqlalchemy import Connection, bindparam, insert, select

from chatserv.crypto.suite import sha256
from chatserv.errors import BadKey, NotFound
from chatserv.models import LeafDraft
from chatserv.store.log_statements import append_leaves
from chatserv.store.schema import account, identity

_account = select(account.c.pk).where(account.c.name == bindparam("name"), account.c.gone_ms.is_(None))
_newest = (
    select(identity.c.fingerprint)
    .where(identity.c.account == bindparam("account"))
    .order_by(identity.c.pk.desc())
    .limit(1)
)
_new = insert(identity).returning(identity.c.pk)
_known = select(identity.c.pk).where(
    identity.c.account == bindparam("account"), identity.c.fingerprint == bindparam("fingerprint")
)


def account_key(conn: Connection, name: str) -> int:
    """The key of the account of that name. Raises `NotFound` where there is none, or none any more."""
    pk: int | None = conn.execute(_account, {"name": name}).scalar()
    if pk is None:
        raise NotFound("account")
    return pk


def require_newest(conn: Connection, account_pk: int, fingerprint: bytes) -> None:
    """Raises `BadKey` unless the account's newest identity key is the one with this fingerprint."""
    if conn.execute(_newest, {"account": account_pk}).scalar() != fingerprint:
        raise BadKey("not the newest identity of the account")


def add_identity(conn: Connection, account_pk: int, spki: bytes) -> int:
    """Makes a key the account's newest; returns the key of its row. Raises `BadKey` for one that it had before."""
    fingerprint = sha256(spki)
    if conn.execute(_known, {"account": account_pk, "fingerprint": fingerprint}).first() is not None:
        raise BadKey("an identity of before")
    row = {"account": account_pk, "fingerprint": fingerprint, "spki": spki}
    return int(conn.execute(_new, row).scalar_one())


def rotate(conn: Connection, name: str, before: bytes, spki: bytes, leaf: LeafDraft | None) -> None:
    """Puts a key in the place of the account's newest and appends the leaf.

    Raises:
        NotFound: No such account.
        BadKey: ``before`` is not the newest, or the account had the new key before.
    """
    pk = account_key(conn, name)
    require_newest(conn, pk, before)
    add_identity(conn, pk, spki)
    append_leaves(conn, [] if leaf is None else [leaf])
