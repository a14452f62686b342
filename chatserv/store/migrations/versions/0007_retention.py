"""How long messages are kept: when which were there, what of each room is gone, and the ids of what is."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Makes the tables, and a column that says of no room that something is gone."""
    op.create_table(
        "retention_mark",
        sa.Column("event", sa.Integer, primary_key=True),
        sa.Column("at_ms", sa.Integer, nullable=False),
    )
    op.create_table(
        "gone_message",
        sa.Column("pk", sa.Integer, primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("at_ms", sa.Integer, nullable=False),
        sa.Column("gone_ms", sa.Integer, nullable=False),
    )
    op.add_column("room", sa.Column("gone_through", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    """Forgets them: the older version deletes nothing, and its people see gaps where something was."""
    op.execute("ALTER TABLE room DROP COLUMN gone_through")
    op.drop_table("gone_message")
    op.drop_table("retention_mark")
    op.execute("DELETE FROM meta WHERE key IN ('retention_clock', 'retention_done')")
