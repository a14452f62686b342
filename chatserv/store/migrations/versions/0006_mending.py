"""What is offered to a store that was restored from a backup, until it is decided."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "mending_floor",
        sa.Column("room", sa.Integer, sa.ForeignKey("room.pk"), primary_key=True),
        sa.Column("head", sa.Integer, nullable=False),
    )
    op.create_table(
        "mending_body",
        sa.Column("pk", sa.Integer, primary_key=True),
        sa.Column("room_id", sa.LargeBinary, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("msg_id", sa.LargeBinary, nullable=False),
        sa.Column("at_ms", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.UniqueConstraint("room_id", "seq", "digest"),
    )
    op.create_index("ix_mending_body_user", "mending_body", ["user"])
    op.create_table(
        "mending_offer",
        sa.Column("room_id", sa.LargeBinary, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("device_id", sa.LargeBinary, primary_key=True),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("body", sa.Integer, sa.ForeignKey("mending_body.pk"), nullable=False),
    )
    op.create_index("ix_mending_offer_body", "mending_offer", ["body"])


def downgrade() -> None:
    """Forgets them; nobody goes back while a store is being mended."""
    for name in ("mending_offer", "mending_body", "mending_floor"):
        op.drop_table(name)
