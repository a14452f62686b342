"""The tables as the newest migration leaves them (a test compares the two).

Integer primary keys named ``pk`` join the tables and never leave the store. Times are milliseconds since 1970.
"""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

account = Table(
    "account",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("account_id", LargeBinary, nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    Column("skeleton", Text, nullable=False, unique=True),
    Column("role", Integer, nullable=False),
    Column("verifier", LargeBinary, nullable=False),
    Column("created_ms", Integer, nullable=False),
    Column("suspended", Boolean, nullable=False, server_default=false()),
    Column("muted", Boolean, nullable=False, server_default=false()),
)

identity = Table(
    "identity",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("account", ForeignKey("account.pk"), nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("spki", LargeBinary, nullable=False),
    UniqueConstraint("account", "fingerprint"),
)

device = Table(
    "device",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("device_id", LargeBinary, nullable=False, unique=True),
    Column("account", ForeignKey("account.pk"), nullable=False, index=True),
    Column("identity", ForeignKey("identity.pk"), nullable=False),  # whose key signed the certificate
    Column("certificate", LargeBinary, nullable=False),
    Column("cert_hash", LargeBinary, nullable=False, unique=True),
    Column("created_ms", Integer, nullable=False),
    Column("revoked_ms", Integer),
    Column("last_resort", LargeBinary),  # the signed prekey
    Column("highest_prekey", Integer, nullable=False),  # the greatest one-time number ever listed; -1: none
)

prekey = Table(
    "prekey",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("device", ForeignKey("device.pk"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("signed", LargeBinary, nullable=False),
    UniqueConstraint("device", "number"),
)

invite = Table(
    "invite",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("role", Integer, nullable=False),
    Column("expires_ms", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("used_by", LargeBinary),  # hash of the certificate that used it; empty: open
    Column("used_ms", Integer),
)

ban = Table(
    "ban",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at_ms", Integer, nullable=False),
    UniqueConstraint("subject", "kind"),
)

log_leaf = Table(
    "log_leaf",
    metadata,
    Column("number", Integer, primary_key=True),  # from 0, without gaps
    Column("leaf", LargeBinary, nullable=False),
    Column("statement", LargeBinary, nullable=False),
)

room = Table(
    "room",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("room_id", LargeBinary, nullable=False, unique=True),
    Column("closed", Boolean, nullable=False),
    Column("name", Text, unique=True),  # of an open public room, as is the skeleton
    Column("skeleton", Text, unique=True),
    Column("pair", LargeBinary, unique=True),  # of an open direct message
    Column("epoch", Integer, nullable=False),
    Column("head", Integer, nullable=False),
    Column("commit_hash", LargeBinary, nullable=False),
    Column("kt_size", Integer, nullable=False),
    Column("state", LargeBinary, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("room", ForeignKey("room.pk"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("msg_id", LargeBinary, nullable=False),  # 16 bytes of the client's; of a commit its hash, 32
    Column("device_id", LargeBinary, nullable=False),
    Column("at_ms", Integer, nullable=False),
    Column("sender", Text, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("room", "seq"),
    UniqueConstraint("msg_id", "room", "device_id"),
)

commit_at = Table(
    "commit_at",
    metadata,
    Column("room", ForeignKey("room.pk"), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("seq", Integer, nullable=False),
    UniqueConstraint("room", "seq"),
)

place = Table(
    "place",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("device_id", LargeBinary, nullable=False),
    Column("room", ForeignKey("room.pk"), nullable=False, index=True),
    Column("leaf", Integer, nullable=False),
    Column("since", Integer, nullable=False),
    Column("until", Integer),
    Column("generation", Integer, nullable=False),  # the last one sent in the current epoch; -1: none
    UniqueConstraint("device_id", "room"),
)

wrap = Table(
    "wrap",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("room", ForeignKey("room.pk"), nullable=False),
    Column("device_id", LargeBinary, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("seq", Integer, nullable=False),  # of the commit
    Column("wrap", LargeBinary, nullable=False),
    Column("path", LargeBinary, nullable=False),  # hashes of 32 bytes each
    UniqueConstraint("room", "device_id", "epoch"),
)

waiting_leave = Table(
    "waiting_leave",
    metadata,
    Column("room", ForeignKey("room.pk"), primary_key=True),
    Column("user", Text, primary_key=True),
    Column("leave", LargeBinary, nullable=False),
)

consent = Table(
    "consent",
    metadata,
    Column("room", ForeignKey("room.pk"), primary_key=True),
    Column("user", Text, primary_key=True),
    Column("inviter", Text, nullable=False),
    Column("consent", Integer, nullable=False),
)

read_mark = Table(
    "read_mark",
    metadata,
    Column("account", ForeignKey("account.pk"), primary_key=True),
    Column("room", ForeignKey("room.pk"), primary_key=True, index=True),
    Column("seq", Integer, nullable=False),
)
