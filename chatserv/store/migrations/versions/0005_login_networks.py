"""Where accounts have logged in from, as keyed hashes: who comes from there does not wait behind those who guess."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "login_network",
        sa.Column("account", sa.Integer, sa.ForeignKey("account.pk"), primary_key=True),
        sa.Column("network", sa.LargeBinary, primary_key=True),
        sa.Column("at_ms", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """Forgets them: everybody waits."""
    op.drop_table("login_network")
