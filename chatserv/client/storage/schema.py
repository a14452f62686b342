"""The tables, as the scripts that make them: number n leads from version n - 1 to version n of the file."""

from typing import Final

APPLICATION_ID: Final = 0x63687376  # "chsv", for whoever finds the file

_FIRST: Final = """
CREATE TABLE facts (key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE log (position INTEGER PRIMARY KEY, leaf BLOB NOT NULL, root BLOB NOT NULL);

CREATE TABLE certificates (
    cert_hash BLOB NOT NULL PRIMARY KEY, certificate BLOB NOT NULL, identity_spki BLOB NOT NULL
);

CREATE TABLE prekeys (
    id INTEGER PRIMARY KEY,
    mlkem_seed BLOB NOT NULL,
    x25519_seed BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    retired_ms INTEGER
);
CREATE TABLE prekey_numbers (last_resort INTEGER PRIMARY KEY, next INTEGER NOT NULL);
INSERT INTO prekey_numbers VALUES (0, 1), (1, 1);

CREATE TABLE rooms (
    room_id BLOB NOT NULL PRIMARY KEY,
    kind INTEGER NOT NULL,
    title TEXT NOT NULL,
    topic TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    commit_hash BLOB NOT NULL,
    kt_size INTEGER NOT NULL,
    state BLOB NOT NULL,
    head_commit BLOB NOT NULL,
    cursor INTEGER NOT NULL,
    shown INTEGER NOT NULL,
    read INTEGER NOT NULL,
    since INTEGER NOT NULL,
    standing INTEGER NOT NULL,
    keys INTEGER NOT NULL,
    epoch_since_ms INTEGER NOT NULL,
    epoch_messages INTEGER NOT NULL,
    committer BLOB NOT NULL
);

CREATE TABLE chains (
    room_id BLOB NOT NULL,
    leaf INTEGER NOT NULL,
    own INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    secret BLOB NOT NULL,
    PRIMARY KEY (room_id, leaf)
) WITHOUT ROWID;
CREATE TABLE skipped_keys (
    position INTEGER PRIMARY KEY,
    room_id BLOB NOT NULL,
    leaf INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    key BLOB NOT NULL,
    nonce BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    UNIQUE (room_id, leaf, generation),
    FOREIGN KEY (room_id, leaf) REFERENCES chains ON DELETE CASCADE
);

CREATE TABLE messages (
    position INTEGER PRIMARY KEY,
    room_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    message_id BLOB NOT NULL,
    sender TEXT NOT NULL,
    device_id BLOB NOT NULL,
    leaf INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    sent_ms INTEGER NOT NULL,
    ctype INTEGER NOT NULL,
    body BLOB NOT NULL,
    signature BLOB,
    commit_hash BLOB NOT NULL,
    edited_body BLOB,
    deleted INTEGER NOT NULL,
    edited_seq INTEGER NOT NULL DEFAULT 0,
    UNIQUE (room_id, message_id, sender)
);
CREATE INDEX messages_by_seq ON messages (room_id, seq);
CREATE TABLE message_counts (room_id BLOB NOT NULL PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE reactions (
    position INTEGER PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
    user TEXT NOT NULL,
    emoji TEXT NOT NULL,
    UNIQUE (message, user, emoji)
);
CREATE TABLE receipts (
    message INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
    user TEXT NOT NULL,
    PRIMARY KEY (message, user)
) WITHOUT ROWID;

CREATE TABLE outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id BLOB NOT NULL UNIQUE,
    room_id BLOB NOT NULL,
    ctype INTEGER NOT NULL,
    body BLOB NOT NULL,
    content BLOB NOT NULL,
    envelope BLOB,
    epoch INTEGER,
    generation INTEGER,
    done_seq INTEGER
);
CREATE INDEX outbox_by_room ON outbox (room_id, position);

CREATE TABLE pending_commits (
    room_id BLOB NOT NULL PRIMARY KEY, epoch INTEGER NOT NULL, commit_bytes BLOB NOT NULL, epoch_secret BLOB NOT NULL
);

CREATE TABLE pins (
    user TEXT NOT NULL PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    state INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    offered BLOB,
    was_verified INTEGER NOT NULL
);
"""

_SECOND: Final = """
CREATE VIRTUAL TABLE words USING fts5(text, tokenize = "unicode61 remove_diacritics 2");
ALTER TABLE rooms ADD COLUMN agreed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rooms ADD COLUMN inviter TEXT NOT NULL DEFAULT '';
CREATE INDEX outbox_by_generation ON outbox (room_id, epoch, generation, position);
"""

_THIRD: Final = "ALTER TABLE chains ADD COLUMN lost INTEGER;"

_FOURTH: Final = """
CREATE TABLE ignored (user TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE refused_rooms (room_id BLOB NOT NULL PRIMARY KEY) WITHOUT ROWID;
"""

