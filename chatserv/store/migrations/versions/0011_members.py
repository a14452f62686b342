"""A row of consent for each member of each open room, also for those whom nobody has asked: so it says who is where."""

import sqlalchemy as sa
from alembic import op

from chatserv.crypto.room_state import State
from chatserv.models import Consent

revision = "0011"
down_revision = "0010"

_room = sa.table("room", sa.column("pk"), sa.column("closed", sa.Boolean), sa.column("state", sa.LargeBinary))
_leave = sa.table("waiting_leave", sa.column("room"), sa.column("user"))
_consent = sa.table(
    "consent", sa.column("room"), sa.column("user"), sa.column("inviter"), sa.column("consent", sa.Integer)
)


def upgrade() -> None:
    """Adds those that are missing."""
    conn = op.get_bind()
    for pk in conn.execute(sa.select(_room.c.pk).where(_room.c.closed.is_(False))).scalars().all():
        state = State.decode(conn.execute(sa.select(_room.c.state).where(_room.c.pk == pk)).scalar_one())
        known = set(conn.execute(sa.select(_consent.c.user).where(_consent.c.room == pk)).scalars())
        known |= set(conn.execute(sa.select(_leave.c.user).where(_leave.c.room == pk)).scalars())
        missing = [member.user for member in state.members if member.role and member.user not in known]
        rows = [{"room": pk, "user": user, "inviter": "", "consent": int(Consent.EARLIER)} for user in missing]
        if rows:
            conn.execute(sa.insert(_consent), rows)


def downgrade() -> None:
    """Takes them out: where there is no row nobody was asked."""
    op.get_bind().execute(sa.delete(_consent).where(_consent.c.consent == int(Consent.EARLIER)))
