"""Every bound of the server, as settings: the table ``limits`` of the file."""

from typing import Annotated

import msgspec
from msgspec import Meta

from chatserv.settings_words import require

Seconds = Annotated[float, Meta(ge=0.01, le=604_800)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Bytes = Annotated[int, Meta(ge=1024, le=2**30)]
PerSecond = Annotated[float, Meta(ge=0.01, le=10_000_000)]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every bound of the server. What each is for and where it comes from: docs/operations.rst, limits."""

    tls_handshake_seconds: Seconds = 10  # from accept; InspIRCd 20, Unreal 30
    login_seconds: Seconds = 30  # from accept, not extended by bytes; Unreal 30
    close_seconds: Seconds = (
        3  # a peer that ignores close_notify; it is gone within 5, whatever a tick of the wheel adds
    )
    unauthenticated_connections: Count = 200  # OpenSSH MaxStartups; half of them, then random early drop
    unauthenticated_per_network: Count = 32  # from one IPv4 address or IPv6 /64; a class starts at once
    connections_per_network: Count = 256  # from one IPv4 address or IPv6 /64, logged in or not; Ergo has 16
    new_connections_per_network: Count = 1024  # the same in this time: a school may be one address; Ergo has 32
    new_connections_seconds: Seconds = 600  # as many within so long
    penalty_seconds: Seconds = 30  # six failed logins, or three silent ones; OpenSSH's PerSourcePenalties has 15
    penalty_most_seconds: Seconds = 600  # a penalty never grows beyond this; OpenSSH's max
    login_line_bytes: Annotated[int, Meta(ge=2500, le=4096)] = 4096  # docs/protocol.rst 1.3; a registration has 2,300
    login_total_bytes: Annotated[int, Meta(ge=5000, le=8192)] = 8192  # docs/protocol.rst 1.3: everything until FINISHED
    line_bytes: Annotated[int, Meta(ge=4096, le=65_536)] = 65_536  # docs/protocol.rst 1.3; clients read no longer lines
    envelope_bytes: Annotated[int, Meta(ge=1024, le=12_000)] = 12_000  # docs/rooms.rst 7.2
    sendq_soft_bytes: Bytes = 98_304  # stop reading that client; Ergo 96k
    sendq_hard_bytes: Bytes = 1_048_576  # cut it; InspIRCd 1M
    commands_in_flight: Count = 64  # commands of one session that wait for the store
    chat_burst: Count = 200  # what is said at once: a pasted text; then
    chat_per_second: PerSecond = 2  # as Ergo's fakelag
    chat_burst_bytes: Bytes = 65_536  # the same of bytes beyond the smallest message; Prosody has 10 kB/s
    chat_bytes_per_second: Bytes = 10_240  # and after that
    upkeep_burst: Count = 1000  # commits, wraps, prekeys, pings: a new device comes into a room of 1000 with 300; then
    upkeep_per_second: PerSecond = 50  # and after that
    upload_burst_bytes: Bytes = 4_194_304  # of these; 300 devices need 495 KB a commit
    upload_bytes_per_second: Bytes = 1_048_576  # and after that
    read_burst: Count = 2000  # history, chains, keys, the log: what a device asks for that comes back after weeks; then
    read_per_second: PerSecond = 100  # and after that
    fakelag_seconds: Seconds = 40  # who is faster waits so long at most, then it is refused; InspIRCd's fakelag in kind
    idle_seconds: Seconds = 60  # silence before a ping; Unreal 90
    idle_reply_seconds: Seconds = 30  # silence after the ping
    session_max_seconds: Annotated[float, Meta(ge=1, le=604_800)] = 86_400  # then the device logs in anew
    drain_seconds: Seconds = 8  # exit within 10 s
    retry_seconds: Seconds = 2  # how long a client that is turned away is asked to wait
    crypto_queue: Count = 64  # signatures that wait for the pool, then "busy"
    store_queue: Count = 10_000  # requests that wait for the store, then "busy"
    store_batch: Count = 512  # requests in one commit
    page_events: Annotated[int, Meta(ge=1, le=10_000)] = 128  # events in one answer; longer ones go in pages
    history_events: Annotated[int, Meta(ge=1, le=100_000)] = 500  # events that one request for history may ask for
    open_invites: Count = 1000  # unused invites kept
    invite_hours: Annotated[float, Meta(ge=0.01, le=8760)] = 24  # how long an invite works
    invites_per_day: Count = 500  # of one administrator: half of those that may be open
    accounts: Count = 100_000  # accounts of one server
    rooms: Count = 10_000  # rooms of one server
    rooms_made_per_day: Count = 100  # by an account
    names_per_day: Count = 20  # of public rooms, that an account takes: each is in the log for ever
    log_leaves_per_day: Count = 1000  # of the log, by an account's commits in public rooms and by whom it removes
    rooms_per_account: Annotated[int, Meta(ge=1, le=250)] = 200  # a welcome holds 250
    offers_per_account: Annotated[int, Meta(ge=1, le=250)] = 40  # places beside these that its user has not agreed to
    offers_per_inviter: Annotated[int, Meta(ge=1, le=250)] = 20  # of them by one account: to bring somebody into a team
    devices_per_account: Annotated[int, Meta(ge=1, le=10)] = 10  # docs/rooms.rst 3.4
    password_tries: Count = 5  # docs/protocol.rst 4.8, of an account from one network, in
    password_tries_seconds: Seconds = 300  # this long
    password_tries_account: Count = 50  # the same from everywhere; then one waits for this long:
    password_turn_seconds: Seconds = 6  # the turns of who waits
    password_waiting: Annotated[int, Meta(ge=1, le=100)] = 20  # proofs that wait for an account, then "busy"
    login_networks: Annotated[int, Meta(ge=1, le=1000)] = 16  # networks of an account that do not wait
    guests: Count = 200  # sessions by password, of all
    guests_per_account: Annotated[int, Meta(ge=1, le=10)] = 3  # the same of one account
    guest_seconds: Annotated[float, Meta(ge=1, le=86_400)] = 1800  # how long such a session may last
    guest_notices_per_day: Count = 50  # guests that an account's devices are told of; a new password begins anew
    enrolments_per_day: Count = 20  # devices that an account gets: twice as many as it may have
    revocations_per_day: Count = 50  # devices that it ends
    tells_per_minute: Count = 120  # what the devices, or the guests, of an account tell each other
    lease_seconds: Seconds = 15  # docs/protocol.rst 8: to make a commit, and per device of the room:
    lease_device_seconds: Seconds = 0.04  # added for each device of the room
    lease_lapse_seconds: Seconds = 600  # docs/protocol.rst 8: who lets a lease lapse waits for the next
    lease_unused: Count = (
        3  # leases of a room that an account may give back unused within an hour; more count as lapsed
    )
    leases_per_account: Count = 64  # that it holds at once
    lease_waiting: Count = 600  # requests that wait for the lease of one room, then "busy"
    commits_per_hour: Count = 6  # docs/protocol.rst 8, of a device in a room
    commits_per_hour_moderator: Count = 60  # the same of moderators and owners
    commits_refused_per_hour: Count = 30  # of an account, whatever the room: a check of one costs up to 0.2 s
    joins_per_day: Count = 3  # docs/protocol.rst 8, of an account in a room
    rotations_per_day: Count = 10  # of the identity of an account
    one_time_prekeys: Annotated[int, Meta(ge=1, le=1000)] = 50  # docs/protocol.rst 10, of a device
    prekeys_low: Count = 20  # below this a device is asked for more
    prekeys_per_hour: Count = 20  # docs/protocol.rst 10: of one device for one requester, then the last-resort one
    prekeys_unused: Count = 10  # the same in a day, of those that no commit uses
    prekeys_taken_per_day: Count = 5000  # of all devices, for one requester
    prekey_room_devices: Count = 50  # docs/protocol.rst 10: larger rooms get last-resort prekeys only
    log_page_leaves: Annotated[int, Meta(ge=1, le=400)] = 400  # leaves in one answer
    log_notice_leaves: Annotated[int, Meta(ge=1, le=400)] = 100  # leaves in one notice; more are fetched
    log_head_seconds: Seconds = (
        43_200  # the age at which a tree head is signed anew (docs/rooms.rst 8.2: clients alarm at a day)
    )
    unlogged_leaf_seconds: Seconds = 300  # docs/protocol.rst 8: a commit has to know leaves of this age
    cached_certificates: Count = 20_000  # kept in memory
    mending_quiet_seconds: Seconds = 120  # docs/operations.rst, after a restore: since the last offer
    mending_seconds: Seconds = 3600  # the same since the start, whatever is offered: meanwhile nobody can say anything
    mending_bytes: Annotated[int, Meta(ge=1024, le=2**36)] = 268_435_456  # what is offered, of all
    mending_bytes_per_account: Bytes = 33_554_432  # the same by one account
    blob_bytes: Annotated[int, Meta(ge=0, le=2**40)] = 104_857_600  # of the largest file; 0: this server takes none
    blob_account_bytes: Annotated[int, Meta(ge=65_536, le=2**50)] = (
        2**30
    )  # of an account's files; each counts for 64 KiB
    blob_server_bytes: Annotated[int, Meta(ge=65_536, le=2**50)] = 20 * 2**30  # of all files
    blob_disk_share: Annotated[float, Meta(ge=0.01, le=1)] = 0.8  # of the disk: above it no file is begun, or goes on
    blob_days: Annotated[float, Meta(ge=0.01, le=3650)] = 30  # that a file is kept; no longer than messages are
    blob_open_hours: Annotated[float, Meta(ge=0.01, le=720)] = 24  # in which an upload has to go on
    blob_open: Annotated[int, Meta(ge=1, le=1000)] = 4  # uploads of an account at a time
    blob_burst_bytes: Bytes = 4_194_304  # of files up and down, of an account, at once; then
    blob_bytes_per_second: Bytes = 1_048_576  # and after that
    blob_commands: Count = 2  # pieces of files of a session under way
    blob_queue: Count = 256  # pieces that wait for the disk, then "busy"
    blobs_known: Count = 10_000  # of which a node knows how far they are; what was used last stays
    counters: Count = 100_000  # entries in a table of rates; the oldest go first
    bans: Count = 10_000  # from the server
    chat_backups: Annotated[int, Meta(ge=0, le=1000)] = 5  # backups made from inside the chat that lie there; 0: none
    control_connections: Annotated[int, Meta(ge=1, le=1000)] = 16  # of the operator's socket, and operations under way
    control_ask_seconds: Seconds = 10  # within which the operator's command has to say what it wants
    control_work_seconds: Seconds = 3600  # that an operation may take
    rekey_records: Annotated[int, Meta(ge=1, le=2**20)] = 2**20  # docs/protocol.rst 3.1; only less is allowed
    rekey_bytes: Annotated[int, Meta(ge=1024, le=2**30)] = 2**30  # docs/protocol.rst 3.1: bytes under one key
    rekey_seconds: Annotated[float, Meta(ge=1, le=3600)] = 3600  # docs/protocol.rst 3.1: age of a key

    @property
    def longest_turn_seconds(self) -> float:
        """How long a proof of a password may have to wait its turn, at most."""
        return self.password_waiting * self.password_turn_seconds

    def __post_init__(self) -> None:
        for lower, strict, upper in (
            ("tls_handshake_seconds", False, "login_seconds"),
            ("penalty_seconds", False, "penalty_most_seconds"),
            ("login_line_bytes", False, "login_total_bytes"),
            ("login_line_bytes", False, "line_bytes"),
            ("sendq_soft_bytes", True, "sendq_hard_bytes"),
            ("line_bytes", True, "sendq_hard_bytes"),
            ("store_batch", False, "store_queue"),
            ("prekeys_low", False, "one_time_prekeys"),
            ("commits_per_hour", False, "commits_per_hour_moderator"),
            ("log_notice_leaves", False, "log_page_leaves"),
            ("blob_bytes", False, "blob_account_bytes"),
            ("blob_account_bytes", False, "blob_server_bytes"),
        ):
            low, high = getattr(self, lower), getattr(self, upper)
            hint = f"write {'less than' if strict else 'at most'} {high}, or raise {upper}"
            require(low < high or (low == high and not strict), lower, f"{low} does not fit {upper}", hint)
        room = self.line_bytes * 3 // 4 - 1024  # base64 costs a third; the rest is header, tag and routing fields
        require(self.envelope_bytes <= room, "envelope_bytes", "does not fit line_bytes", f"write at most {room}")
