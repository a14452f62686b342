"""What all files count for, in one row: each new one asks, and nobody has to add up all rows for that."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_LEAST = 65_536  # what the smallest one counts for
_size = sa.table("blob", sa.column("size")).c.size


def upgrade() -> None:
    """Makes the table, with what there is."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    total = op.create_table(
        "blob_total",
        sa.Column("number", number, primary_key=True, autoincrement=False),
        sa.Column("bytes", number, nullable=False),
    )
    conn = op.get_bind()
    counts_for = conn.execute(sa.select(sa.func.sum(sa.case((_size < _LEAST, _LEAST), else_=_size)))).scalar()
    if counts_for is not None:
        conn.execute(sa.insert(total).values(number=0, bytes=int(counts_for)))


def downgrade() -> None:
    """Forgets it: an older version adds up."""
    op.drop_table("blob_total")
