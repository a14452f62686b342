"""Messages are known again by their place and their id, in the order in which they come: see `chatserv.store.message_key`.

Nothing that is stored changes: what came before is known by its id, 16 bytes, and looked for where it can be.
"""

from typing import Final

from alembic import op

from chatserv.store.postgres.functions import APPEND

revision = "0012"
down_revision = "0011"

_IDS: Final = """
UPDATE event SET msg_id = substr(event.msg_id, 16) FROM (
  SELECT pk, row_number() OVER (PARTITION BY room, device_id, substr(msg_id, length(msg_id) - 15) ORDER BY pk) AS n
  FROM event WHERE kind = 0) AS message
WHERE message.pk = event.pk AND message.n = 1 AND length(event.msg_id) = 31
"""

_APPEND_BEFORE: Final = """
CREATE OR REPLACE FUNCTION append_events(a_room bytea[], a_id bytea[], a_device bytea[], a_epoch bigint[], a_leaf bigint[],
  a_generation bigint[], a_at bigint[], a_sender text[], a_body bytea[], a_digest bytea[])
RETURNS TABLE(n int, what int, o_seq bigint, o_at bigint)
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan AS $$
DECLARE r record; d record; e record; h bigint;
BEGIN
  FOR r IN SELECT pk, room_id, epoch, head FROM room WHERE room_id = ANY(a_room) AND NOT closed ORDER BY pk
    FOR NO KEY UPDATE
  LOOP
    h := r.head;
    FOR d IN SELECT i FROM generate_subscripts(a_room, 1) i WHERE a_room[i] = r.room_id ORDER BY i LOOP
      n := d.i;
      SELECT event.seq, event.at_ms INTO e FROM event
        WHERE event.msg_id = a_id[n] AND event.room = r.pk AND event.device_id = a_device[n];
      IF NOT FOUND THEN
        SELECT gone_message.seq, gone_message.at_ms INTO e FROM gone_message WHERE gone_message.digest = a_digest[n];
      END IF;
      IF FOUND THEN what := 1; o_seq := e.seq; o_at := e.at_ms; RETURN NEXT; CONTINUE; END IF;
      UPDATE place SET generation = a_generation[n]
        WHERE place.device_id = a_device[n] AND place.room = r.pk AND place.until IS NULL AND place.leaf = a_leaf[n]
          AND place.generation < a_generation[n] AND a_epoch[n] = r.epoch;
      IF NOT FOUND THEN what := 2; o_seq := r.epoch; o_at := 0; RETURN NEXT; CONTINUE; END IF;
      h := h + 1;
      INSERT INTO event (room, seq, msg_id, device_id, at_ms, sender, kind, body)
        VALUES (r.pk, h, a_id[n], a_device[n], a_at[n], a_sender[n], 0, a_body[n]);
      what := 0; o_seq := h; o_at := a_at[n]; RETURN NEXT;
    END LOOP;
    IF h > r.head THEN UPDATE room SET head = h WHERE room.pk = r.pk; END IF;
  END LOOP;
END $$
"""


def upgrade() -> None:
    """The function in PostgreSQL; nodes of the version before call it in the same way, and get the same of it."""
    conn = op.get_bind()
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(APPEND)


def downgrade() -> None:
    """Every message by its id again; where a device has used one twice, the first one by that, the others as they are.

    Of messages that were not kept the key stays: who sends one of those again is told that it is stale.
    """
    conn = op.get_bind()
    conn.exec_driver_sql(_IDS)
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(_APPEND_BEFORE)
