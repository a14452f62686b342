"""End-to-end rooms: commits, places and wraps; the log and keys; bans, suspended and muted accounts, read markers.

The rooms of the foundation go, with their events: nothing was encrypted there. Accounts stay, and enter the log.
"""

import sqlalchemy as sa
from alembic import op

from chatserv.crypto.log_leaves import LeafType, user_leaf
from chatserv.crypto.statements import certificate_facts
from chatserv.crypto.suite import sha256

revision = "0002"
down_revision = "0001"

_accounts = sa.text("SELECT pk, name, created_ms, identity_spki FROM account ORDER BY pk")
_devices = sa.text("SELECT certificate, cert_hash, created_ms FROM device WHERE account = :account ORDER BY pk")
_leaf = sa.text("INSERT INTO log_leaf (number, leaf, statement) VALUES (:number, :leaf, :statement)")
_identity = sa.text("INSERT INTO identity (account, fingerprint, spki) VALUES (:account, :fingerprint, :spki)")


def upgrade() -> None:
    """Replaces the rooms, adds the new tables, and writes the accounts into the log."""
    for name in ("event", "membership", "room"):
        op.drop_table(name)
    _make_log()
    _fill_log(op.get_bind())
    _rebuild_device()
    _change_account()
    _make_rooms()
    _make_parts_of_rooms()


def _make_log() -> None:
    op.create_table(
        "log_leaf",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("statement", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "identity",
        sa.Column("pk", sa.Integer, primary_key=True),
        sa.Column("account", sa.Integer, sa.ForeignKey("account.pk"), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("spki", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("account", "fingerprint"),
    )


def _fill_log(conn: sa.Connection) -> None:
    """Appends, by account, its identity and its devices' certificates, each with the time at which it was made."""
    number = 0
    for account, name, created_ms, spki in conn.execute(_accounts).all():
        conn.execute(_identity, {"account": account, "fingerprint": sha256(spki), "spki": spki})
        devices = conn.execute(_devices, {"account": account}).all()
        if not devices:
            continue
        server_id = certificate_facts(devices[0].certificate).server_id
        leaves = [(user_leaf(LeafType.UIK, server_id, name, sha256(spki), spki, created_ms), spki)]
        for certificate, cert_hash, at_ms in devices:
            leaves.append((user_leaf(LeafType.DEVICE, server_id, name, cert_hash, certificate, at_ms), certificate))
        for leaf, statement in leaves:
            conn.execute(_leaf, {"number": number, "leaf": leaf.encode(), "statement": statement})
            number += 1


def _rebuild_device() -> None:
    op.create_table(
        "new_device",
        sa.Column("pk", sa.Integer, primary_key=True),
        sa.Column("device_id", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("account", sa.Integer, sa.ForeignKey("account.pk"), nullable=False),
        sa.Column("identity", sa.Integer, sa.ForeignKey("identity.pk"), nullable=False),
        sa.Column("certificate", sa.LargeBinary, nullable=False),
        sa.Column("cert_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("created_ms", sa.Integer, nullable=False),
        sa.Column("revoked_ms", sa.Integer),
        sa.Column("last_resort", sa.LargeBinary),
        sa.Column("highest_prekey", sa.Integer, nullable=False),
    )
    op.execute(
        "INSERT INTO new_device (pk, device_id, account, identity, certificate, cert_hash, created_ms, highest_prekey) "
        "SELECT device.pk, device_id, device.account, identity.pk, certificate, cert_hash, created_ms, -1 "
        "FROM device JOIN identity ON identity.account = device.account"
    )
    op.drop_table("device")
    op.rename_table("new_device", "device")
    op.create_index("ix_device_account", "device", ["account"])
    op.create_table(
        "prekey",
        sa.Column("pk", sa.Integer, primary_key=True),
        sa.Column("device", sa.Integer, sa.ForeignKey("device.pk"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("signed", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("device", "number"),
    )


def _change_account() -> None:
    for name in ("suspended", "muted"):
        op.add_column("account", sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false()))
    op.drop_column("account", "identity_spki")
    op.create_table(
        "ban",
        sa.Column("pk", sa.Integer, primary_key=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at_ms", sa.Integer, nullable=False),
        sa.UniqueConstraint("subject", "kind"),
    )


def _make_rooms() -> None:
    op.create_table(
        "room",
        sa.Column("pk", sa.Integer, primary_key=True),
        sa.Column("room_id", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.Column("name", sa.Text, unique=True),
        sa.Column("skeleton", sa.Text, unique=True),
        sa.Column("pair", sa.LargeBinary, unique=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("head", sa.Integer, nullable=False),
        sa.Column("commit_hash", sa.LargeBinary, nullable=False),
        sa.Column("kt_size", sa.Integer, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "event",
        sa.Column("pk", sa.Integer, primary_key=True),
        sa.Column("room", sa.Integer, sa.ForeignKey("room.pk"), nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("msg_id", sa.LargeBinary, nullable=False),
        sa.Column("device_id", sa.LargeBinary, nullable=False),
        sa.Column("at_ms", sa.Integer, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("room", "seq"),
        sa.UniqueConstraint("msg_id", "room", "device_id"),
    )


def _make_parts_of_rooms() -> None:
    op.create_table(
        "commit_at",
        sa.Column("room", sa.Integer, sa.ForeignKey("room.pk"), primary_key=True),
        sa.Column("epoch", sa.Integer, primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.UniqueConstraint("room", "seq"),
    )
    op.create_table(
        "place",
        sa.Column("pk", sa.Integer, primary_key=True),
        sa.Column("device_id", sa.LargeBinary, nullable=False),
        sa.Column("room", sa.Integer, sa.ForeignKey("room.pk"), nullable=False, index=True),
        sa.Column("leaf", sa.Integer, nullable=False),
        sa.Column("since", sa.Integer, nullable=False),
        sa.Column("until", sa.Integer),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.UniqueConstraint("device_id", "room"),
    )
    op.create_table(
        "wrap",
        sa.Column("pk", sa.Integer, primary_key=True),
        sa.Column("room", sa.Integer, sa.ForeignKey("room.pk"), nullable=False),
        sa.Column("device_id", sa.LargeBinary, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("wrap", sa.LargeBinary, nullable=False),
        sa.Column("path", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("room", "device_id", "epoch"),
    )
    op.create_table(
        "waiting_leave",
        sa.Column("room", sa.Integer, sa.ForeignKey("room.pk"), primary_key=True),
        sa.Column("user", sa.Text, primary_key=True),
        sa.Column("leave", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "read_mark",
        sa.Column("account", sa.Integer, sa.ForeignKey("account.pk"), primary_key=True),
        sa.Column("room", sa.Integer, sa.ForeignKey("room.pk"), primary_key=True, index=True),
        sa.Column("seq", sa.Integer, nullable=False),
    )
