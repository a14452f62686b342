"""Leases of commits in PostgreSQL, by its clock. The room's row is locked before, so what is read of it is the newest."""

from typing import Final

from sqlalchemy import Connection, text

from chatserv.lease_ports import LeaseClaim, LeaseElsewhere, LeaseRefused, LeaseTaken

_REFUSED: Final = text(
    "SELECT extract(epoch FROM until - clock_timestamp())::float8 FROM lease_refusal"
    " WHERE room_id = :room_id AND account_id = :account_id AND until > clock_timestamp()"
)
_TAKE: Final = text(
    "INSERT INTO lease (room_id, node, number, device_id, until)"
    " VALUES (:room_id, :node, :number, :device_id, clock_timestamp() + make_interval(secs => :seconds))"
    " ON CONFLICT (room_id) DO UPDATE SET node = excluded.node, number = excluded.number,"
    "   device_id = excluded.device_id, until = excluded.until"
    " WHERE lease.until <= clock_timestamp() OR lease.node = excluded.node"
    " RETURNING (SELECT head FROM room WHERE room.room_id = :room_id AND NOT closed)"
)
_LEFT: Final = text("SELECT extract(epoch FROM until - clock_timestamp())::float8 FROM lease WHERE room_id = :room_id")
_FREE: Final = text("DELETE FROM lease WHERE room_id = :room_id AND node = :node AND number = :number")
_TIDY: Final = text(
    "DELETE FROM lease WHERE room_id IN (SELECT room_id FROM lease WHERE until < clock_timestamp()"
    " LIMIT 100 FOR UPDATE SKIP LOCKED)"
)
_REFUSE: Final = text(
    "INSERT INTO lease_refusal (room_id, account_id, until)"
    " VALUES (:room_id, :account_id, clock_timestamp() + make_interval(secs => :seconds))"
    " ON CONFLICT (room_id, account_id) DO UPDATE SET until = excluded.until"
)
_FORGET: Final = text(
    "DELETE FROM lease_refusal WHERE (room_id, account_id) IN"
    " (SELECT room_id, account_id FROM lease_refusal WHERE until < clock_timestamp() FOR UPDATE SKIP LOCKED)"
)
_CROWDED: Final = text(
    "DELETE FROM lease_refusal WHERE (room_id, account_id) IN"
    " (SELECT room_id, account_id FROM lease_refusal ORDER BY until DESC OFFSET :most)"
)


def take(conn: Connection, claim: LeaseClaim) -> LeaseTaken | LeaseElsewhere | LeaseRefused:
    """Gives the room's lease to the claim, if no other node has it."""
    row = {"room_id": claim.room_id, "account_id": claim.account_id}
    refused = conn.execute(_REFUSED, row).scalar()
    if refused is not None:
        return LeaseRefused(refused)
    row = {"room_id": claim.room_id, "device_id": claim.device_id}
    found = conn.execute(_TAKE, {**row, "node": claim.node, "number": claim.number, "seconds": claim.seconds}).first()
    if found is not None:
        return LeaseTaken(found[0])
    left = conn.execute(_LEFT, {"room_id": claim.room_id}).scalar()
    return LeaseElsewhere(left or 0.0)


def free(conn: Connection, room_id: bytes, node: bytes, number: int) -> bool:
    """Ends it where that claim has it; some that have ended by time go with it."""
    had = conn.execute(_FREE, {"room_id": room_id, "node": node, "number": number}).rowcount == 1
    conn.execute(_TIDY)
    return had


def refuse(conn: Connection, room_id: bytes, account_id: bytes, seconds: float, most: int) -> None:
    """Gives an account none of a room for so long."""
    conn.execute(_FORGET)
    conn.execute(_REFUSE, {"room_id": room_id, "account_id": account_id, "seconds": seconds})
    conn.execute(_CROWDED, {"most": most})
