"""The tables of files."""

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Table

from chatserv.store.schema_base import Number, tables

blob = Table(
    "blob",
    tables,
    Column("pk", Number, primary_key=True),
    Column(
        "blob_id", LargeBinary, nullable=False, unique=True
    ),  # by which its bytes are found, outside of the database
    Column("account", ForeignKey("account.pk"), nullable=False),
    Column("room", ForeignKey("room.pk"), nullable=False, index=True),
    Column("size", Number, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("received", Number, nullable=False),  # that are on the disk
    Column("state", Number, nullable=False, index=True),  # 0 open, 1 whole, 2 ended: its bytes go, then this row
    Column("created_ms", Number, nullable=False),
    Column("expires_ms", Number, nullable=False, index=True),
    Index("ix_blob_account_size", "account", "size"),  # has all that the sum of an account reads: each new file asks
)

blob_total = Table(  # what all rows of ``blob`` count for, changed with them; nothing where there was never one
    "blob_total",
    tables,
    Column("number", Number, primary_key=True, autoincrement=False),  # there is one
    Column("bytes", Number, nullable=False),
)
