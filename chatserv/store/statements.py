"""What is read from and written to the tables, in one place.

The functions are in the modules by subject. None begins or ends a transaction.
"""

from chatserv.store.account_statements import (
    accounts,
    administrator_exists,
    bans,
    find_account,
    name_of,
    set_account,
    set_ban,
)
from chatserv.store.backup_statements import backup_counter, find_backup, put_backup
from chatserv.store.consent_statements import consents, set_consents
from chatserv.store.ending_statements import device_of, end_account, revoke
from chatserv.store.identity_statements import rotate
from chatserv.store.key_statements import (
    certificates,
    devices,
    find_device,
    prekeys_left,
    publish_prekeys,
    saw,
    take_prekey,
)
from chatserv.store.log_statements import keep_head, log, rotations, statement
from chatserv.store.login_statements import enrol, login, note_network, set_verifier
from chatserv.store.mending_statements import (
    begin_mending,
    end_mending,
    fill_statement,
    find_floor,
    mend_leaves,
    mend_messages,
    mending_state,
    offer,
    offered,
    offered_rooms,
)
from chatserv.store.meta_statements import count_start, incarnation, mending, renew_incarnation, starts
from chatserv.store.registration_statements import (
    add_invite,
    administrator_invited,
    find_invite,
    invite_works,
    is_registered,
    register,
)
from chatserv.store.retention_statements import due_rooms, give_back, retain, retention_clock
from chatserv.store.room_changes import close_room, commit, leave, mark_read, passed, point_of
from chatserv.store.room_statements import (
    commits,
    events,
    events_before,
    read_marks,
    rooms,
    rooms_of,
    rooms_of_device,
    wrap_of,
)

__all__ = [
    "accounts",
    "add_invite",
    "administrator_exists",
    "administrator_invited",
    "backup_counter",
    "bans",
    "begin_mending",
    "certificates",
    "close_room",
    "commit",
    "commits",
    "consents",
    "count_start",
    "device_of",
    "devices",
    "due_rooms",
    "end_account",
    "end_mending",
    "enrol",
    "events",
    "events_before",
    "fill_statement",
    "find_account",
    "find_backup",
    "find_device",
    "find_floor",
    "find_invite",
    "give_back",
    "incarnation",
    "invite_works",
    "is_registered",
    "keep_head",
    "leave",
    "log",
    "login",
    "mark_read",
    "mend_leaves",
    "mend_messages",
    "mending",
    "mending_state",
    "name_of",
    "note_network",
    "offer",
    "offered",
    "offered_rooms",
    "passed",
    "point_of",
    "prekeys_left",
    "publish_prekeys",
    "put_backup",
    "read_marks",
    "register",
    "renew_incarnation",
    "retain",
    "retention_clock",
    "revoke",
    "rooms",
    "rooms_of",
    "rooms_of_device",
    "rotate",
    "rotations",
    "saw",
    "set_account",
    "set_ban",
    "set_consents",
    "set_verifier",
    "starts",
    "statement",
    "take_prekey",
    "wrap_of",
]
