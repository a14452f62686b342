"""What outlives a device: backups, links that reset an identity, the end of an account, and when a device was last here."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Makes the table, columns that are empty for what there is, and an index."""
    op.create_table(
        "backup",
        sa.Column("account", sa.Integer, sa.ForeignKey("account.pk"), primary_key=True),
        sa.Column("counter", sa.Integer, nullable=False),
        sa.Column("at_ms", sa.Integer, nullable=False),
        sa.Column("blob", sa.LargeBinary, nullable=False),
        sa.Column("slots", sa.LargeBinary, nullable=False),
    )
    op.add_column("account", sa.Column("gone_ms", sa.Integer))
    op.add_column("device", sa.Column("seen_ms", sa.Integer))
    op.add_column("invite", sa.Column("reset", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("ix_consent_user", "consent", ["user"])


def downgrade() -> None:
    """Forgets backups and links that reset; who has no account any more keeps the name, and cannot log in."""
    op.execute("UPDATE account SET suspended = 1 WHERE gone_ms IS NOT NULL")
    op.execute("DELETE FROM invite WHERE reset")
    op.drop_index("ix_consent_user", "consent")
    for table, column in (("invite", "reset"), ("device", "seen_ms"), ("account", "gone_ms")):
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    op.drop_table("backup")
