"""Which places in rooms their users have agreed to. Those of before are in no row: nobody asked then."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "consent",
        sa.Column("room", sa.Integer, sa.ForeignKey("room.pk"), primary_key=True),
        sa.Column("user", sa.Text, primary_key=True),
        sa.Column("inviter", sa.Text, nullable=False),
        sa.Column("consent", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """Forgets them: nobody is asked any more."""
    op.drop_table("consent")
