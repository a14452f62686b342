"""Files that members of rooms upload: a row for each; its bytes lie outside of the database."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Makes the table."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "blob",
        sa.Column("pk", number, primary_key=True),
        sa.Column("blob_id", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("account", number, sa.ForeignKey("account.pk"), nullable=False),
        sa.Column("room", number, sa.ForeignKey("room.pk"), nullable=False),
        sa.Column("size", number, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("received", number, nullable=False),
        sa.Column("state", number, nullable=False),
        sa.Column("created_ms", number, nullable=False),
        sa.Column("expires_ms", number, nullable=False),
    )
    for column in ("room", "state", "expires_ms"):
        op.create_index(f"ix_blob_{column}", "blob", [column])
    op.create_index("ix_blob_account_size", "blob", ["account", "size"])


def downgrade() -> None:
    """Forgets them: an older version has no files, and leaves their bytes where they are."""
    op.drop_table("blob")
