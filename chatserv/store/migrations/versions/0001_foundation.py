"""Accounts, devices, invites, rooms, memberships and the log of events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes all tables."""
    op.create_table(
        "meta",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "account",
        sa.Column("pk", sa.Integer, primary_key=True),
        sa.Column("account_id", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("skeleton", sa.Text, nullable=False, unique=True),
        sa.Column("role", sa.Integer, nullable=False),
        sa.Column("identity_spki", sa.LargeBinary, nullable=False),
        sa.Column("verifier", sa.LargeBinary, nullable=False),
        sa.Column("created_ms", sa.Integer, nullable=False),
    )
    op.create_table(
        "device",
        sa.Column("pk", sa.Integer, primary_key=True),
        sa.Column("device_id", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("account", sa.Integer, sa.ForeignKey("account.pk"), nullable=False, index=True),
        sa.Column("certificate", sa.LargeBinary, nullable=False),
        sa.Column("cert_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("created_ms", sa.Integer, nullable=False),
    )
    op.create_table(
        "invite",
        sa.Column("pk", sa.Integer, primary_key=True),
        sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("role", sa.Integer, nullable=False),
        sa.Column("expires_ms", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("used_by", sa.LargeBinary),
        sa.Column("used_ms", sa.Integer),
    )
    op.create_table(
        "room",
        sa.Column("pk", sa.Integer, primary_key=True),
        sa.Column("room_id", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("public", sa.Boolean, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("head", sa.Integer, nullable=False),
    )
    op.create_table(
        "membership",
        sa.Column("account", sa.Integer, sa.ForeignKey("account.pk"), primary_key=True),
        sa.Column("room", sa.Integer, sa.ForeignKey("room.pk"), primary_key=True),
        sa.Column("since", sa.Integer, nullable=False),
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
