"""The tables as the newest migration leaves them (a test compares the two).

Integer primary keys named ``pk`` join the tables and never leave the store. Times are milliseconds since 1970.
"""

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    LargeBinary,
    Table,
    UniqueConstraint,
    false,
)

from chatserv.store import schema_blobs
from chatserv.store.schema_base import Number, Words, tables

REVISION: Final = "0014"  # of the newest migration
metadata = tables

meta = Table(
    "meta",
    metadata,
    Column("key", Words, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

account = Table(
    "account",
    metadata,
    Column("pk", Number, primary_key=True),
    Column("account_id", LargeBinary, nullable=False, unique=True),
    Column("name", Words, nullable=False, unique=True),
    Column("skeleton", Words, nullable=False, unique=True),
    Column("role", Number, nullable=False),
    Column("verifier", LargeBinary, nullable=False),
    Column("created_ms", Number, nullable=False),
    Column("suspended", Boolean, nullable=False, server_default=false()),
    Column("muted", Boolean, nullable=False, server_default=false()),
    Column("gone_ms", Number),  # since then there is no such account; its name stays taken
)

identity = Table(
    "identity",
    metadata,
    Column("pk", Number, primary_key=True),
    Column("account", ForeignKey("account.pk"), nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("spki", LargeBinary, nullable=False),
    UniqueConstraint("account", "fingerprint"),
)

device = Table(
    "device",
    metadata,
    Column("pk", Number, primary_key=True),
    Column("device_id", LargeBinary, nullable=False, unique=True),
    Column("account", ForeignKey("account.pk"), nullable=False, index=True),
    Column("identity", ForeignKey("identity.pk"), nullable=False),  # whose key signed the certificate
    Column("certificate", LargeBinary, nullable=False),
    Column("cert_hash", LargeBinary, nullable=False, unique=True),
    Column("created_ms", Number, nullable=False),
    Column("revoked_ms", Number),
    Column("last_resort", LargeBinary),  # the signed prekey
    Column("highest_prekey", Number, nullable=False),  # the greatest one-time number ever listed; -1: none
    Column("seen_ms", Number),  # when it was last here, to within an hour
)

backup = Table(
    "backup",
    metadata,
    Column("account", ForeignKey("account.pk"), primary_key=True),
    Column("counter", Number, nullable=False),
    Column("at_ms", Number, nullable=False),
    Column("blob", LargeBinary, nullable=False),  # sealed, as are the slots
    Column("slots", LargeBinary, nullable=False),  # each behind its length, u16
)

prekey = Table(
    "prekey",
    metadata,
    Column("pk", Number, primary_key=True),
    Column("device", ForeignKey("device.pk"), nullable=False),
    Column("number", Number, nullable=False),
    Column("signed", LargeBinary, nullable=False),
    UniqueConstraint("device", "number"),
)

invite = Table(
    "invite",
    metadata,
    Column("pk", Number, primary_key=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("role", Number, nullable=False),
    Column("expires_ms", Number, nullable=False),
    Column("name", Words, nullable=False),
    Column("used_by", LargeBinary),  # hash of the certificate that used it; empty: open
    Column("used_ms", Number),
    Column("reset", Boolean, nullable=False, server_default=false()),  # for the account of this name, not for a new one
)

login_network = Table(
    "login_network",
    metadata,
    Column("account", ForeignKey("account.pk"), primary_key=True),
    Column("network", LargeBinary, primary_key=True),  # a keyed hash
    Column("at_ms", Number, nullable=False),
)

ban = Table(
    "ban",
    metadata,
    Column("pk", Number, primary_key=True),
    Column("subject", Words, nullable=False),
    Column("kind", Words, nullable=False),
    Column("by", Words, nullable=False),
    Column("at_ms", Number, nullable=False),
    UniqueConstraint("subject", "kind"),
)

log_leaf = Table(
    "log_leaf",
    metadata,
    Column("number", Number, primary_key=True),  # from 0, without gaps
    Column("leaf", LargeBinary, nullable=False),
    Column("statement", LargeBinary, nullable=False),
)

log_head = Table(  # what clients have been told of the log by any node; nothing where there are no several
    "log_head",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),  # there is one
    Column("size", Number, nullable=False),
    Column("at_ms", Number, nullable=False),
    Column("head", LargeBinary, nullable=False),  # signed
)

room = Table(
    "room",
    metadata,
    Column("pk", Number, primary_key=True),
    Column("room_id", LargeBinary, nullable=False, unique=True),
    Column("closed", Boolean, nullable=False),
    Column("name", Words, unique=True),  # of an open public room, as is the skeleton
    Column("skeleton", Words, unique=True),
    Column("pair", LargeBinary, unique=True),  # of an open direct message
    Column("epoch", Number, nullable=False),
    Column("head", Number, nullable=False),
    Column("commit_hash", LargeBinary, nullable=False),
    Column("kt_size", Number, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("gone_through", Number, nullable=False, server_default="0"),  # the highest seq that was not kept
)

event = Table(
    "event",
    metadata,
    Column("pk", Number, primary_key=True),
    Column("room", ForeignKey("room.pk"), nullable=False),
    Column("seq", Number, nullable=False),
    Column("msg_id", LargeBinary, nullable=False),  # `message_key`; of a commit its hash
    Column("device_id", LargeBinary, nullable=False),
    Column("at_ms", Number, nullable=False),
    Column("sender", Words, nullable=False),
    Column("kind", Number, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("room", "seq"),
    UniqueConstraint("msg_id", "room", "device_id"),
)

commit_at = Table(
    "commit_at",
    metadata,
    Column("room", ForeignKey("room.pk"), primary_key=True),
    Column("epoch", Number, primary_key=True),
    Column("seq", Number, nullable=False),
    UniqueConstraint("room", "seq"),
)

place = Table(
    "place",
    metadata,
    Column("pk", Number, primary_key=True),
    Column("device_id", LargeBinary, nullable=False),
    Column("room", ForeignKey("room.pk"), nullable=False, index=True),
    Column("leaf", Number, nullable=False),
    Column("since", Number, nullable=False),
    Column("until", Number),
    Column("generation", Number, nullable=False),  # the last one sent in the current epoch; -1: none
    UniqueConstraint("device_id", "room"),
)

wrap = Table(
    "wrap",
    metadata,
    Column("pk", Number, primary_key=True),
    Column("room", ForeignKey("room.pk"), nullable=False),
    Column("device_id", LargeBinary, nullable=False),
    Column("epoch", Number, nullable=False),
    Column("seq", Number, nullable=False),  # of the commit
    Column("wrap", LargeBinary, nullable=False),
    Column("path", LargeBinary, nullable=False),  # hashes of 32 bytes each
    UniqueConstraint("room", "device_id", "epoch"),
)

waiting_leave = Table(
    "waiting_leave",
    metadata,
    Column("room", ForeignKey("room.pk"), primary_key=True),
    Column("user", Words, primary_key=True),
    Column("leave", LargeBinary, nullable=False),
)

consent = Table(  # of each open room a row for whoever is a member, whatever they say, and whose Leave does not wait
    "consent",
    metadata,
    Column("room", ForeignKey("room.pk"), primary_key=True),
    Column("user", Words, primary_key=True, index=True),
    Column("inviter", Words, nullable=False),
    Column("consent", Number, nullable=False),
)

mending_floor = Table(  # what a room had at the restore that is being mended
    "mending_floor",
    metadata,
    Column("room", ForeignKey("room.pk"), primary_key=True),
    Column("head", Number, nullable=False),
)

mending_body = Table(  # what somebody has offered for a place, once, however many have offered the same
    "mending_body",
    metadata,
    Column("pk", Number, primary_key=True),
    Column("room_id", LargeBinary, nullable=False),  # there may be no such room yet
    Column("seq", Number, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("kind", Number, nullable=False),
    Column("msg_id", LargeBinary, nullable=False),
    Column("at_ms", Number, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("user", Words, nullable=False, index=True),  # who was the first
    Column("size", Number, nullable=False),
    UniqueConstraint("room_id", "seq", "digest"),
)

mending_offer = Table(
    "mending_offer",
    metadata,
    Column("room_id", LargeBinary, primary_key=True),
    Column("seq", Number, primary_key=True),
    Column("device_id", LargeBinary, primary_key=True),
    Column("user", Words, nullable=False),
    Column("body", ForeignKey("mending_body.pk"), nullable=False, index=True),
)

read_mark = Table(
    "read_mark",
    metadata,
    Column("account", ForeignKey("account.pk"), primary_key=True),
    Column("room", ForeignKey("room.pk"), primary_key=True, index=True),
    Column("seq", Number, nullable=False),
)

retention_mark = Table(
    "retention_mark",
    metadata,
    Column("event", Number, primary_key=True),  # the newest at this time of the confirmed clock:
    Column("at_ms", Number, nullable=False),
)

gone_message = Table(
    "gone_message",
    metadata,
    Column("pk", Number, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),  # of room, device and msg_id
    Column("seq", Number, nullable=False),
    Column("at_ms", Number, nullable=False),
    Column("gone_ms", Number, nullable=False),  # by the confirmed clock
)

control = Table(  # orders for the nodes of a cluster, without a gap; a single server keeps none
    "control",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)

blob = schema_blobs.blob
blob_total = schema_blobs.blob_total
