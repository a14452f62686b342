"""What several nodes have to hear beside events of rooms, and the numbers of sessions; one server alone keeps neither."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Makes the table, and where others may number sessions too, what numbers them."""
    op.create_table(
        "control",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE session_number")


def downgrade() -> None:
    """Forgets them: an older version is one server alone."""
    op.drop_table("control")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP SEQUENCE session_number")