_FIFTH: Final = "ALTER TABLE messages ADD COLUMN identity BLOB NOT NULL DEFAULT x'';"

_SIXTH: Final = """
ALTER TABLE chains ADD COLUMN acked INTEGER;
ALTER TABLE chains ADD COLUMN acked_at_ms INTEGER;
ALTER TABLE chains ADD COLUMN acked_ms INTEGER;
"""

_SEVENTH: Final = """
ALTER TABLE messages DROP COLUMN signature;
CREATE TABLE proofs (
    position INTEGER PRIMARY KEY,
    room_id BLOB NOT NULL,
    message INTEGER REFERENCES messages ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    sender TEXT NOT NULL,
    ctype INTEGER NOT NULL,
    detail TEXT NOT NULL,
    live INTEGER NOT NULL,
    proof BLOB NOT NULL,
    UNIQUE (message, sender, ctype, detail)
);
CREATE INDEX proofs_by_room ON proofs (room_id);
"""

_EIGHTH: Final = """
CREATE TABLE listeners (name TEXT NOT NULL PRIMARY KEY, used_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE cursors (
    name TEXT NOT NULL REFERENCES listeners ON DELETE CASCADE,
    room_id BLOB NOT NULL,
    shown INTEGER NOT NULL,
    PRIMARY KEY (name, room_id)
) WITHOUT ROWID;
"""

_NINTH: Final = """
CREATE TABLE own_devices (
    position INTEGER PRIMARY KEY,
    device_id BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    holds_identity INTEGER NOT NULL,
    backup INTEGER NOT NULL
);
CREATE TABLE heard_rooms (
    room_id BLOB NOT NULL PRIMARY KEY,
    title TEXT NOT NULL DEFAULT '',
    topic TEXT NOT NULL DEFAULT '',
    agreed INTEGER NOT NULL DEFAULT 0,
    read INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
ALTER TABLE rooms ADD COLUMN read_told INTEGER NOT NULL DEFAULT 0;
UPDATE rooms SET read = min(read, cursor);
"""

_TENTH: Final = "ALTER TABLE messages ADD COLUMN unproved INTEGER NOT NULL DEFAULT 0;"

_ELEVENTH: Final = "CREATE TABLE asked (position INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, seq INTEGER);"

_TWELFTH: Final = "UPDATE own_devices SET holds_identity = 0;"  # so far it was their own word

_THIRTEENTH: Final = """
CREATE TABLE kept_events (
    position INTEGER PRIMARY KEY,
    room_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    id BLOB NOT NULL,
    kind INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    kept_ms INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (room_id, seq)
);
CREATE INDEX kept_events_by_id ON kept_events (id);
CREATE TABLE kept_bytes (bytes INTEGER NOT NULL);
INSERT INTO kept_bytes VALUES (0);
CREATE TRIGGER kept_event_came AFTER INSERT ON kept_events
    BEGIN UPDATE kept_bytes SET bytes = bytes + length(NEW.body); END;
CREATE TRIGGER kept_event_changed AFTER UPDATE OF body ON kept_events
    BEGIN UPDATE kept_bytes SET bytes = bytes - length(OLD.body) + length(NEW.body); END;
CREATE TRIGGER kept_event_went AFTER DELETE ON kept_events
    BEGIN UPDATE kept_bytes SET bytes = bytes - length(OLD.body); END;
CREATE TABLE kept_statements (position INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, statement BLOB NOT NULL);
"""

_FOURTEENTH: Final = """
CREATE TABLE uploads (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id BLOB NOT NULL UNIQUE,
    room_id BLOB NOT NULL,
    body BLOB NOT NULL,
    path BLOB NOT NULL,
    stage INTEGER NOT NULL,
    paused INTEGER NOT NULL,
    asked INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
);
CREATE TABLE kept_files (
    name TEXT NOT NULL PRIMARY KEY,
    room_id BLOB NOT NULL,
    message_id BLOB NOT NULL,
    size INTEGER NOT NULL,
    holding INTEGER NOT NULL,
    used_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE blob_drops (blob_id BLOB NOT NULL, owner TEXT NOT NULL, PRIMARY KEY (blob_id, owner)) WITHOUT ROWID;
"""

# An index over random ids writes a page for each row. Of what was kept before, nobody knows whether it came twice.
_FIFTEENTH: Final = """
DROP INDEX kept_events_by_id;
ALTER TABLE kept_events ADD COLUMN again INTEGER NOT NULL DEFAULT 1;
CREATE INDEX kept_events_again ON kept_events (id) WHERE again;
DROP INDEX proofs_by_room;
CREATE INDEX proofs_of_rooms ON proofs (room_id) WHERE message IS NULL;
"""

MIGRATIONS: Final = (
    _FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH, _SIXTH, _SEVENTH, _EIGHTH, _NINTH, _TENTH, _ELEVENTH, _TWELFTH, _THIRTEENTH,
    _FOURTEENTH, _FIFTEENTH,
)  # fmt: skip
