"""What a login by password goes by, and new devices of an account that there is, in the tables.

Nobody here begins or ends a transaction. Every rule is checked before the first write of a function, so that a refusal
leaves nothing behind.
"""

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from chatserv.account_models import Enrolment, PasswordLogin
from chatserv.crypto.suite import sha256
from chatserv.domain.roles import Role
from chatserv.errors import BadKey, BadMessage, NotFound, Quota
from chatserv.models import Account
from chatserv.store.identity_statements import require_newest
from chatserv.store.limits import StoreLimits
from chatserv.store.log_statements import append_leaves
from chatserv.store.schema import account, device, identity, login_network

_NOBODY = -1
_account = select(account.c.pk, account.c.account_id, account.c.name, account.c.role, account.c.verifier).where(
    account.c.name == bindparam("name")
)
_identity = (
    select(identity.c.pk, identity.c.spki)
    .where(identity.c.account == bindparam("account"))
    .order_by(identity.c.pk.desc())
    .limit(1)
)
_networks = select(login_network.c.network).where(login_network.c.account == bindparam("account"))
_here = select(account.c.pk).where(account.c.account_id == bindparam("account_id"), account.c.gone_ms.is_(None))
_mine = login_network.c.account == bindparam("of_account")
_newest = (
    select(login_network.c.network)
    .where(_mine)
    .order_by(login_network.c.at_ms.desc(), login_network.c.network)
    .limit(bindparam("most"))
)
_forget = delete(login_network).where(_mine, login_network.c.network.not_in(_newest))
_again = (
    update(login_network)
    .where(login_network.c.account == _here.scalar_subquery(), login_network.c.network == bindparam("of_network"))
    .values(at_ms=bindparam("now_ms"))
)
_note = insert(login_network)
_same_device = select(device.c.pk, device.c.account, device.c.revoked_ms, device.c.cert_hash).where(
    (device.c.device_id == bindparam("device_id")) | (device.c.cert_hash == bindparam("cert_hash"))
)
_valid = (
    select(func.count())
    .select_from(device)
    .where(device.c.account == bindparam("account"), device.c.revoked_ms.is_(None))
)


def login(conn: Connection, name: str) -> PasswordLogin | None:
    """What a login of that account goes by; None where there is none with a password. Either takes the same queries."""
    found = conn.execute(_account, {"name": name}).first()
    pk = _NOBODY if found is None else found.pk
    key = conn.execute(_identity, {"account": pk}).first()
    networks = frozenset(conn.execute(_networks, {"account": pk}).scalars())
    if found is None or key is None or not found.verifier:
        return None
    return PasswordLogin(Account(found.account_id, found.name, Role(found.role)), found.verifier, key.spki, networks)


def set_verifier(conn: Connection, account_id: bytes, verifier: bytes, signer: bytes) -> None:
    """Puts another verifier in the place of an account's.

    Raises:
        NotFound: There is none with a password.
        BadKey: ``signer`` is not the fingerprint of its newest identity key.
    """
    with_password = (account.c.account_id == account_id) & (func.length(account.c.verifier) > 0)
    pk = conn.execute(select(account.c.pk).where(with_password)).scalar()
    if pk is None:
        raise NotFound("account")
    require_newest(conn, pk, signer)
    conn.execute(update(account).where(account.c.pk == pk).values(verifier=verifier))


def note_network(conn: Connection, account_id: bytes, network: bytes, now_ms: int, limits: StoreLimits) -> None:
    """The account has logged in from there; beyond ``limits.networks`` the one that was used longest ago is forgotten."""
    if conn.execute(_again, {"account_id": account_id, "of_network": network, "now_ms": now_ms}).rowcount:
        return
    pk = conn.execute(_here, {"account_id": account_id}).scalar()
    if pk is None:
        return
    conn.execute(_note, {"account": pk, "network": network, "at_ms": now_ms})
    conn.execute(_forget, {"of_account": pk, "most": limits.networks})


def enrol(conn: Connection, new: Enrolment, now_ms: int, limits: StoreLimits) -> None:
    """Makes a device of an account and appends its leaf; a repetition does nothing.

    Raises:
        NotFound: No such account.
        BadKey: The identity that signed is not the account's newest, or the certificate was revoked.
        BadMessage: The device's id is another one's.
        Quota: The account has ``limits.devices`` devices that are not revoked.
    """
    owner, cert_hash = conn.execute(_account, {"name": new.name}).first(), sha256(new.certificate)
    if owner is None or not owner.verifier:
        raise NotFound("account")
    known = conn.execute(_same_device, {"device_id": new.device_id, "cert_hash": cert_hash}).first()
    if known is not None and (known.account != owner.pk or known.cert_hash != cert_hash):
        raise BadMessage("device exists")
    if known is not None and known.revoked_ms is None:
        return
    key = conn.execute(_identity, {"account": owner.pk}).first()
    if known is not None or key is None or key.spki != new.identity_spki:
        raise BadKey("device certificate: revoked, or by another identity than the newest")
    if conn.execute(_valid, {"account": owner.pk}).scalar_one() >= limits.devices:
        raise Quota("devices")
    conn.execute(
        insert(device).values(
            device_id=new.device_id,
            account=owner.pk,
            identity=key.pk,
            certificate=new.certificate,
            cert_hash=cert_hash,
            created_ms=now_ms,
            highest_prekey=-1,
        )
    )
    append_leaves(conn, [] if new.leaf is None else [new.leaf])
