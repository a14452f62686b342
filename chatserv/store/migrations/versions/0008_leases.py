"""Leases that the nodes of a cluster share; on SQLite there is one server, which keeps its own in memory."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Makes the tables in PostgreSQL."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.create_table(
        "lease",
        sa.Column("room_id", sa.LargeBinary, primary_key=True),
        sa.Column("node", sa.LargeBinary, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("device_id", sa.LargeBinary, nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "lease_refusal",
        sa.Column("room_id", sa.LargeBinary, primary_key=True),
        sa.Column("account_id", sa.LargeBinary, primary_key=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False, index=True),
        prefixes=["UNLOGGED"],
    )


def downgrade() -> None:
    """Forgets them."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_table("lease_refusal")
        op.drop_table("lease")
