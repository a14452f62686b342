"""The newest signed head of the log, where several nodes have one store."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "log_head",
        sa.Column("number", _Number, primary_key=True, autoincrement=False),
        sa.Column("size", _Number, nullable=False),
        sa.Column("at_ms", _Number, nullable=False),
        sa.Column("head", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Forgets it: a single server signs a new one at each start."""
    op.drop_table("log_head")
