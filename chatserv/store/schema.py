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
    Column("identity_spki", LargeBinary, nullable=False),
    Column("verifier", LargeBinary, nullable=False),
    Column("created_ms", Integer, nullable=False),
)

device = Table(
    "device",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("device_id", LargeBinary, nullable=False, unique=True),
    Column("account", ForeignKey("account.pk"), nullable=False, index=True),
    Column("certificate", LargeBinary, nullable=False),
    Column("cert_hash", LargeBinary, nullable=False, unique=True),
    Column("created_ms", Integer, nullable=False),
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

room = Table(
    "room",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("room_id", LargeBinary, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("public", Boolean, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("head", Integer, nullable=False),
)

membership = Table(
    "membership",
    metadata,
    Column("account", ForeignKey("account.pk"), primary_key=True),
    Column("room", ForeignKey("room.pk"), primary_key=True),
    Column("since", Integer, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("room", ForeignKey("room.pk"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("msg_id", LargeBinary, nullable=False),
    Column("device_id", LargeBinary, nullable=False),
    Column("at_ms", Integer, nullable=False),
    Column("sender", Text, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("room", "seq"),
    UniqueConstraint("msg_id", "room", "device_id"),
)
