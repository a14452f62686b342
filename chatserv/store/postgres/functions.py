"""What runs inside of PostgreSQL, and the tables that are PostgreSQL's alone; made with the others.

A statement of a ``VOLATILE`` function sees what was committed while the function waited for a lock; a single statement with
CTEs does not, because its snapshot is older than the lock.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, DateTime, LargeBinary, MetaData, Sequence, Table, func

LOCK_SPACE: Final = 1667785076  # of all advisory locks of a database, those that are ours
STARTING: Final = 0  # the lock of that space under which a server makes tables, and begins to use them
postgres_metadata = MetaData()

store_batch = Table(
    "store_batch",
    postgres_metadata,
    Column("store", LargeBinary, primary_key=True),  # 16 random bytes of an open store
    Column("batch", BigInteger, nullable=False),  # its last one that was committed
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

lease = Table(  # who may commit to a room: it only schedules, so a crash may empty it
    "lease",
    postgres_metadata,
    Column("room_id", LargeBinary, primary_key=True),
    Column("node", LargeBinary, nullable=False),
    Column("number", BigInteger, nullable=False),  # the claim's, of its node
    Column("device_id", LargeBinary, nullable=False),
    Column("until", DateTime(timezone=True), nullable=False),
    prefixes=["UNLOGGED"],
)

lease_refusal = Table(  # accounts that get none of a room for a while
    "lease_refusal",
    postgres_metadata,
    Column("room_id", LargeBinary, primary_key=True),
    Column("account_id", LargeBinary, primary_key=True),
    Column("until", DateTime(timezone=True), nullable=False, index=True),
    prefixes=["UNLOGGED"],
)
session_number = Sequence("session_number", metadata=postgres_metadata)

APPEND: Final = """
CREATE OR REPLACE FUNCTION append_events(a_room bytea[], a_id bytea[], a_device bytea[], a_epoch bigint[], a_leaf bigint[],
  a_generation bigint[], a_at bigint[], a_sender text[], a_body bytea[], a_digest bytea[])
RETURNS TABLE(n int, what int, o_seq bigint, o_at bigint)
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan AS $$
DECLARE r record; d record; e record; h bigint; k bytea;
BEGIN
  FOR r IN SELECT pk, room_id, epoch, head FROM room WHERE room_id = ANY(a_room) AND NOT closed ORDER BY pk
    FOR NO KEY UPDATE
  LOOP
    h := r.head;
    FOR d IN SELECT i FROM generate_subscripts(a_room, 1) i WHERE a_room[i] = r.room_id ORDER BY i LOOP
      n := d.i;
      k := substr(a_body[n], 19, 15) || a_id[n];
      SELECT event.seq, event.at_ms INTO e FROM event
        WHERE event.msg_id = k AND event.room = r.pk AND event.device_id = a_device[n];
      IF FOUND THEN what := 1; o_seq := e.seq; o_at := e.at_ms; RETURN NEXT; CONTINUE; END IF;
      UPDATE place SET generation = a_generation[n]
        WHERE place.device_id = a_device[n] AND place.room = r.pk AND place.until IS NULL AND place.leaf = a_leaf[n]
          AND place.generation < a_generation[n] AND a_epoch[n] = r.epoch;
      IF NOT FOUND THEN
        SELECT event.seq, event.at_ms INTO e FROM event
          WHERE event.msg_id = a_id[n] AND event.room = r.pk AND event.device_id = a_device[n];
        IF NOT FOUND THEN
          SELECT gone_message.seq, gone_message.at_ms INTO e FROM gone_message WHERE gone_message.digest
            IN (a_digest[n], substr(sha256(a_room[n] || a_device[n] || a_id[n]), 1, 16)) LIMIT 1;
        END IF;
        IF FOUND THEN what := 1; o_seq := e.seq; o_at := e.at_ms; ELSE what := 2; o_seq := r.epoch; o_at := 0; END IF;
        RETURN NEXT; CONTINUE;
      END IF;
      h := h + 1;
      INSERT INTO event (room, seq, msg_id, device_id, at_ms, sender, kind, body)
        VALUES (r.pk, h, k, a_device[n], a_at[n], a_sender[n], 0, a_body[n]);
      what := 0; o_seq := h; o_at := a_at[n]; RETURN NEXT;
    END LOOP;
    IF h > r.head THEN UPDATE room SET head = h WHERE room.pk = r.pk; END IF;
  END LOOP;
END $$
"""
"""Decides and stores drafts, each room's in their order. A row a draft: its number from 1 on; 0 appended, 1 a duplicate,
2 stale; seq (of a stale one: the room's epoch) and time. A draft without a row: its room is unknown or closed. ``k`` is
`chatserv.store.message_key`; what came before that is asked for by the id, where a draft is not its sender's next one.
"""

BEGIN: Final = """
CREATE FUNCTION begin_batch(a_store bytea, a_batch bigint, a_rooms bytea[], a_locks int[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE l int;
BEGIN
  INSERT INTO store_batch (store, batch) VALUES (a_store, a_batch)
    ON CONFLICT (store) DO UPDATE SET batch = a_batch, at = now();
  PERFORM pk FROM room WHERE room_id = ANY(a_rooms) ORDER BY pk FOR NO KEY UPDATE;
  FOR l IN SELECT DISTINCT unnest(a_locks) ORDER BY 1 LOOP
    PERFORM pg_advisory_xact_lock(1667785076, l);
  END LOOP;
END $$
"""
"""Notes which batch it is, and takes the locks, in their order."""
